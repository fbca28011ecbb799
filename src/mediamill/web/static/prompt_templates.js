// Templates of prompts: a gallery, what they leave open, and with whom they are shared.
import { call, clearProblem, showProblem } from "./api.js";
import { asked } from "./asking.js";
import { every, made, tried } from "./dataset.js";
import { t } from "./texts.js";

const get = (name) => document.getElementById(name);
const GROUPS = ["own", "shared", "everybody"];
const PLACE = /\$(\$)?\{([A-Za-z_][A-Za-z0-9_]{0,63})\}/g;
let found = [];

export const templates = () => found;
export const called = (id) => found.find((one) => one.id === id);

// The names that a text leaves open, once each.
export function open(...texts) {
  const names = texts.flatMap((text) => [...text.matchAll(PLACE)].filter(([, twice]) => !twice).map(([, , name]) => name));
  return [...new Set(names)];
}

// Whether a form can hold it: a prompt alone, with variables in its texts only.
export function plain(one) {
  if (one.steps.length > 1) return false;
  const { prompt, system, output_schema: schema, ...rest } = one.steps[0].parameters;
  return !open(JSON.stringify(rest)).length;
}

export async function load() {
  const lists = await Promise.all(GROUPS.map((group) => every(`/v1/templates?operation=prompt${group === "own" ? "" : `&state=${group}`}`)));
  found = [];
  for (const [n, list] of lists.entries()) {
    for (const one of list) if (!called(one.id)) found.push({ ...one, group: GROUPS[n] });
  }
}

// -- the gallery --------------------------------------------------------------------------------

export function gallery({ use, edit, changed }) {
  get("no-templates").hidden = found.length > 0;
  get("gallery").replaceChildren(...GROUPS.flatMap((group) => {
    const own = found.filter((one) => one.group === group);
    return own.length ? [made("h3", {}, t("prompts.group", { which: group })), made("ul", { class: "templates" }, ...own.map((one) => card(one, { use, edit, changed })))] : [];
  }));
}

function card(one, { use, edit, changed }) {
  const actions = made("div", { class: "actions" }, act(one, "use", () => use(one)));
  if (one.role !== "viewer" && plain(one)) actions.append(act(one, "edit", () => edit(one)));
  if (one.role === "owner") {
    actions.append(act(one, "share", () => sharing(one, changed)));
    actions.append(act(one, "delete", async () => {
      if (!await asked(t("prompts.delete", { name: one.name }), t("prompts.delete_told"), t("words.delete"))) return;
      await call("DELETE", `/v1/templates/${one.id}`);
      await changed();
    }));
  } else if (one.group === "shared") {
    actions.append(act(one, "leave", async () => {
      if (!await asked(t("prompts.leave", { name: one.name }), t("settings.leave_ask_told"), t("prompts.do", { which: "leave" }))) return;
      await call("DELETE", `/v1/templates/${one.id}/shares/${get("prompts").dataset.user}`);
      await changed();
    }));
  }
  const { version } = one;
  const about = one.role === "owner" ? t("prompts.version", { version }) : t("prompts.version_by", { by: one.by || t("prompts.somebody"), version });
  return made("li", {}, made("strong", {}, one.name), made("span", { class: "muted" }, about),
    one.description ? made("p", { class: "help" }, one.description) : null, actions);
}

function act(one, which, action) {
  const button = made("button", { type: "button", class: "quiet", "aria-label": t("prompts.do_named", { which, name: one.name }) }, t("prompts.do", { which }));
  button.addEventListener("click", () => {
    get("gallery-error").textContent = "";
    tried(button, action, (problem) => { get("gallery-error").textContent = problem.message; });
  });
  return button;
}

// -- sharing --------------------------------------------------------------------------------------

const dialog = get("share");
const form = get("share-form");
let shared = null;
let told = async () => {};

async function sharing(one, changed) {
  shared = one;
  told = changed;
  get("share-title").textContent = t("prompts.do_named", { which: "share", name: one.name });
  clearProblem(form);
  form.reset();
  await shares();
  dialog.showModal();
}

dialog.addEventListener("click", (event) => { if (event.target.closest("[data-close]")) dialog.close(); });
const failed = (problem) => showProblem(form, problem);
const give = (user, role) => call("POST", `/v1/templates/${shared.id}/shares`, { user, role });

form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearProblem(form);
  tried(form.querySelector("[type=submit]"), () => add(form.elements.user.value.trim()), failed);
});
get("share-all").addEventListener("click", (event) => {
  clearProblem(form);
  tried(event.target, () => add("everybody"), failed);
});

async function add(user) {
  await give(user, form.elements.role.value);
  form.elements.user.value = "";
  await shares();
  await told();
}

async function shares() {
  const all = await every(`/v1/templates/${shared.id}/shares`, 500);
  get("alone").hidden = all.length > 0;
  get("shares").replaceChildren(...all.map((one) => {
    const name = one.user === "everybody" ? t("words.everybody") : one.email || one.name || one.user;
    const role = made("select", { "aria-label": t("settings.share_role", { name }) }, ...["viewer", "editor"].map((which) => new Option(t("prompts.role_short", { which }), which)));
    role.value = one.role;
    role.addEventListener("change", () => tried(role, () => give(one.user, role.value), failed));
    const away = made("button", { type: "button", class: "quiet", "aria-label": t("settings.unshare_one", { name }) }, t("words.remove"));
    away.addEventListener("click", () => tried(away, async () => {
      await call("DELETE", `/v1/templates/${shared.id}/shares/${one.user}`);
      await shares();
      await told();
    }, failed));
    return made("li", { class: "row" }, made("div", { class: "about" }, made("span", { class: "name" }, name)), role, away);
  }));
}

// -- variables ------------------------------------------------------------------------------------

// A field for each variable that a template leaves open.
export function variables(place, template) {
  place.replaceChildren(...Object.entries(template?.variables || {}).map(([name, one]) => {
    const id = `variable-${name}`;
    const field = control(one, id, name);
    field.setAttribute("aria-describedby", `${id}-help ${id}-error`);
    const label = made("label", { for: id }, one.required ? name : t("prompts.optional", { name }));
    return made("div", { class: "field" }, label, field,
      made("p", { class: "help", id: `${id}-help` }, one.description), made("p", { class: "error", id: `${id}-error`, "data-error-for": name }));
  }));
}

function control(one, id, name) {
  const shown = one.default === null ? "" : text(one.default);
  if (one.type === "boolean") {
    const field = made("select", { id, "data-variable": name, "data-type": one.type }, new Option(t("prompts.as_template"), ""), new Option(t("prompts.yes_no", { which: "yes" }), "true"), new Option(t("prompts.yes_no", { which: "no" }), "false"));
    return field;
  }
  if (one.type === "integer" || one.type === "number") {
    return made("input", { id, type: "number", step: one.type === "integer" ? "1" : "any", "data-variable": name, "data-type": one.type, placeholder: shown });
  }
  return made("textarea", { id, rows: "2", "data-variable": name, "data-type": one.type, placeholder: shown });
}

const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));

// What is filled in; what is left empty is the template's own.
export function values(place) {
  const given = {};
  for (const field of place.querySelectorAll("[data-variable]")) {
    const { variable, type } = field.dataset;
    if (field.value === "") continue;
    given[variable] = type === "string" ? field.value : read(field.value);
  }
  return given;
}

function read(value) {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
