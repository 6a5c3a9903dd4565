// The list of sentences with its filter and threshold, and the sentence chosen.

const SPARE_ROWS = 4, PATIENCE = 4000; // rows kept beyond those in sight; milliseconds

function passes(k) {
  if (state.label !== "all" && isAligned(k) !== (state.label === "aligned")) return false;
  return state.words.every((word) => folded[k].includes(word));
}

function refilter() {
  const aligned = everyone.filter(isAligned).length;
  state.shown = everyone.filter(passes);
  $("count").textContent = `${aligned} of ${count} sentences aligned`;
  $("n-all").textContent = count;
  $("n-aligned").textContent = aligned;
  $("n-unaligned").textContent = count - aligned;
  $("none").textContent = count ? "No sentence matches." : "This alignment has no sentences.";
  $("none").hidden = state.shown.length > 0;
  list.hidden = !state.shown.length;
  relist();
  redraw();
  tick();
}

function setThreshold(value) {
  const holds = value ?? data.threshold;
  state.threshold = value;
  if (value === null) $("threshold").value = holds ?? 0.5;
  $("threshold-said").textContent = holds === null ? "?" : String(Number(holds.toFixed(3)));
  $("reset").disabled = value === null;
  refilter();
  if (state.selected >= 0) describe(state.selected);
}

// the list: only the rows in sight are elements

function listRow(position) {
  const k = state.shown[position], label = isAligned(k) ? "aligned" : "unaligned", seen = seenOf(k);
  const heard = make("span", { className: "heard", title: "when it was said" }, spanText(data.heard[k]));
  if (data.heard[k]) heard.dataset.seek = data.heard[k][0];
  const times = make("span", { className: "times" }, heard);
  if (seen) {
    const title = isNew(k) ? "around its best moment; not in the file" : "when it is seen";
    const said = make("span", { className: "seen", title }, (isNew(k) ? "≈" : "") + spanText(seen));
    said.dataset.seek = seen[0];
    times.append(" → ", said);
  }
  const row = make("div", { className: "row", id: `s${k}`, role: "option" },
    make("span", { className: `chip ${label}` }, label),
    make("span", { className: "worth", title: "alignability" }, number(data.alignability[k])),
    times,
    make("span", { className: "text", dir: "auto" }, data.text[k].slice(0, 300)));
  row.setAttribute("aria-setsize", state.shown.length);
  row.setAttribute("aria-posinset", position + 1);
  row.style.transform = `translateY(${position * state.rowHeight}px)`;
  return row;
}

function showList() {
  const { shown, rowHeight } = state;
  const first = Math.max(0, Math.floor(list.scrollTop / rowHeight) - SPARE_ROWS);
  const stop = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / rowHeight) + SPARE_ROWS);
  for (const [position, row] of drawn) {
    if (position >= first && position < stop) continue;
    row.remove();
    drawn.delete(position);
  }
  for (let position = first; position < stop; position++) {
    if (!drawn.has(position)) drawn.set(position, $("spacer").appendChild(listRow(position)));
  }
  markList();
}

function relist() {
  for (const row of drawn.values()) row.remove();
  drawn.clear();
  $("spacer").style.height = `${state.shown.length * state.rowHeight}px`;
  showList();
}

function markList() {
  for (const [position, row] of drawn) {
    const k = state.shown[position];
    row.classList.toggle("now", k === state.current);
    row.setAttribute("aria-selected", String(k === state.selected));
    if (k === state.current) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
  if ($(`s${state.selected}`)) list.setAttribute("aria-activedescendant", `s${state.selected}`);
  else list.removeAttribute("aria-activedescendant");
}

/** Scroll a sentence into the list: as little as it takes, or to a share of its height. */
function reveal(k, share) {
  const top = state.shown.indexOf(k) * state.rowHeight, room = list.clientHeight - state.rowHeight;
  if (top < 0 || (top >= list.scrollTop && top <= list.scrollTop + room)) return;
  const nearest = top < list.scrollTop ? top : top - room;
  list.scrollTop = share === undefined ? nearest : top - room * share;
  showList();
}

function select(k) {
  state.selected = k;
  describe(k);
  reveal(k);
  markList();
  redraw();
}

function go(k) {
  select(k);
  seek(timeOf(k));
}

function step(by) {
  const from = state.selected >= 0 ? state.selected : state.current, at = state.shown.indexOf(from);
  const after = state.shown.findIndex((k) => k >= from);
  const next = at < 0 ? after : clamp(at + by, 0, state.shown.length - 1);
  const k = state.shown.at(next);
  if (k !== undefined) go(k);
}

const entry = (name, ...said) => [make("dt", {}, name), make("dd", {}, ...said)];

function jump(span) {
  if (span === null) return "none";
  const button = make("button", { type: "button" }, spanText(span, 1));
  button.dataset.seek = span[0];
  return button;
}

function describe(k) {
  const best = matrix ? matrix.best(k) : -1, [first, last] = data.cues[k];
  const worth = `alignability ${number(data.alignability[k])}, confidence ${number(data.confidence[k])}`;
  const ifAligned = data.seen[k] && !isAligned(k) ? " if it were aligned" : "";
  const lines = [
    ...entry("Label", `${isAligned(k) ? "aligned" : "unaligned"}, ${worth}`),
    ...entry("Subtitle", jump(data.heard[k])),
    ...entry("Segment", jump(data.seen[k]), isNew(k) ? " around its best moment; not in the file" : ifAligned),
  ];
  if (data.truth) lines.push(...entry("Truth", data.truth[k] ? jump(data.truth[k]) : "cannot be seen"));
  if (best >= 0) {
    const similarity = ` similarity ${number(matrix.value(k, best))}`;
    lines.push(...entry("Best", jump([data.edges[best], data.edges[best + 1]]), similarity));
  }
  lines.push(...entry("Sentence", `${k + 1} of ${count}, cue ${first + 1}${last > first ? `–${last + 1}` : ""}`));
  const text = make("p", { className: "text", dir: "auto" }, data.text[k] || "(no text)");
  $("chosen").replaceChildren(text, make("dl", {}, ...lines));
}

function listenToList() {
  const hold = () => { state.heldUntil = performance.now() + PATIENCE; };
  for (const kind of ["wheel", "touchmove", "pointerdown"]) list.addEventListener(kind, hold, { passive: true });
  list.addEventListener("scroll", once(showList), { passive: true });
  list.addEventListener("click", (event) => {
    const row = event.target.closest(".row"), time = event.target.dataset.seek;
    if (!row) return;
    const k = Number(row.id.slice(1));
    select(k);
    seek(time === undefined ? timeOf(k) : Number(time));
  });
  $("chosen").addEventListener("click", (event) => {
    if (event.target.dataset.seek !== undefined) seek(Number(event.target.dataset.seek));
  });
  $("search").addEventListener("input", once(() => {
    state.words = wordsOf($("search").value);
    refilter();
  }));
  $("labels").addEventListener("change", (event) => {
    state.label = event.target.value;
    refilter();
  });
  $("threshold").addEventListener("input", () => setThreshold(Number($("threshold").value)));
  $("reset").addEventListener("click", () => setThreshold(null));
}
