// The controls of the live page, built from live.json, and the loop that draws what they say.
import { editedWs, fromRecord, startEdit, toRecord } from "./edit.js";
import { reader } from "./files.js";
import { Model } from "./model.js";

const SMOOTH = 13; // ms of graphs, so that a step of a slider takes 16: what would take longer is drawn smaller first
const PAUSE = 150; // ms without a move before the whole picture follows
let count = 0; // for ids that are unique in the page

/** Load the model and put the controls in place of the frames; stored holds the files where none can be fetched. */
export async function start(root, base, stored) {
  const live = new Live(root, await Model.load(reader(base, stored)));
  await live.refresh();
  live.model.forget();
  await live.refresh(); // the first run is slower than all later ones, and would say too much about the machine
  root.live = live; // for tests and for the curious
  root.classList.add("live-on");
  live.say("The model is ready.");
  live.first.focus();
}

class Live {
  constructor(root, model) {
    this.root = root;
    this.model = model;
    this.definition = model.definition;
    this.edit = startEdit(this.definition);
    this.direction = this.definition.directions[0];
    this.knobs = []; // functions that show the edit
    this.busy = null;
    this.again = false;
    this.build();
  }

  build() {
    this.canvas = make("canvas", { role: "img" });
    this.canvas.setAttribute("aria-label", this.root.dataset.alt);
    this.canvas.width = this.canvas.height = Number(this.root.dataset.side);
    this.time = make("p", { className: "live-time" });
    this.status = make("p", { className: "live-status", role: "status" });
    const picture = make("div", { className: "live-picture" }, this.canvas, this.time);
    const view = make("div", { className: "live-view" }, picture, this.buttons(), this.status);
    const controls = make("div", { className: "live-controls" }, ...this.definition.panel.map((group) => this.group(group)));
    this.root.append(make("div", { className: "live-panel" }, view, controls));
    this.show();
  }

  group({ title, knobs, folded }) {
    const made = knobs.map((knob) => this[knob.kind](knob));
    if (folded) return make("details", {}, make("summary", { textContent: title }), ...made);
    return make("fieldset", {}, make("legend", { textContent: title }), ...made);
  }

  number({ name, label }) {
    return this.slider(label, this.definition.ranges[name], () => this.edit[name], (value) => { this.edit[name] = value; });
  }

  place({ name, label }) {
    const read = () => (this.edit.offsets[this.direction] || {})[name] || 0;
    const write = (value) => {
      const strengths = (this.edit.offsets[this.direction] ||= {});
      if (value) strengths[name] = value;
      else delete strengths[name];
      if (!Object.keys(strengths).length) delete this.edit.offsets[this.direction];
    };
    return this.slider(label, this.definition.ranges.strength, read, write);
  }

  choice({ name, label }) {
    const { source, domains, directions } = this.definition;
    if (name === "domain")
      return this.menu(label, [["", source], ...Object.entries(domains)], () => this.edit.domain, (value) => { this.edit.domain = value; this.refresh(); });
    const options = directions.map((direction) => [direction, direction.replaceAll("_", " ")]);
    return this.menu(label, options, () => this.direction, (value) => { this.direction = value; this.show(); });
  }

  slider(text, range, read, write) {
    const id = `live-${++count}`;
    const input = make("input", { type: "range", id, min: range.low, max: range.high, step: range.step, autocomplete: "off" });
    const output = make("output", {});
    output.setAttribute("for", id);
    const digits = range.step < 0.1 ? 2 : range.step < 1 ? 1 : 0;
    const show = () => {
      input.value = read();
      output.textContent = read().toFixed(digits).replace("-", "−");
    };
    input.addEventListener("input", () => { write(Number(input.value)); show(); this.refresh(true); });
    input.addEventListener("change", () => this.refresh());
    this.knobs.push(show);
    this.first ||= input;
    return make("div", { className: "live-knob" }, make("label", { htmlFor: id, textContent: text }), input, output);
  }

  menu(text, options, read, write) {
    const id = `live-${++count}`;
    const select = make("select", { id, autocomplete: "off" }, ...options.map(([value, label]) => make("option", { value, textContent: label })));
    select.addEventListener("change", () => write(select.value));
    this.knobs.push(() => { select.value = read(); });
    return make("div", { className: "live-knob" }, make("label", { htmlFor: id, textContent: text }), select);
  }

  buttons() {
    const file = make("input", { type: "file", accept: ".json,application/json", hidden: true });
    file.addEventListener("change", async () => {
      if (file.files.length) await this.load(await file.files[0].text());
      file.value = "";
    });
    return make("div", { className: "live-buttons" },
      button("Reset", () => this.set(startEdit(this.definition))),
      button("Save this edit", () => save(new Blob([this.saved()], { type: "application/json" }), "edit.json")),
      button("Load an edit", () => file.click()),
      button("Save as PNG", async () => { await this.refresh(); this.canvas.toBlob((blob) => save(blob, "portrait.png")); }), file);
  }

  /** The edit as the text of a file. */
  saved() {
    return JSON.stringify(toRecord(this.definition, this.edit), null, 1) + "\n";
  }

  /** Take over a saved edit, or say why not. */
  async load(text) {
    try {
      await this.set(fromRecord(this.definition, parse(text)));
      this.say("The edit is loaded.");
    } catch (error) {
      this.say(`This file cannot be loaded: ${error.message}.`);
    }
  }

  set(edit) {
    this.edit = edit;
    this.direction = Object.keys(edit.offsets)[0] || this.definition.directions[0];
    this.say("");
    this.show();
    return this.refresh();
  }

  show() {
    this.knobs.forEach((knob) => knob());
  }

  say(sentence) {
    this.status.textContent = sentence;
  }

  /** Draw soon; while a picture is on its way, only the newest wish is kept. The promise ends with the whole picture. */
  refresh(dragging = false) {
    this.dragging = dragging;
    this.again = true;
    this.busy ||= this.loop().finally(() => { this.busy = null; });
    return this.busy;
  }

  async loop() {
    while (this.again) {
      this.again = false;
      try {
        const whole = await this.draw(this.dragging);
        await frame();
        if (!whole) await this.rest();
      } catch (error) {
        this.say(`No picture: ${error.message}.`);
      }
    }
  }

  /** Draw what the controls say, smaller if they are dragged and it would be late; returns whether it is the whole picture. */
  async draw(dragging) {
    const begun = performance.now();
    await this.model.setDomain(this.edit.domain, this.edit.share);
    const drawn = await this.model.draw(editedWs(this.definition, this.model.latents, this.edit), dragging ? SMOOTH : Infinity);
    const { pixels, side, ran } = drawn;
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    this.canvas.getContext("2d").putImageData(new ImageData(pixels, side, side), 0, 0);
    const whole = side === Number(this.root.dataset.side);
    if (!ran.length) return whole; // nothing had changed
    this.last = { ...drawn, ms: performance.now() - begun };
    this.time.textContent = `${this.last.ms.toFixed(0)} ms for the layers from ${ran[0]} px ${whole ? "on" : `to ${side} px`}`;
    return whole;
  }

  /** Wait for the next move; without one, ask for the whole picture. */
  async rest() {
    const end = performance.now() + PAUSE;
    while (!this.again && performance.now() < end) await frame();
    if (this.again) return;
    this.dragging = false;
    this.again = true;
  }
}

function frame() {
  return new Promise((next) => requestAnimationFrame(next));
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("an edit needs a file of JSON; this is none");
  }
}

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  if (properties.role) element.setAttribute("role", properties.role);
  element.append(...children);
  return element;
}

function button(text, action) {
  const element = make("button", { type: "button", textContent: text });
  element.addEventListener("click", action);
  return element;
}

function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
