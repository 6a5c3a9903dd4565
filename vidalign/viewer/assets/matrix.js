// The matrix: cells 0 (not scored) or 1 .. levels + 1 between a row's lowest and highest similarity, kept also
// with four, sixteen ... cells merged along time, so that a picture never reads many more cells than it has pixels.

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The bytes that the page carries under a name, in parts; they are taken out of the document. */
function taken(name) {
  return [...document.querySelectorAll(`[data-blob="${name}"]`)].map((block) => {
    block.remove();
    return bytesOf(block.textContent);
  });
}

async function inflated(parts) {
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Each row with every four cells merged by their maximum. */
function merged({ cells, width }, rows) {
  const fewer = Math.ceil(width / 4), result = new Uint8Array(rows * fewer);
  for (let row = 0, place = 0; row < rows; row++) {
    const stop = (row + 1) * width;
    for (let from = row * width; from < stop; from += 4, place++) {
      const to = Math.min(from + 4, stop);
      let most = cells[from];
      for (let c = from + 1; c < to; c++) if (cells[c] > most) most = cells[c];
      result[place] = most;
    }
  }
  return { cells: result, width: fewer };
}

class Matrix {
  constructor(cells) {
    this.rows = data.text.length;
    this.levels = [{ cells, width: data.edges.length - 1 }];
    while (this.levels.at(-1).width > 400) this.levels.push(merged(this.levels.at(-1), this.rows));
    const scored = data.text.map((_, k) => k).filter((k) => data.seen[k] !== null);
    const lowest = scored.reduce((low, k) => Math.min(low, data.low[k]), Infinity);
    const spread = scored.reduce((high, k) => Math.max(high, data.high[k]), -Infinity) - lowest || 1;
    this.shift = data.low.map((low) => ((low - lowest) / spread) * data.levels);
    this.scale = data.low.map((low, k) => (data.high[k] - low) / spread);
    this.whole = false;
  }

  value(k, column) {
    const { cells, width } = this.levels[0], cell = cells[k * width + column];
    return cell ? data.low[k] + ((cell - 1) / data.levels) * (data.high[k] - data.low[k]) : null;
  }

  best(k) {
    const { cells, width } = this.levels[0], row = cells.subarray(k * width, (k + 1) * width);
    const column = row.indexOf(row.reduce((most, cell) => Math.max(most, cell), 0));
    return row[column] ? column : -1;
  }

  /** For each pixel the cells [from, to) that it covers, in a level coarse enough; -1 outside of the clips. */
  bounds(pixels, start, span) {
    const edges = data.edges, last = edges.length - 1;
    const from = new Int32Array(pixels).fill(-1), to = new Int32Array(pixels);
    const across = columnAt(start + span) - columnAt(start);
    const level = clamp(Math.floor(Math.log2(Math.max(1, across / pixels)) / 2), 0, this.levels.length - 1);
    for (let x = 0, a = 0, b = 0; x < pixels; x++) {
      const left = start + (x / pixels) * span, right = start + ((x + 1) / pixels) * span;
      while (a < last && edges[a + 1] <= left) a++;
      while (b < last && edges[b] < right) b++;
      if (a >= last || right <= edges[0]) continue;
      from[x] = a >> (2 * level);
      to[x] = Math.max(from[x] + 1, ((b - 1) >> (2 * level)) + 1);
    }
    return { level, from, to };
  }

  pool(line, k, { level, from, to }) {
    const { cells, width } = this.levels[level], base = k * width, { whole } = this;
    const shift = this.shift[k], scale = this.scale[k];
    for (let x = 0; x < line.length; x++) {
      if (from[x] < 0) continue;
      let most = 0;
      for (let c = base + from[x]; c < base + to[x]; c++) if (cells[c] > most) most = cells[c];
      if (whole && most) most = 1 + shift + (most - 1) * scale;
      if (most > line[x]) line[x] = most;
    }
  }

  paint(canvas, order, start, span, palette) {
    const { width, height } = canvas, context = canvas.getContext("2d");
    const image = context.createImageData(width, height), pixels = new Uint32Array(image.data.buffer);
    const bounds = this.bounds(width, start, span), line = new Uint8Array(width);
    for (let y = 0, done = -1; y < height; y++) {
      const first = Math.floor((y * order.length) / height);
      const stop = Math.max(first + 1, Math.floor(((y + 1) * order.length) / height));
      if (first === done && stop === first + 1 && y > 0) {
        pixels.copyWithin(y * width, (y - 1) * width, y * width);
        continue;
      }
      line.fill(0);
      for (let i = first; i < stop; i++) this.pool(line, order[i], bounds);
      for (let x = 0; x < width; x++) pixels[y * width + x] = palette[line[x]];
      done = stop === first + 1 ? first : -1;
    }
    context.putImageData(image, 0, 0);
  }
}

/** The clip whose stretch holds the time: -1 before the first, their count after the last. */
function columnAt(time) {
  const edges = data.edges;
  let low = 0, high = edges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (edges[middle] <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const RAMPS = {
  light: ["#f7fbff", "#9ecae1", "#3182bd", "#08306b"],
  dark: ["#0b1020", "#244a86", "#4f9bc8", "#f4f8cf"],
};
const GAMMA = 1.5; // a ramp that keeps its strength for the best cells
const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const pixel = ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;

function paletteOf(theme, gap) {
  const stops = RAMPS[theme].map(rgb), palette = new Uint32Array(256);
  palette[0] = pixel(rgb(gap));
  for (let cell = 1; cell <= data.levels + 1; cell++) {
    const place = ((cell - 1) / data.levels) ** GAMMA * (stops.length - 1);
    const stop = Math.min(Math.floor(place), stops.length - 2), share = place - stop;
    palette[cell] = pixel(stops[stop].map((value, i) => Math.round(value + share * (stops[stop + 1][i] - value))));
  }
  return palette;
}
