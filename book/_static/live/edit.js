// A setting of the controls: how a file names it, how it is checked, and the W+ code that it means.
// The twin of iplkit/edit/edits.py and iplkit/web/controls.py; definition is what the latter wrote to live.json.
// Here an edit is {seed, psi, ..., domain, offsets: direction -> place -> strength}.

const NEEDED = ["kind", "version", "model", "latent"];
const ALSO = ["domain", "directions", "moves"];

/** The sliders for parts of the edit, in the order of the panel. */
export function numbers(definition) {
  return definition.panel.flatMap((group) => group.knobs).filter((knob) => knob.kind === "number");
}

/** The setting that the page opens with. */
export function startEdit(definition) {
  const edit = { domain: "", offsets: {} };
  for (const { name } of numbers(definition)) edit[name] = definition.ranges[name].start;
  return edit;
}

/** The edit as a file holds it. */
export function toRecord(definition, edit) {
  const parts = { latent: {}, domain: edit.domain ? { ...definition.models[edit.domain] } : {} };
  for (const { name, part } of numbers(definition)) parts[part][name] = edit[name];
  const record = { kind: definition.kind, version: definition.version, model: definition.models[definition.model], latent: parts.latent };
  if (edit.domain) record.domain = parts.domain;
  const moves = [];
  for (const [direction, strengths] of Object.entries(edit.offsets))
    for (const [place, strength] of Object.entries(strengths)) if (strength) moves.push({ direction, rows: definition.places[place], strength });
  if (moves.length) Object.assign(record, { directions: definition.origin, moves });
  return record;
}

/** The edit that a file holds; throws a sentence about what does not fit. */
export function fromRecord(definition, record) {
  if (!isObject(record) || record.kind !== definition.kind) throw new Error(`a saved edit needs the line "kind": "${definition.kind}"; there is none`);
  if (record.version !== definition.version) throw new Error(`a saved edit needs version ${definition.version}; got ${shown(record.version)}`);
  parts(record, "a saved edit", NEEDED, ALSO);
  model(definition, record.model, "model", ["name", "sha256"]);
  const edit = startEdit(definition);
  const held = { latent: record.latent };
  parts(record.latent, "the latent", names(definition, "latent"));
  if ("domain" in record) {
    edit.domain = model(definition, record.domain, "domain", ["name", "sha256", ...names(definition, "domain")]);
    held.domain = record.domain;
  }
  const moves = record.moves ?? [];
  if (!Array.isArray(moves)) throw new Error(`moves need to be a list; got ${shown(moves)}`);
  if (moves.length && !same(record.directions, definition.origin))
    throw new Error(`the directions need to be those of ${shown(definition.origin)}; got ${shown(record.directions)}`);
  for (const { name, part } of numbers(definition)) if (held[part]) edit[name] = number(held[part][name], name, definition.ranges[name]);
  for (const move of moves) add(definition, edit, move);
  return edit;
}

function names(definition, part) {
  return numbers(definition).filter((knob) => knob.part === part).map((knob) => knob.name);
}

function parts(record, what, needed, also = []) {
  if (!isObject(record)) throw new Error(`${what} needs the parts ${needed.join(", ")}; got ${shown(record)}`);
  for (const name of needed) if (!Object.hasOwn(record, name)) throw new Error(`${what} needs the part ${name}; there is none`);
  for (const name of Object.keys(record))
    if (![...needed, ...also].includes(name)) throw new Error(`${what} has the parts ${[...needed, ...also].join(", ")}; got also ${shown(name)}`);
}

function model(definition, record, what, needed) {
  parts(record, `the ${what}`, needed);
  const domains = Object.keys(definition.models).filter((name) => name !== definition.model);
  const allowed = what === "domain" ? domains : [definition.model];
  if (!allowed.includes(record.name)) throw new Error(`the ${what} needs to be ${what === "domain" ? "one of " : ""}${allowed.join(", ")}; got ${shown(record.name)}`);
  const { sha256 } = definition.models[record.name];
  if (record.sha256 !== sha256) throw new Error(`the edit was made for another ${record.name}: it needs sha256 ${shown(record.sha256)}, and here is ${shown(sha256)}`);
  return record.name;
}

/** Put a move on the sliders: at the group that has its rows, else row by row. */
function add(definition, edit, move) {
  parts(move, "a move", ["direction", "rows", "strength"]);
  const { direction, rows, strength } = move;
  if (!definition.directions.includes(direction)) throw new Error(`a direction is one of ${definition.directions.join(", ")}; got ${shown(direction)}`);
  if (!Array.isArray(rows) || !rows.length || new Set(rows).size < rows.length)
    throw new Error(`rows need to be a list of row numbers, each once; got ${shown(rows)}`);
  for (const row of rows) number(row, "a row", { low: 0, high: definition.num_ws - 1, step: 1 });
  number(strength, "strength");
  const sorted = [...rows].sort((a, b) => a - b);
  const place = Object.keys(definition.places).find((name) => same(definition.places[name], sorted));
  const strengths = (edit.offsets[direction] ||= {});
  for (const name of place ? [place] : sorted.map((row) => `row ${row}`))
    strengths[name] = number((strengths[name] || 0) + strength, `${direction} at ${name}`, definition.ranges.strength);
}

function number(value, name, range = { low: -Infinity, high: Infinity, step: 0 }) {
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Error(`${name} needs a number; got ${shown(value)}`);
  if (range.step === 1 && !Number.isInteger(value)) throw new Error(`${name} needs a whole number; got ${shown(value)}`);
  if (value < range.low || value > range.high) throw new Error(`${name} must lie in ${range.low} to ${range.high}; got ${shown(value)}`);
  return value;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value) {
  return JSON.stringify(value ?? null);
}

/** Equal as JSON, whatever the order of the parts. */
function same(a, b) {
  if (!isObject(a) || !isObject(b)) return JSON.stringify(a) === JSON.stringify(b);
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

/** The W+ code of a setting, Float32Array of rows times width: truncate, mix by rows, add the offsets. */
export function editedWs(definition, latents, edit) {
  const width = definition.w_dim;
  const ws = new Float32Array(definition.num_ws * width);
  for (let row = 0; row < definition.num_ws; row++) {
    const from = (row < edit.crossover ? edit.seed : edit.second) * width;
    for (let k = 0; k < width; k++) {
      const middle = latents.w_avg.data[k];
      ws[row * width + k] = middle + edit.psi * (latents.w.data[from + k] - middle);
    }
  }
  for (const [direction, strengths] of Object.entries(edit.offsets)) {
    const from = definition.directions.indexOf(direction) * width;
    for (const [place, strength] of Object.entries(strengths))
      for (const row of definition.places[place])
        for (let k = 0; k < width; k++) ws[row * width + k] += strength * latents.directions.data[from + k];
  }
  return ws;
}
