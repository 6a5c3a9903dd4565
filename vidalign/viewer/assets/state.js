// What the parts of an alignment's page share: what is chosen, and what the time axis shows.

const video = $("video"), list = $("list"), scroller = $("scroller");
const count = data.text?.length ?? 0, everyone = Array.from({ length: count }, (_, k) => k);
const folded = (data.text ?? []).map(fold);
const state = {
  now: 0, playing: false, // the time in seconds; whether the video runs
  selected: -1, current: -1, // the sentence chosen, and the one of the time
  label: "all", words: [], threshold: null, // the filter; null: the labels of the file
  shown: [], order: [], // sentences that pass the filter, and those drawn in the matrix
  zoom: 1, total: Math.max(data.end ?? 0, data.edges?.at(-1) ?? 0) || 1, // of the time axis
  rowHeight: 66, heldUntil: 0, // no following of the list before, it is being read
};
const lens = { start: 0, span: 1, width: 1 }; // what the time axis shows: seconds, seconds, pixels
const drawn = new Map(), colours = {}; // rows of the list by position; colours of the theme by name
let matrix = null, palette = null; // a Matrix; colours of its cells

function isAligned(k) {
  if (state.threshold === null) return data.aligned[k] === 1;
  if (data.seen[k] === null || data.alignability[k] === null) return false;
  return Math.fround(data.alignability[k]) >= Math.fround(state.threshold);
}

const isNew = (k) => isAligned(k) && data.aligned[k] === 0;
const always = () => true;
const seenOf = (k) => (isAligned(k) ? data.seen[k] : null);
const timeOf = (k) => (seenOf(k) ?? data.heard[k] ?? data.seen[k])?.[0];
const across = (time) => ((time - lens.start) / lens.span) * lens.width;
const inView = (x) => x >= 0 && x <= lens.width;

function timeAt(event) {
  const x = event.clientX - $("pane").getBoundingClientRect().left;
  return lens.start + (x / lens.width) * lens.span;
}
