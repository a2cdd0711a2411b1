// The generator: one graph a resolution, run in order; graphs whose rows did not change are not run again.
import * as ort from "./ort.wasm.bundle.min.mjs";
import { readDifference, readSafetensors } from "./files.js";

export class Model {
  /** Take everything that the first picture needs, all at once; read is a function of a file's name. */
  static async load(read) {
    const definition = JSON.parse(new TextDecoder().decode(await read("data/live.json")));
    const files = ["ort-wasm-simd-threaded.wasm.gz", `data/${definition.weights}`, `data/${definition.latents}`];
    for (const block of definition.blocks) files.push(`data/block${block.size}.onnx`);
    const [wasm, weights, latents, ...graphs] = await Promise.all(files.map(read));
    ort.env.wasm.numThreads = 1; // more need headers that plain file servers do not send
    ort.env.wasm.wasmBinary = wasm.buffer;
    const model = new Model(read, definition, readSafetensors(weights).tensors, readSafetensors(latents).tensors);
    for (const [index, block] of definition.blocks.entries()) {
      const session = await ort.InferenceSession.create(graphs[index], { executionProviders: ["wasm"] });
      model.blocks.push({ ...block, session, weights: session.inputNames.filter((name) => name in model.source), ws: null, mixed: null, feeds: {}, buffers: {}, outputs: null, ms: 0, blending: 0 });
    }
    return model;
  }

  constructor(read, definition, source, latents) {
    Object.assign(this, { read, definition, source, latents, blocks: [], differences: {}, domain: "", share: 0 });
  }

  /** Which weights the next picture has: share 0 the source's, 1 those of the domain, whose difference is fetched once. */
  async setDomain(name, share) {
    if (name && share && !this.differences[name]) {
      const shapes = Object.fromEntries(Object.entries(this.source).map(([key, tensor]) => [key, tensor.shape]));
      this.differences[name] = await readDifference(await this.read(`data/${name}.safetensors`), shapes);
    }
    Object.assign(this, name && share ? { domain: name, share } : { domain: "", share: 0 });
  }

  /** Bring the weights of one graph to what is wanted now; only those of graphs that are run are blended. */
  blend(block) {
    const difference = this.domain ? this.differences[this.domain] : {};
    const begun = performance.now();
    for (const name of block.weights) {
      const { shape, data } = this.source[name];
      const added = difference[name];
      const mixed = added ? (block.buffers[name] ||= new Float32Array(data.length)) : data;
      if (added) for (let i = 0; i < mixed.length; i++) mixed[i] = data[i] + this.share * added[i];
      block.feeds[name] = new ort.Tensor("float32", mixed, shape);
    }
    if (this.domain) block.blending = expect(block.blending, performance.now() - begun);
    block.mixed = this.mixed;
  }

  get mixed() {
    return `${this.domain} ${this.share}`;
  }

  /**
   * The picture of a W+ code: {pixels: RGBA bytes, side, ran: sizes that were computed, ms}.
   * With a limit in milliseconds, the last sizes are left out if all are expected to take longer; the picture is smaller then.
   */
  async draw(ws, limit = Infinity) {
    const begun = performance.now();
    const width = this.definition.w_dim;
    const mine = this.blocks.map(({ rows }) => ws.slice(rows[0] * width, (rows[0] + rows.length) * width));
    const stale = this.blocks.findIndex((block, k) => block.mixed !== this.mixed || !same(block.ws, mine[k]));
    const last = this.lastWithin(stale, limit);
    const ran = [];
    let x = null, image = null;
    for (const [k, block] of this.blocks.slice(0, last + 1).entries()) {
      if (stale >= 0 && k >= stale) {
        if (block.mixed !== this.mixed) this.blend(block);
        const start = performance.now();
        const feeds = { ...block.feeds, ws: new ort.Tensor("float32", mine[k], [1, block.rows.length, width]) };
        if (x) Object.assign(feeds, { x, image });
        block.outputs = await block.session.run(feeds);
        block.ws = mine[k];
        block.ms = expect(block.ms, performance.now() - start);
        ran.push(block.size);
      }
      ({ x_out: x, image_out: image } = block.outputs);
    }
    for (const block of this.blocks.slice(last + 1)) block.ws = null;
    const pixels = toPixels(image.data, image.dims[2] * image.dims[3]);
    return { pixels, side: image.dims[3], ran, ms: performance.now() - begun };
  }

  /** Compute everything at the next draw. */
  forget() {
    for (const block of this.blocks) block.ws = null;
  }

  /** The last size to compute so that those from `stale` on fit the limit; at least a quarter of the whole side. */
  lastWithin(stale, limit) {
    let last = this.blocks.length - 1;
    if (stale < 0) return last;
    const least = Math.max(stale, last - 2);
    const costs = this.blocks.map((block) => block.ms + (block.mixed !== this.mixed && this.domain ? block.blending : 0));
    let expected = costs.slice(stale).reduce((sum, cost) => sum + cost, 0);
    while (last > least && expected > limit) expected -= costs[last--];
    return last;
  }
}

/** What the next run will take: believe a fast one at once and slow ones slowly, since other programs only add time. */
function expect(before, now) {
  return before && now > before ? 0.9 * before + 0.1 * now : now;
}

function same(a, b) {
  return a !== null && a.length === b.length && a.every((value, i) => value === b[i]);
}

/** Planes in [-1, 1] to RGBA bytes, rounded as iplkit.images.to_uint8 does. */
function toPixels(planes, count) {
  const pixels = new Uint8ClampedArray(4 * count); // clamps, and rounds halves to even
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) pixels[4 * i + c] = (planes[c * count + i] + 1) * 127.5;
    pixels[4 * i + 3] = 255;
  }
  return pixels;
}
