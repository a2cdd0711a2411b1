// The generator: one graph a resolution, run in order; graphs whose rows did not change are not run again.
import * as ort from "./ort.wasm.bundle.min.mjs";
import { fetchBytes, readDifference, readSafetensors } from "./files.js";

export class Model {
  /** Fetch everything that the first picture needs, all at once. */
  static async load(base) {
    const data = base + "data/";
    const definition = await (await fetchOrSay(data + "live.json")).json();
    const files = [base + "ort-wasm-simd-threaded.wasm.gz", data + definition.weights, data + definition.latents];
    for (const block of definition.blocks) files.push(`${data}block${block.size}.onnx`);
    const [wasm, weights, latents, ...graphs] = await Promise.all(files.map(fetchBytes));
    ort.env.wasm.numThreads = 1; // more need headers that plain file servers do not send
    ort.env.wasm.wasmBinary = wasm.buffer;
    const model = new Model(data, definition, readSafetensors(weights).tensors, readSafetensors(latents).tensors);
    for (const [index, block] of definition.blocks.entries()) {
      const session = await ort.InferenceSession.create(graphs[index], { executionProviders: ["wasm"] });
      model.blocks.push({ ...block, session, weights: session.inputNames.filter((name) => name in model.source), ws: null, outputs: null });
    }
    return model;
  }

  constructor(data, definition, source, latents) {
    Object.assign(this, { data, definition, source, latents, blocks: [], differences: {}, mixed: "" });
    this.now = {};
    for (const [name, { shape, data }] of Object.entries(source)) this.now[name] = new ort.Tensor("float32", data, shape);
  }

  /** Blend: 0 the source's weights, 1 those of the domain. The difference is fetched once. */
  async setDomain(name, share) {
    const wanted = name && share ? `${name} ${share}` : "";
    if (wanted === this.mixed) return;
    if (name && !this.differences[name]) {
      const shapes = Object.fromEntries(Object.entries(this.source).map(([key, tensor]) => [key, tensor.shape]));
      this.differences[name] = await readDifference(await fetchBytes(`${this.data}${name}.safetensors`), shapes);
    }
    const difference = wanted ? this.differences[name] : {};
    for (const [key, { shape, data }] of Object.entries(this.source)) {
      const added = difference[key];
      this.now[key] = new ort.Tensor("float32", added ? data.map((value, i) => value + share * added[i]) : data, shape);
    }
    this.mixed = wanted;
    for (const block of this.blocks) block.ws = null;
  }

  /** The picture of a W+ code: {pixels: RGBA bytes, ran: sizes that were computed, ms}. */
  async draw(ws) {
    const begun = performance.now();
    const width = this.definition.w_dim;
    const ran = [];
    let x = null, image = null;
    for (const block of this.blocks) {
      const first = block.rows[0] * width;
      const mine = ws.slice(first, first + block.rows.length * width);
      if (ran.length || !same(block.ws, mine)) {
        const feeds = { ws: new ort.Tensor("float32", mine, [1, block.rows.length, width]) };
        if (x) Object.assign(feeds, { x, image });
        for (const name of block.weights) feeds[name] = this.now[name];
        block.outputs = await block.session.run(feeds);
        block.ws = mine;
        ran.push(block.size);
      }
      ({ x_out: x, image_out: image } = block.outputs);
    }
    const pixels = toPixels(image.data, image.dims[2] * image.dims[3]);
    return { pixels, side: image.dims[3], ran, ms: performance.now() - begun };
  }
}

async function fetchOrSay(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error("the files of the live model were not built with this book");
  return response;
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
