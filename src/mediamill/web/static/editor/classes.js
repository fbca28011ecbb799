// The classes of a project beside the picture: chosen by number keys, made on the way.
import { call, clearProblem, showProblem } from "../api.js";

const PALETTE = ["#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#f032e6", "#808000", "#000075"];

export class Classes {
  constructor(project, place, readOnly) {
    Object.assign(this, { project, place, byName: new Map(), current: "" });
    place.addEventListener("change", (event) => {
      const names = [...this.byName.keys()];
      place.dispatchEvent(new CustomEvent("picked", { detail: names.indexOf(event.target.value) }));
    });
    const form = document.getElementById("new-class");
    if (!readOnly) form.addEventListener("submit", (event) => this.add(event, form));
  }

  async read() {
    const answer = await call("GET", `/v1/projects/${this.project}/classes`);
    this.byName = new Map(answer.data.map((one) => [one.name, one]));
    if (!this.byName.has(this.current)) this.current = answer.data[0]?.name || "";
    this.render();
  }

  colour(name) {
    const known = this.byName.get(name);
    return known?.colour || PALETTE[Math.abs(known?.number || 0) % PALETTE.length];
  }

  pick(n) {
    const name = [...this.byName.keys()][n];
    if (name) {
      this.current = name;
      this.place.querySelectorAll("input")[n].checked = true;
    }
    return name;
  }

  async add(event, form) {
    event.preventDefault();
    clearProblem(form);
    try {
      const made = await call("POST", `/v1/projects/${this.project}/classes`, { name: form.elements.name.value.trim() });
      this.current = made.name;
      form.reset();
      await this.read();
    } catch (problem) {
      showProblem(form, problem);
    }
  }

  render() {
    this.place.replaceChildren(...[...this.byName.values()].map((one, n) => {
      const line = document.createElement("label");
      const radio = line.appendChild(document.createElement("input"));
      Object.assign(radio, { type: "radio", name: "class", value: one.name, checked: one.name === this.current });
      const dot = line.appendChild(document.createElement("span"));
      dot.className = "dot";
      dot.style.background = this.colour(one.name);
      line.append(one.name);
      if (n < 9) {
        const key = line.appendChild(document.createElement("kbd"));
        key.textContent = n + 1;
        key.setAttribute("aria-hidden", "true");
      }
      return line;
    }));
    document.getElementById("class-names").replaceChildren(...[...this.byName.keys()].map((name) => new Option("", name)));
  }
}
