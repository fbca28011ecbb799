// The steps of a job: chosen as cards, each with its form, moved and removed.
import { fill, parameters, show } from "../form.js";
import { t } from "../texts.js";
import { toast } from "../toast.js";
import { returned } from "./taking_back.js";

const get = (id) => document.getElementById(id);
const cards = [...document.querySelectorAll("[data-choose]")];
const card = (operation) => cards.find((one) => one.dataset.choose === operation);
export const label = (operation) => card(operation)?.dataset.label || operation;
export const asks = (operation) => card(operation)?.dataset.asks !== undefined;

let made = 0;

export class Steps {
  constructor(changed) {
    Object.assign(this, { changed, list: [], missing: [], choosing: false, away: false });
    get("missing").querySelector("button").addEventListener("click", () => {
      this.missing = [];
      this.draw();
      this.changed();
      get("steps-title").focus();
    });
    for (const one of cards) one.addEventListener("click", () => this.choose(one.dataset.choose));
    get("then").addEventListener("click", () => {
      this.choosing = true;
      this.draw();
      cards.find((one) => !one.closest("li").hidden)?.focus();
    });
    get("choose-off").addEventListener("click", () => {
      this.choosing = false;
      this.draw();
      get("then").focus();
    });
    get("steps").addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      if (button) this[button.dataset.do](this.list.findIndex((one) => one.element.contains(button)));
    });
    get("steps").addEventListener("change", (event) => {
      const step = this.list.find((one) => one.element.contains(event.target));
      if (step) show(step.fields);
    });
  }

  read() {
    return this.list.map((one) => ({ operation: one.operation, parameters: parameters(one.fields) }));
  }

  // Put steps in the place of those that are there. Those that are not known here are missing, until
  // somebody says what is done instead, or that they are left out.
  put(steps) {
    this.missing = steps.filter((one) => !card(one.operation)).map((one) => one.operation);
    this.list = steps.filter((one) => card(one.operation)).map((one) => this.made(one.operation, one.parameters));
    this.choosing = false;
    this.draw();
    this.changed();
  }

  choose(operation) {
    this.list.push(this.made(operation));
    Object.assign(this, { missing: [], choosing: false });
    this.draw();
    this.changed();
    this.list.at(-1).element.querySelector("h3").focus();
  }

  made(operation, values = {}) {
    made += 1;
    const element = get("step").content.cloneNode(true).firstElementChild;
    const fields = element.querySelector("fieldset");
    fields.dataset.operation = operation;
    fields.append(fresh(operation, made));
    fill(fields, values);
    return { operation, element, fields };
  }

  up(place) { this.move(place, -1, "up", "down"); }

  down(place) { this.move(place, 1, "down", "up"); }

  move(place, by, way, other) {
    const { list } = this;
    [list[place], list[place + by]] = [list[place + by], list[place]];
    this.draw();
    this.changed();
    const tools = list[place + by].element;
    const button = tools.querySelector(`[data-do="${way}"]`);
    (button.disabled ? tools.querySelector(`[data-do="${other}"]`) : button).focus();
  }

  reset(place) {
    const step = this.list[place];
    made += 1;
    step.fields.replaceChildren(fresh(step.operation, made));
    show(step.fields);
    this.changed();
  }

  remove(place) {
    const before = [...this.list];
    const [gone] = this.list.splice(place, 1);
    this.draw();
    this.changed();
    (this.list[Math.min(place, this.list.length - 1)]?.element.querySelector("h3") || get("steps-title")).focus();
    toast(t("new_job.removed_step", { name: label(gone.operation) }), { undo: async () => {
      this.list = returned(this.list, before, new Set([gone]));
      this.draw();
      this.changed();
    } });
  }

  // Show or hide the whole: a template has steps of its own.
  hide(away) {
    this.away = away;
    this.draw();
  }

  draw() {
    const { list } = this;
    list.forEach((one, place) => {
      const name = label(one.operation);
      one.element.querySelector("[data-number]").textContent = list.length > 1 ? t("new_job.step_number", { number: place + 1 }) : "";
      one.element.querySelector("[data-name]").textContent = name;
      const tools = { up: t("new_job.step_up", { name }), down: t("new_job.step_down", { name }), reset: t("new_job.step_reset", { name }), remove: t("new_job.step_remove", { name }) };
      for (const [what, told] of Object.entries(tools)) one.element.querySelector(`[data-do="${what}"]`).setAttribute("aria-label", told);
      one.element.querySelector('[data-do="up"]').disabled = place === 0;
      one.element.querySelector('[data-do="down"]').disabled = place === list.length - 1;
      for (const way of ["up", "down"]) one.element.querySelector(`[data-do="${way}"]`).hidden = list.length < 2;
      // What stands right already is left alone: what is moved loses the focus.
      if (get("steps").children[place] !== one.element) get("steps").insertBefore(one.element, get("steps").children[place] || null);
    });
    while (get("steps").children.length > list.length) get("steps").lastElementChild.remove();
    const last = list.at(-1);
    const following = cards.filter((one) => !last || follows(card(last.operation).dataset.gives, one.dataset.accepts));
    for (const one of cards) one.closest("li").hidden = !following.includes(one);
    get("missing").hidden = this.away || !this.missing.length;
    get("missing").querySelector("p").textContent = this.missing.length ? t("new_job.missing", { count: this.missing.length, names: this.missing.join(", ") }) : "";
    get("steps").hidden = this.away;
    get("choose").hidden = this.away || (list.length > 0 && !this.choosing);
    get("then").hidden = this.away || !last || this.choosing || !following.length;
    get("last-step").hidden = this.away || !last || following.length > 0;
    get("choose-title").hidden = Boolean(last);
    get("then-title").hidden = get("choose-off").hidden = !last;
  }

  // Put cards last that are not for the files that are chosen, as far as these are known, and say so.
  fit(types) {
    const fits = (one) => this.list.length > 0 || !types.length || types.some((type) => follows(type, one.dataset.accepts));
    for (const one of cards) {
      one.classList.toggle("not-fitting", !fits(one));
      one.querySelector(".unfit").hidden = fits(one);
    }
    const wanted = [...cards.filter(fits), ...cards.filter((one) => !fits(one))].map((one) => one.closest("li"));
    const place = wanted[0].parentElement;
    if (wanted.some((one, n) => place.children[n] !== one)) place.append(...wanted);
  }
}

// The same rule as the service's: some media type fits both.
function overlap(one, other) {
  const [a, b] = [one.split("/"), other.split("/")];
  return a.every((part, n) => part.includes("*") || b[n].includes("*") || part === b[n]);
}

function follows(gives, accepts) {
  return gives !== "" && (accepts === "" || accepts.split(" ").some((kind) => overlap(gives, kind)));
}

// The fields of an operation, whose ids are those of this step alone.
function fresh(operation, number) {
  const fields = document.querySelector(`[data-fields-of="${CSS.escape(operation)}"]`).content.cloneNode(true);
  for (const name of ["id", "for", "aria-describedby", "aria-labelledby"]) {
    for (const one of fields.querySelectorAll(`[${name}]`)) {
      one.setAttribute(name, one.getAttribute(name).split(" ").map((id) => `step${number}-${id}`).join(" "));
    }
  }
  return fields;
}
