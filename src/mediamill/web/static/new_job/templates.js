// Templates: steps that were kept under a name. One is taken with its variables, or its steps are.
import { call } from "../api.js";
import { every, made, tried } from "../dataset.js";
import { t } from "../texts.js";
import { moment } from "../times.js";
import { label } from "./steps.js";

const get = (id) => document.getElementById(id);
const path = (id) => `/v1/templates/${encodeURIComponent(id)}`;

export class Templates {
  constructor(steps, { changed, resolved, failed }) {
    Object.assign(this, { steps, changed, resolved, failed, all: new Map(), now: null, from: null });
    get("template").addEventListener("change", () => this.use(this.all.get(get("template").value) || null));
    get("variables").addEventListener("input", () => this.changed());
    get("edit-steps").addEventListener("click", (event) => tried(event.target, () => this.edit(), failed));
    get("versions").addEventListener("toggle", () => {
      if (get("versions").open) tried(null, () => this.versions(), failed);
    });
    get("save-new").addEventListener("click", (event) => tried(event.target, () => this.save(null), unsaved));
    get("update-template").addEventListener("click", (event) => tried(event.target, () => this.save(this.from), unsaved));
    for (const field of [get("template-name"), get("template-description")]) {
      field.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault(); // which would run the job
        get("save-new").click();
      });
    }
  }

  // The lists, and one that the address names, by id or name.
  async start(wanted) {
    const lists = await Promise.all(["", "?state=shared", "?state=everybody"].map((one) => every(`/v1/templates${one}`)));
    const titles = [t("new_job.own_templates"), t("new_job.shared_templates"), t("new_job.public_templates")];
    lists.forEach((found, n) => this.list(titles[n], found));
    if (wanted) this.use(this.all.get(wanted) || this.note(await call("GET", path(wanted))));
  }

  list(title, found) {
    const fresh = found.filter((one) => !this.all.has(one.id));
    if (!fresh.length) return;
    const group = [...get("template").querySelectorAll("optgroup")].find((one) => one.label === title) || made("optgroup", { label: title });
    for (const one of fresh) {
      this.all.set(one.id, one);
      group.append(new Option(one.name, one.id));
    }
    get("template").append(group);
    get("template-field").hidden = false;
  }

  note(template) {
    this.list(t("new_job.shared_templates"), [template]);
    return template;
  }

  use(template) {
    Object.assign(this, { now: template, from: null });
    get("template").value = template?.id || "";
    get("from-template").hidden = get("versions").hidden = !template;
    get("keep").hidden = Boolean(template);
    this.steps.hide(Boolean(template));
    get("versions").open = false;
    if (template) this.draw(template);
    this.updating();
    this.changed();
  }

  draw({ version, by, description, steps, variables }) {
    const about = get("from-template").querySelector("[data-about]");
    about.textContent = [description, t("new_job.template_about", { version, by })].filter(Boolean).join(" ");
    get("from-template").querySelector("[data-does]").textContent = t("new_job.template_steps", { steps: steps.map((one) => label(one.operation)).join(" → ") });
    get("variables").replaceChildren(...Object.entries(variables).map(([name, one]) => field(name, one)));
  }

  get operations() {
    return this.now ? this.now.steps.map((one) => one.operation) : null;
  }

  body() {
    const variables = {};
    for (const input of get("variables").querySelectorAll("input")) {
      if (input.value !== "") variables[input.dataset.variable] = value(input.dataset.type, input.value);
    }
    return { template: this.now.id, ...(Object.keys(variables).length && { variables }) };
  }

  // What it must be given and was not.
  get missing() {
    const named = (input) => input.dataset.variable;
    return this.now ? [...get("variables").querySelectorAll("input[data-required]")].filter((input) => input.value === "").map(named) : [];
  }

  // Its steps become one's own, with the variables filled in where it has some.
  async edit() {
    const template = this.now;
    const bound = Object.keys(template.variables).length > 0;
    this.own(bound ? await this.resolved() : template.steps, bound ? null : template);
  }

  own(steps, from) {
    this.use(null);
    this.from = from?.role === "viewer" ? null : from;
    this.updating();
    this.steps.put(steps);
    get("steps").querySelector("h3")?.focus();
  }

  updating() {
    get("update-template").hidden = !this.from;
    if (this.from) get("update-template").textContent = t("new_job.update_template", { name: this.from.name });
  }

  async versions() {
    const template = this.now;
    const { data } = await call("GET", `${path(template.id)}/versions?limit=50`);
    get("version-list").replaceChildren(...data.map((one) => {
      const take = made("button", { type: "button", "aria-label": t("new_job.version_name", { version: one.version }), disabled: Object.keys(one.variables).length > 0 }, t("new_job.use_version"));
      take.addEventListener("click", () => this.own(one.steps, template));
      const when = moment(one.created_at);
      return made("li", {}, made("span", {}, t("new_job.version_line", { version: one.version, when })),
        made("span", { class: "muted" }, one.steps.map((step) => label(step.operation)).join(" → ")), take);
    }));
  }

  async save(template) {
    unsaved({ message: "" });
    const steps = this.steps.read();
    const saved = template
      ? await call("PATCH", path(template.id), { steps })
      : await call("POST", "/v1/templates", { name: get("template-name").value.trim(), description: get("template-description").value, steps });
    this.all.delete(saved.id);
    get("template").querySelector(`option[value="${CSS.escape(saved.id)}"]`)?.remove();
    this.list(t("new_job.own_templates"), [saved]);
    this.from = saved;
    this.updating();
    get("template-saved").textContent = template
      ? t("new_job.saved_version", { name: saved.name, version: saved.version })
      : t("new_job.saved_new", { name: saved.name });
  }
}

function unsaved({ message }) {
  get("template-name-error").textContent = message;
  get("template-saved").textContent = "";
  get("template-name").toggleAttribute("aria-invalid", Boolean(message));
  if (message) get("template-name").focus();
}

function field(name, { type, required, default: given, description }) {
  const id = `variable-${name}`;
  const help = [description, given === null || given === undefined ? "" : t("new_job.if_empty", { value: text(given) }), required ? t("new_job.variable_needed") : ""];
  return made("div", { class: "field" }, made("label", { for: id }, name),
    made("input", { id, "data-variable": name, "data-type": type, ...(required && { "data-required": "" }), autocomplete: "off", "aria-describedby": `${id}-help ${id}-error` }),
    made("p", { class: "help", id: `${id}-help` }, help.filter(Boolean).join(" ")),
    made("p", { class: "error", id: `${id}-error`, "data-error-for": `variables.${name}` }));
}

const text = (given) => (typeof given === "string" ? given : JSON.stringify(given));

function value(type, said) {
  if (type === "string") return said;
  try {
    return JSON.parse(said);
  } catch {
    return said;
  }
}
