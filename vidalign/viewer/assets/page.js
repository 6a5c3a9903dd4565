// The page of one alignment: time, keyboard, video, and the start.

const SHORTCUTS = [
  ["Space", "play or pause"],
  ["← →", "5 seconds back or on, with Shift 1 second"],
  ["j k", "next, previous sentence"],
  ["Enter", "in the list: to the time of the selected sentence"],
  ["o n", "to its old time (subtitle), its new time (segment)"],
  ["/", "search"],
  ["+ − 0", "zoom in, out, fit; or Ctrl and the wheel over the matrix"],
  ["?", "these keys"],
];

// time: the video's where there is one

function seek(time) {
  if (time === undefined || !Number.isFinite(time)) return;
  state.now = clamp(time, 0, state.total);
  if (video.readyState > 0) video.currentTime = state.now;
  if (!inView(across(state.now))) lookAt(state.now, 0.3);
  tick();
}

/** Of the sentences whose span holds the time, the one that began last; -1 for none. */
function latest(spans, holds) {
  let found = -1;
  for (let k = 0; k < count; k++) {
    if (inside(spans[k], state.now) && (found < 0 || spans[k][0] >= spans[found][0]) && holds(k)) found = k;
  }
  return found;
}

function tick() {
  const seen = latest(data.seen, isAligned), heard = latest(data.heard, always);
  state.current = seen >= 0 ? seen : heard;
  $("now-seen").textContent = data.text[seen]?.slice(0, 300) || "–";
  $("now-heard").textContent = data.text[heard]?.slice(0, 300) || "–";
  $("axis").setAttribute("aria-valuenow", state.now.toFixed(1));
  $("axis").setAttribute("aria-valuetext", clock(state.now));
  placeHead();
  markList();
  if (state.playing && $("follow").checked && performance.now() > state.heldUntil) {
    if (across(state.now) < 0 || across(state.now) > 0.9 * lens.width) lookAt(state.now, 0.1);
    if (state.current >= 0) reveal(state.current, 0.3);
  }
}

function run() {
  if (!state.playing) return;
  state.now = video.currentTime;
  tick();
  requestAnimationFrame(run);
}

// keyboard

function togglePlay() {
  if (video.hidden) return;
  if (video.paused) video.play().catch(() => {}); // refused: the video's own controls are there
  else video.pause();
}

const KEYS = {
  " ": togglePlay,
  ArrowLeft: (event) => seek(state.now - (event.shiftKey ? 1 : 5)),
  ArrowRight: (event) => seek(state.now + (event.shiftKey ? 1 : 5)),
  j: () => step(1),
  k: () => step(-1),
  o: () => seek(data.heard[state.selected]?.[0]),
  n: () => seek(data.seen[state.selected]?.[0]),
  "/": () => $("search").focus(),
  "+": () => setZoom(state.zoom * 1.6),
  "=": () => setZoom(state.zoom * 1.6),
  "-": () => setZoom(state.zoom / 1.6),
  0: () => setZoom(1),
  "?": () => tell("Keys", SHORTCUTS.map(([key, does]) => [make("kbd", {}, key), does])),
};
const PRESSED = ["submit", "button", "checkbox", "radio", "file", "summary"]; // these have Space and Enter themselves
const LIST_KEYS = {
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  Enter: () => seek(timeOf(state.selected)),
  Home: () => go(state.shown[0]),
  End: () => go(state.shown.at(-1)),
};

function onKey(event) {
  const { target, key } = event, kind = target.type ?? target.localName;
  if (event.ctrlKey || event.metaKey || event.altKey || $("dialog").open) return;
  if (kind === "search" && key === "Escape") target.blur();
  if (["search", "select-one"].includes(kind)) return;
  if (["range", "radio"].includes(kind) && key.startsWith("Arrow")) return;
  if (PRESSED.includes(kind) && (key === " " || key === "Enter")) return;
  const action = (target === list ? LIST_KEYS[key] : undefined) ?? KEYS[key];
  if (!action) return;
  event.preventDefault();
  action(event);
}

function tell(title, lines, note = "") {
  $("dialog-title").textContent = title;
  $("dialog-list").replaceChildren(...lines.flatMap(([name, said]) => entry(name, said)));
  $("dialog-note").textContent = note;
  $("dialog").showModal();
}

// the video

function missing(why) {
  video.hidden = true;
  $("absent").hidden = false;
  $("why").textContent = why;
}

function show(source) {
  video.hidden = false;
  $("absent").hidden = true;
  video.src = source;
}

function listenToVideo(name) {
  const where = "it is not where this page looks for it, or the browser does not know its format";
  video.addEventListener("error", () => missing(`${name} cannot be shown: ${where}.`));
  video.addEventListener("loadedmetadata", () => {
    if (Number.isFinite(video.duration)) state.total = Math.max(state.total, video.duration);
    $("axis").setAttribute("aria-valuemax", state.total.toFixed(1));
    if (state.now > 0) video.currentTime = state.now;
    setZoom(state.zoom);
  });
  video.addEventListener("play", () => {
    state.playing = true;
    run();
  });
  for (const kind of ["pause", "ended"]) video.addEventListener(kind, () => { state.playing = false; });
  for (const kind of ["timeupdate", "seeking", "seeked"]) {
    video.addEventListener(kind, () => {
      state.now = video.currentTime;
      tick();
    });
  }
}

function openVideo() {
  const name = data.video ?? "The video", content = taken("movie");
  listenToVideo(name);
  $("choose").addEventListener("change", () => {
    if ($("choose").files[0]) show(URL.createObjectURL($("choose").files[0]));
  });
  if (content.length) show(URL.createObjectURL(new Blob(content, { type: data.kind })));
  else if (data.url) show(data.url);
  else missing(`${name} was not found when this page was made.`);
}

// the start

/** Resolves when the matrix and the video, which stand at the end of the page, are there. */
function parsed() {
  if (document.readyState !== "loading") return Promise.resolve();
  return new Promise((done) => document.addEventListener("DOMContentLoaded", done, { once: true }));
}

async function openMatrix() {
  const packed = taken("cells");
  try {
    if (packed.length) matrix = new Matrix(await inflated(packed));
  } catch (error) {
    $("lacking").textContent = `This browser cannot unpack the matrix (${error.message}).`;
  }
  $("lacking").hidden = matrix !== null;
  $("key-gap").hidden = !matrix?.levels[0].cells.includes(0);
  const scored = `Similarity of ${count} sentences (down) with ${data.edges.length - 1} clips (across)`;
  const label = `${matrix ? scored : "No similarity"}; the list has the same sentences with their times.`;
  $("matrix").setAttribute("aria-label", label);
  redraw();
}

function themed(dark) {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["heard", "seen", "truth", "gap", "line", "muted", "panel", "accent"]) {
    colours[name] = style.getPropertyValue(`--${name}`).trim();
  }
  palette = paletteOf(dark ? "dark" : "light", colours.gap);
  redraw();
}

function measure() {
  const probe = $("spacer").appendChild(make("div", { className: "row" }));
  const height = probe.offsetHeight || state.rowHeight, same = height === state.rowHeight;
  probe.remove();
  state.rowHeight = height;
  setZoom(state.zoom);
  if (same) showList();
  else relist();
}

async function startView() {
  const model = data.facts.find(([name]) => name === "model")?.[1];
  $("title").textContent = data.video ?? "An unnamed video";
  $("said").textContent = [model && ` · model ${model}`, data.notice && ` · ${data.notice}`].filter(Boolean).join("");
  $("key-truth").hidden = !data.truth;
  $("axis").setAttribute("aria-valuemax", state.total.toFixed(1));
  $("detail").open = matchMedia("(min-width: 900px)").matches;
  $("about").addEventListener("click", () => tell("About this alignment", data.facts, data.notice ?? ""));
  $("keys").addEventListener("click", KEYS["?"]);
  document.addEventListener("keydown", onKey, true);
  listenToPlot();
  listenToList();
  themes(themed);
  setThreshold(null);
  const resized = new ResizeObserver(measure);
  for (const element of [scroller, list, $("field")]) resized.observe(element);
  await parsed();
  openVideo();
  await openMatrix();
  requestAnimationFrame(() => requestAnimationFrame(ready));
}

startView();
