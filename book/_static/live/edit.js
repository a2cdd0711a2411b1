// A setting of the controls, checked and turned into W+. The twin of iplkit/web/controls.py.

const NUMBERS = ["seed", "psi", "second", "crossover", "share"];

/** The setting that the page opens with. */
export function startEdit(definition) {
  const edit = { kind: definition.kind, domain: "", offsets: {} };
  for (const name of NUMBERS) edit[name] = definition.ranges[name].start;
  return edit;
}

/** A saved edit, checked; throws a sentence about what does not fit. */
export function readEdit(definition, record) {
  if (typeof record !== "object" || record === null || record.kind !== definition.kind)
    throw new Error(`a saved edit needs the line "kind": "${definition.kind}"; there is none`);
  const edit = startEdit(definition);
  for (const name of NUMBERS) if (name in record) edit[name] = hold(definition.ranges[name], name, record[name]);
  edit.domain = record.domain ?? "";
  if (edit.domain !== "" && !Object.hasOwn(definition.domains, edit.domain))
    throw new Error(`domain must be one of ${Object.keys(definition.domains).join(", ")} or empty; got ${JSON.stringify(edit.domain)}`);
  for (const [direction, strengths] of Object.entries(record.offsets ?? {})) {
    if (!definition.directions.includes(direction)) throw new Error(`a direction is one of ${definition.directions.join(", ")}; got ${JSON.stringify(direction)}`);
    edit.offsets[direction] = {};
    for (const [place, value] of Object.entries(strengths)) {
      if (!Object.hasOwn(definition.places, place)) throw new Error(`a place is one of ${Object.keys(definition.places).join(", ")}; got ${JSON.stringify(place)}`);
      edit.offsets[direction][place] = hold(definition.ranges.strength, `${direction} at ${place}`, value);
    }
  }
  return edit;
}

function hold(range, name, value) {
  if (typeof value !== "number" || !(value >= range.low && value <= range.high))
    throw new Error(`${name} must lie in ${range.low} to ${range.high}; got ${JSON.stringify(value)}`);
  if (range.step === 1 && !Number.isInteger(value)) throw new Error(`${name} needs a whole number; got ${value}`);
  return value;
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
