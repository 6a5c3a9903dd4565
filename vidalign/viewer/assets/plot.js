// The time axis and all that is drawn under it: lanes, matrix, marks, and the head at the current time.

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000, 36000, 86400];
const TALLEST_ROW = 18, LEAST_FRAME = 5, LANE = 9, TICKS = 20; // pixels
const CLOSEST = 5; // seconds in view at the deepest zoom

function placeHead() {
  const x = across(state.now), column = columnAt(state.now), hidden = !inView(x);
  $("head").hidden = hidden;
  $("head").style.transform = `translateX(${x}px)`;
  $("column").hidden = hidden || column < 0 || column >= data.edges.length - 1;
  if ($("column").hidden) return;
  const left = across(data.edges[column]);
  $("column").style.transform = `translateX(${left}px)`;
  $("column").style.width = `${Math.max(1, across(data.edges[column + 1]) - left)}px`;
}

// zoom

function refocus() {
  lens.width = scroller.clientWidth;
  $("pane").style.width = `${lens.width}px`;
  lens.span = state.total / state.zoom;
  lens.start = (scroller.scrollLeft / (lens.width * state.zoom)) * state.total;
}

function lookAt(time, share) {
  scroller.scrollLeft = ((time - share * lens.span) / state.total) * lens.width * state.zoom;
  refocus();
  redraw();
}

const deepest = () => Math.max(1, state.total / CLOSEST);

function setZoom(zoom, time = inView(across(state.now)) ? state.now : lens.start + lens.span / 2) {
  const share = clamp((time - lens.start) / lens.span, 0, 1), most = deepest();
  state.zoom = clamp(zoom, 1, most);
  $("zoom").value = most > 1 ? Math.log(state.zoom) / Math.log(most) : 0;
  $("wide").style.width = `${state.zoom * 100}%`;
  refocus();
  lookAt(time, share);
  tick();
}

// drawing

/** The sentences that the matrix shows: all, or when zoomed in those said in the time in view and some more. */
function rowsInSight(height) {
  const { shown } = state, room = height / TALLEST_ROW, end = lens.start + lens.span;
  if (state.zoom === 1 || shown.length <= room) return shown;
  const begin = shown.map((k) => (data.heard[k] ?? seenOf(k))?.[0]);
  const within = (time) => time >= lens.start && time <= end;
  let first = begin.findIndex(within), last = begin.findLastIndex(within);
  if (first < 0) {
    const after = begin.findIndex((time) => time > end);
    first = last = after < 0 ? shown.length - 1 : after;
  }
  const more = Math.max(2, Math.ceil((room - (last - first + 1)) / 2));
  return shown.slice(Math.max(0, first - more), last + 1 + more);
}

function sized(canvas, height) {
  const ratio = window.devicePixelRatio || 1, context = canvas.getContext("2d");
  canvas.width = Math.max(1, Math.round(lens.width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  canvas.style.height = `${height}px`;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

function drawAxis() {
  const lanes = [[(k) => data.heard[k], colours.heard], [seenOf, colours.seen]];
  if (data.truth) lanes.push([(k) => data.truth[k], colours.truth]);
  const height = TICKS + lanes.length * (LANE + 2) + 2, context = sized($("axis"), height);
  const spacing = STEPS.find((one) => (one / lens.span) * lens.width >= 70) ?? lens.span / 4;
  context.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  context.textBaseline = "middle";
  for (let i = Math.ceil(lens.start / spacing); i * spacing <= lens.start + lens.span; i++) {
    const x = across(i * spacing), said = clock(i * spacing, spacing < 1 ? 1 : 0);
    context.fillStyle = colours.line;
    context.fillRect(x, 0, 1, height);
    context.fillStyle = colours.muted;
    if (x + 4 + context.measureText(said).width <= lens.width) context.fillText(said, x + 4, TICKS / 2);
  }
  lanes.forEach(([spanOf, colour], i) => {
    context.fillStyle = colour;
    for (const k of state.shown) bar(context, spanOf(k), TICKS + i * (LANE + 2), LANE);
  });
}

function bar(context, span, y, height) {
  if (span === null) return;
  const x = across(span[0]), width = Math.max(2, across(span[1]) - x - 1);
  if (x + width >= 0 && x <= lens.width) context.fillRect(x, y, width, height);
}

function frame(context, span, y, height, colour, dash) {
  if (span === null || across(span[1]) < 0 || across(span[0]) > lens.width) return;
  const x = across(span[0]), box = [x + 1, y + 1.5, Math.max(2, across(span[1]) - x - 2), height - 3];
  context.setLineDash([]);
  context.strokeStyle = colours.panel;
  context.lineWidth = 4;
  context.strokeRect(...box);
  context.setLineDash(dash);
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.strokeRect(...box);
}

function drawMarks(height) {
  const context = sized($("marks"), height), { order } = state, each = height / order.length;
  const thick = clamp(each / 3, 1, 4), picked = order.indexOf(state.selected);
  if (each >= LEAST_FRAME) {
    order.forEach((k, i) => frame(context, data.heard[k], i * each, each, colours.heard, []));
    order.forEach((k, i) => frame(context, seenOf(k), i * each, each, colours.seen, isNew(k) ? [4, 3] : []));
  } else {
    context.fillStyle = colours.heard;
    order.forEach((k, i) => bar(context, data.heard[k], i * each, Math.max(1.5, each)));
    context.fillStyle = colours.seen;
    order.forEach((k, i) => bar(context, seenOf(k), i * each, Math.max(1.5, each)));
  }
  context.fillStyle = colours.truth;
  if (data.truth) order.forEach((k, i) => bar(context, data.truth[k], (i + 1) * each - thick - 1, thick));
  if (picked < 0) return;
  context.setLineDash([]);
  Object.assign(context, { strokeStyle: colours.accent, lineWidth: 2 });
  context.strokeRect(1, picked * each - 1, lens.width - 2, Math.max(4, each + 2));
}

const redraw = once(() => {
  drawAxis();
  const room = $("field").clientHeight;
  state.order = rowsInSight(room);
  const height = Math.max(1, Math.min(room, state.order.length * TALLEST_ROW));
  sized($("matrix"), height);
  if (matrix && state.order.length) matrix.paint($("matrix"), state.order, lens.start, lens.span, palette);
  drawMarks(height);
});

// pointing at cells

function pointed(event) {
  const time = timeAt(event), y = event.clientY - $("field").getBoundingClientRect().top;
  const row = Math.floor((y / $("marks").clientHeight) * state.order.length), column = columnAt(time);
  return { k: state.order[row], column: column < data.edges.length - 1 ? column : -1, time };
}

function readout({ k, column, time }) {
  const said = [clock(time, 1)];
  if (k !== undefined && matrix) {
    const similarity = column < 0 ? null : matrix.value(k, column);
    said.push(similarity === null ? "not scored" : `similarity ${number(similarity)}`);
  }
  if (k !== undefined) said.push(data.text[k].slice(0, 200));
  $("readout").textContent = said.join(" · ");
}

function listenToPlot() {
  const field = $("field"), axis = $("axis");
  field.addEventListener("pointermove", (event) => readout(pointed(event)));
  field.addEventListener("pointerleave", () => { $("readout").textContent = ""; });
  field.addEventListener("click", (event) => {
    const { k, column, time } = pointed(event);
    if (k !== undefined) select(k);
    seek(column < 0 ? time : data.edges[column]);
  });
  axis.addEventListener("pointerdown", (event) => {
    axis.setPointerCapture(event.pointerId);
    seek(timeAt(event));
  });
  axis.addEventListener("pointermove", (event) => {
    if (axis.hasPointerCapture(event.pointerId)) seek(timeAt(event));
  });
  scroller.addEventListener("scroll", () => { refocus(); redraw(); placeHead(); }, { passive: true });
  scroller.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    setZoom(state.zoom * Math.exp(-event.deltaY / 300), timeAt(event));
  }, { passive: false });
  $("zoom").addEventListener("input", () => setZoom(deepest() ** Number($("zoom").value)));
  $("zoom-in").addEventListener("click", () => setZoom(state.zoom * 1.6));
  $("zoom-out").addEventListener("click", () => setZoom(state.zoom / 1.6));
  $("fit").addEventListener("click", () => setZoom(1));
  $("contrast").addEventListener("change", () => {
    if (matrix) matrix.whole = $("contrast").value === "all";
    redraw();
  });
}
