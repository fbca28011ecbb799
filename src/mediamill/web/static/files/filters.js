// The conditions of a list of files: in the form, as chips, and in the address, so that Back takes them back.
import { made } from "../dataset.js";
import { t } from "../texts.js";
import { day } from "../times.js";

const TYPING = 250; // milliseconds after a letter until it is searched for

const CHIPS = {
  source: (which) => t("files.source", { which }),
  state: (which) => t("files.state", { which }),
  tag: (tag) => t("files.tagged", { tag }),
  since: (time) => t("files.since", { day: day(time) }),
  until: (time) => t("files.until", { day: day(time) }),
};

export class Filters {
  // `leaving` gives what the address before is to remember; `changed` is told what it remembered.
  constructor(form, chips, { leaving, changed }) {
    const names = new Set([...form.elements].map((field) => field.name).filter(Boolean));
    Object.assign(this, { form, chips, leaving, changed, names: [...names] });
    this.fill();
    form.addEventListener("input", (event) => {
      if (event.target.name === "name") this.later(TYPING);
      else if (event.target.name === "kind") this.go();
    });
    form.addEventListener("change", (event) => {
      if (event.target.name !== "name" && event.target.name !== "kind") this.go();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.go();
      this.close();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && event.target.closest("details[open]")) this.close();
    });
    document.addEventListener("pointerdown", (event) => {
      if (!event.target.closest(".more-filters")) this.form.querySelector("details").open = false;
    });
    chips.addEventListener("click", (event) => {
      const { drop } = event.target.closest("button")?.dataset || {};
      if (drop === undefined) return;
      if (drop) this.put(drop, "");
      else this.clear();
      this.go();
      (this.chips.querySelector("button") || this.form.elements.name).focus();
    });
    addEventListener("popstate", (event) => {
      this.fill();
      this.changed(event.state || {});
    });
  }

  close() {
    const panel = this.form.querySelector("details");
    if (panel.open) panel.querySelector("summary").focus();
    panel.open = false;
  }

  // Radio buttons are set one by one: together they take no empty value.
  put(name, value) {
    const field = this.form.elements[name];
    if (!(field instanceof RadioNodeList)) field.value = value;
    else for (const one of field) one.checked = one.value === value;
  }

  clear() {
    for (const name of this.names) this.put(name, "");
  }

  later(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.go(), milliseconds);
  }

  // From the address into the form.
  fill() {
    const asked = this.query;
    for (const name of this.names) this.put(name, asked.get(name) || "");
    this.show();
  }

  // From the form into the address: letters that follow each other are one step of Back.
  go() {
    clearTimeout(this.timer);
    const asked = this.said();
    const text = asked.toString();
    if (text === this.query.toString()) return;
    const typing = this.query.has("name") && asked.has("name") && history.state?.typed;
    const state = { typed: asked.get("name") !== this.query.get("name") };
    if (typing && state.typed) history.replaceState(state, "", text ? `?${text}` : location.pathname);
    else {
      history.replaceState({ ...history.state, ...this.leaving() }, "");
      history.pushState(state, "", text ? `?${text}` : location.pathname);
    }
    this.show();
    this.changed({});
  }

  said() {
    const asked = new URLSearchParams();
    for (const name of this.names) {
      const value = this.form.elements[name].value.trim();
      if (value) asked.set(name, value);
    }
    return asked;
  }

  // As the address has them, as far as the form has them too.
  get query() {
    const asked = new URLSearchParams();
    const given = new URLSearchParams(location.search);
    for (const name of this.names) if (this.holds(name, given.get(name))) asked.set(name, given.get(name));
    return asked;
  }

  // Whether a field takes a value: a list only its options, a day only a day.
  holds(name, value) {
    const field = this.form.elements[name];
    if (!value) return false;
    if (field instanceof RadioNodeList) return [...field].some((one) => one.value === value);
    const trial = field.cloneNode(true);
    trial.value = value;
    return trial.value === value;
  }

  // As the API wants them: days are times there, and the last day is meant as a whole.
  get conditions() {
    const asked = this.query;
    for (const { name, dataset } of this.form.querySelectorAll("input[type=date]")) {
      if (asked.has(name)) asked.set(name, midnight(asked.get(name), Number(dataset.days)));
    }
    return asked;
  }

  get any() {
    return this.query.size > 0;
  }

  show() {
    const shown = [...this.query].filter(([name]) => CHIPS[name]);
    this.form.querySelector("[data-count]").textContent = shown.length || "";
    const chips = shown.map(([name, value]) => chip(CHIPS[name](value), name));
    if (this.query.size > 1) chips.push(made("button", { type: "button", class: "quiet", "data-drop": "" }, t("files.clear")));
    this.chips.replaceChildren(...chips);
  }
}

// When a day begins here, so many days later, as the API reads it.
function midnight(text, days) {
  const [year, month, date] = text.split("-").map(Number);
  const moment = new Date(year, month - 1, date + days);
  return Number.isNaN(moment.valueOf()) ? text : moment.toISOString();
}

function chip(text, name) {
  const away = made("button", { type: "button", "data-drop": name, "aria-label": t("files.drop_filter", { filter: text }) }, "×");
  return made("span", { class: "chip" }, text, away);
}
