// The controls of the live page, built from live.json, and the loop that draws what they say.
import { editedWs, readEdit, startEdit } from "./edit.js";
import { Model } from "./model.js";

let count = 0; // for ids that are unique in the page

/** Load the model and put the controls in place of the frames. */
export async function start(root, base) {
  const live = new Live(root, await Model.load(base));
  await live.refresh();
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
    const { definition } = this;
    this.canvas = make("canvas", { width: Number(this.root.dataset.side), height: Number(this.root.dataset.side), role: "img" });
    this.canvas.setAttribute("aria-label", this.root.dataset.alt);
    this.time = make("p", { className: "live-time" });
    this.status = make("p", { className: "live-status", role: "status" });
    const view = make("div", { className: "live-view" }, this.canvas, this.time, this.buttons(), this.status);
    const places = Object.keys(definition.places);
    const rows = places.filter((place) => definition.places[place].length === 1 && place.startsWith("row "));
    const more = make("details", {}, make("summary", { textContent: "Single rows" }), ...rows.map((place) => this.offset(place)));
    const controls = make("div", { className: "live-controls" },
      group("Person", this.slider("seed", "seed"), this.slider("psi", "truncation ψ")),
      group("Second person", this.slider("second", "seed"), this.slider("crossover", "from row")),
      group("Domain", this.domains(), this.slider("share", "share")),
      group("Move rows along a direction", this.directions(), ...places.filter((p) => !rows.includes(p)).map((p) => this.offset(p)), more));
    this.panel = make("div", { className: "live-panel" }, view, controls);
    this.root.append(this.panel);
    this.show();
  }

  slider(name, label) {
    return this.knob(label, this.definition.ranges[name], () => this.edit[name], (value) => { this.edit[name] = value; });
  }

  offset(place) {
    const [first, ...rest] = this.definition.places[place];
    const label = rest.length ? `${place} ${first}–${rest[rest.length - 1]}` : place;
    const read = () => (this.edit.offsets[this.direction] || {})[place] || 0;
    const write = (value) => {
      const strengths = (this.edit.offsets[this.direction] ||= {});
      if (value) strengths[place] = value;
      else delete strengths[place];
      if (!Object.keys(strengths).length) delete this.edit.offsets[this.direction];
    };
    return this.knob(label, this.definition.ranges.strength, read, write);
  }

  knob(text, range, read, write) {
    const id = `live-${++count}`;
    const input = make("input", { type: "range", id, min: range.low, max: range.high, step: range.step });
    const output = make("output", {});
    output.setAttribute("for", id);
    const digits = range.step < 0.1 ? 2 : range.step < 1 ? 1 : 0;
    const show = () => {
      input.value = read();
      output.textContent = read().toFixed(digits).replace("-", "−");
    };
    input.addEventListener("input", () => { write(Number(input.value)); show(); this.refresh(); });
    this.knobs.push(show);
    this.first ||= input;
    return make("div", { className: "live-knob" }, make("label", { htmlFor: id, textContent: text }), input, output);
  }

  domains() {
    const options = [["", this.definition.source], ...Object.entries(this.definition.domains)];
    return this.menu("generator", options, () => this.edit.domain, (value) => { this.edit.domain = value; });
  }

  directions() {
    const options = this.definition.directions.map((name) => [name, name.replaceAll("_", " ")]);
    return this.menu("direction", options, () => this.direction, (value) => { this.direction = value; this.show(); });
  }

  menu(text, options, read, write) {
    const id = `live-${++count}`;
    const select = make("select", { id }, ...options.map(([value, label]) => make("option", { value, textContent: label })));
    select.addEventListener("change", () => { write(select.value); this.refresh(); });
    this.knobs.push(() => { select.value = read(); });
    return make("div", { className: "live-knob" }, make("label", { htmlFor: id, textContent: text }), select);
  }

  buttons() {
    const file = make("input", { type: "file", accept: ".json,application/json", hidden: true });
    file.addEventListener("change", async () => { if (file.files.length) await this.load(await file.files[0].text()); file.value = ""; });
    return make("div", { className: "live-buttons" },
      button("Reset", () => this.set(startEdit(this.definition))),
      button("Save edit", () => save(new Blob([JSON.stringify(this.edit, null, 1) + "\n"], { type: "application/json" }), "edit.json")),
      button("Load edit", () => file.click()),
      button("Save PNG", () => this.canvas.toBlob((blob) => save(blob, "portrait.png"))), file);
  }

  /** Take over a saved edit, or say why not. */
  async load(text) {
    try {
      await this.set(readEdit(this.definition, JSON.parse(text)));
      this.say("The edit is loaded.");
    } catch (error) {
      this.say(`This file cannot be loaded: ${error.message}`);
    }
  }

  set(edit) {
    this.edit = edit;
    this.direction = Object.keys(edit.offsets)[0] || this.direction;
    this.show();
    return this.refresh();
  }

  show() {
    this.knobs.forEach((knob) => knob());
  }

  say(sentence) {
    this.status.textContent = sentence;
  }

  /** Draw soon; while a picture is on its way, only the newest wish is kept. */
  refresh() {
    this.again = true;
    this.busy ||= this.loop().finally(() => { this.busy = null; });
    return this.busy;
  }

  async loop() {
    while (this.again) {
      this.again = false;
      try {
        await this.model.setDomain(this.edit.domain, this.edit.share);
        this.last = await this.model.draw(editedWs(this.definition, this.model.latents, this.edit));
        const { pixels, side, ran, ms } = this.last;
        this.canvas.getContext("2d").putImageData(new ImageData(pixels, side, side), 0, 0);
        if (ran.length) this.time.textContent = `${ms.toFixed(0)} ms for the layers from ${ran[0]} px on`;
      } catch (error) {
        this.say(`No picture: ${error.message}`);
      }
      await new Promise((next) => requestAnimationFrame(next));
    }
  }
}

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  if (properties.role) element.setAttribute("role", properties.role);
  element.append(...children);
  return element;
}

function group(title, ...children) {
  return make("fieldset", {}, make("legend", { textContent: title }), ...children);
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
