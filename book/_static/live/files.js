// Files of the live page: read whole, unpacked, and safetensors turned into typed arrays.

/** A function of a file's name: from the copies that the page brought, base64 by name, or else fetched from the folder `base`. */
export function reader(base, stored) {
  return async (name) => {
    const url = stored ? `data:application/octet-stream;base64,${stored[name] ?? ""}` : base + name;
    const response = await fetch(url);
    if (!response.ok || (stored && !(name in stored))) throw new Error(missing(name));
    const bytes = new Uint8Array(await response.arrayBuffer());
    return bytes[0] === 0x1f && bytes[1] === 0x8b ? unpack(bytes, "gzip") : bytes; // a server may have undone it already
  };
}

function missing(name) {
  return name === "data/live.json" ? "the files of the live model were not built with this book" : `${name} is missing`;
}

/** Undo "gzip" or "deflate" (zlib). */
export async function unpack(bytes, format) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** {tensors: name -> {shape, data}, record}; half precision becomes float32, whole numbers stay. */
export function readSafetensors(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const length = Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const tensors = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [first, last] = entry.data_offsets;
    tensors[name] = { shape: entry.shape, data: decode(bytes.slice(8 + length + first, 8 + length + last), entry.dtype) };
  }
  const record = (header.__metadata__ || {}).iplkit;
  return { tensors, record: record ? JSON.parse(record) : {} };
}

function decode(bytes, dtype) {
  if (dtype === "F32") return new Float32Array(bytes.buffer);
  if (dtype === "F16") return Float32Array.from(new Uint16Array(bytes.buffer), halfToFloat);
  if (dtype === "U8") return bytes;
  throw new Error(`a tensor of type ${dtype} cannot be read here`);
}

/** IEEE half precision, as 16 bits, to a number. */
export function halfToFloat(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * What an adapted generator adds, synthesis tensor -> Float32Array.
 * Kernels are packed whole numbers times a step per output channel; vectors are stored as they are
 * (see iplkit/stylegan2/differences.py).
 */
export async function readDifference(bytes, shapes) {
  const { tensors, record } = readSafetensors(bytes);
  const packed = new Int8Array((await unpack(tensors.packed.data, "deflate")).buffer);
  delete tensors.packed;
  const added = {};
  let start = 0;
  for (const name of record.order) {
    const steps = tensors[name].data;
    const size = shapes[bare(name)].reduce((a, b) => a * b, 1);
    const each = size / steps.length;
    const values = new Float32Array(size);
    for (let i = 0; i < size; i++) values[i] = packed[start + i] * steps[Math.floor(i / each)];
    added[bare(name)] = values;
    start += size;
    delete tensors[name];
  }
  for (const [name, tensor] of Object.entries(tensors)) added[bare(name)] = tensor.data;
  return added;
}

function bare(name) {
  if (!name.startsWith("synthesis.")) throw new Error(`only the synthesis can differ here, not ${name}`);
  return name.slice("synthesis.".length);
}
