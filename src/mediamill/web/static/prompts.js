// Ask about files: with a prompt or a template, per file or together; the answers follow.
import { follow } from "./answers.js";
import { Problem, call, clearProblem, showProblem, size } from "./api.js";
import { asked as confirmed } from "./asking.js";
import { made, tried } from "./dataset.js";
import { cost, estimated } from "./money.js";
import { inputs, start } from "./prompt_files.js";
import * as kept from "./prompt_templates.js";
import { t } from "./texts.js";

const page = document.getElementById("prompts");
const get = (name) => document.getElementById(name);
const form = get("ask");
const field = form.elements;
const NUMBERS = ["temperature", "max_tokens", "max_pages", "continuations"];
const EXAMPLE = {
  type: "object",
  properties: { title: { type: "string" }, topics: { type: "array", items: { type: "string" } }, words: { type: "integer" } },
  required: ["title", "topics"],
};
let editing = null; // the template that is being changed
const known = {}; // what was said of variables: their defaults and descriptions

const way = () => form.querySelector("[name=with]:checked").value;

// -- what is asked --------------------------------------------------------------------------------

// The operation's parameters as the form has them; what was left alone is the operation's business.
function parameters() {
  const found = { prompt: field.prompt.value };
  if (field.system.value) found.system = field.system.value;
  if (field.group.value) found.group = true;
  if (field.model.value) found.model = field.model.value;
  if (field.pages.value !== "auto") found.pages = field.pages.value;
  for (const name of NUMBERS) {
    if (field[name].validity.badInput) found[name] = "?"; // for the service to say that it is no number
    else if (field[name].value !== "") found[name] = Number(field[name].value);
  }
  const schema = field.output_schema.value.trim();
  if (schema) found.output_schema = read(schema);
  return found;
}

function read(text) {
  if (/^\$\{\w+\}$/.test(text)) return text; // a variable of a template
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Problem(422, { detail: "", errors: [{ pointer: "prompt.output_schema", message: t("prompts.no_json", { message: error.message }) }] });
  }
}

function fill(asked) {
  for (const name of ["prompt", "system", "model"]) field[name].value = asked[name] || "";
  if (field.model.selectedIndex < 0) field.model.value = "";
  field.pages.value = asked.pages || "auto";
  field.group.value = asked.group ? "all" : "";
  for (const name of NUMBERS) field[name].value = asked[name] ?? "";
  const schema = asked.output_schema;
  field.output_schema.value = schema ? (typeof schema === "string" ? schema : JSON.stringify(schema, null, 2)) : "";
  get("schema-part").open = Boolean(schema);
  get("more-part").open = Boolean(asked.system);
}

async function work() {
  if (way() === "template") {
    if (!field.template.value) throw wrong("template", t("prompts.choose_template"));
    return { template: field.template.value, variables: kept.values(get("variables")) };
  }
  const asked = parameters();
  const [open] = kept.open(...texts());
  if (open && !await confirmed(t("prompts.open", { name: open }), t("prompts.open_told"), t("prompts.open_it"))) return null;
  return { prompt: asked };
}

const texts = () => [field.prompt.value, field.system.value, field.output_schema.value];
const wrong = (pointer, message) => new Problem(422, { detail: message, errors: [{ pointer, message }] });

function source() {
  const chosen = page.dataset.job ? JSON.parse(page.dataset.inputs) : inputs();
  if (!chosen) throw new Problem(422, { detail: t("prompts.choose_first") });
  return chosen;
}


// What is sent; null where somebody thought better of it.
async function body() {
  const chosen = source();
  const wanted = await work();
  const { budget } = field;
  if (budget.validity.badInput) throw wrong("budget", t("prompts.budget_number"));
  return wanted && { ...chosen, ...wanted, ...(budget.value !== "" && { budget: Number(budget.value) }) };
}

const prefix = () => (way() === "template" ? "variables." : "prompt.");
const fail = (problem) => showProblem(form, problem, ["template", "budget"].includes(problem.errors?.[0]?.pointer) ? "" : prefix());

form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearProblem(form);
  tried(form.querySelector("[type=submit]"), async () => {
    const asked = await body();
    if (!asked) return;
    const job = await call("POST", "/v1/jobs", asked);
    history.pushState(null, "", `/prompts/${job.id}`);
    follow(job);
    remember(job);
    get("answers-part").scrollIntoView({ block: "start" });
    get("plan").textContent = "";
  }, fail);
});
// Among the recent answers, as the page would have it the next time.
function remember(job) {
  const asked = job.steps.at(-1).parameters;
  const line = made("li", {}, made("a", { href: `/prompts/${job.id}` }, made("span", { class: "name" }, job.name || asked.prompt || asked.system)));
  get("recent").prepend(line);
  get("no-recent").hidden = true;
}
addEventListener("popstate", () => location.reload());

get("estimate")?.addEventListener("click", (event) => {
  clearProblem(form);
  tried(event.target, async () => {
    const asked = await body();
    if (!asked) return;
    const plan = await call("POST", "/v1/jobs?dry_run=true", asked);
    get("plan").textContent = comesTo(plan).filter(Boolean).join(" · ");
  }, fail);
});

// In words: what a job would come to.
function comesTo(plan) {
  const files = { count: plan.items, size: size(plan.bytes) };
  const parts = [plan.at_least ? t("prompts.plan_files_least", files) : t("prompts.plan_files", files), estimated(plan)];
  for (const { input_tokens: sent, output_tokens: said } of plan.asks) parts.push(t("prompts.plan_tokens", { sent, said }));
  if (plan.budget !== null) parts.push(t("prompts.plan_budget", { cost: cost(plan.budget) }));
  if (plan.reused) parts.push(t("prompts.plan_reused", { count: plan.reused }));
  if (plan.misfits.length) parts.push(t("prompts.plan_misfits", { count: plan.misfits.length, message: plan.misfits[0].message }));
  return parts;
}

// -- the schema -------------------------------------------------------------------------------------

get("example").addEventListener("click", () => {
  field.output_schema.value = JSON.stringify(EXAMPLE, null, 2);
  get("schema-told").textContent = "";
});
get("check").addEventListener("click", (event) => {
  clearProblem(form);
  get("schema-told").textContent = "";
  tried(event.target, async () => {
    const schema = read(field.output_schema.value.trim() || "null");
    if (schema === null) throw wrong("prompt.output_schema", t("prompts.schema_none"));
    await call("POST", "/v1/operations/prompt/check", { parameters: { prompt: "?", output_schema: schema } });
    field.output_schema.value = JSON.stringify(schema, null, 2);
    get("schema-told").textContent = t("prompts.schema_good");
  }, (problem) => showProblem(form, problem, (problem.errors?.[0]?.pointer || "").startsWith("parameters.") ? "parameters." : "prompt."));
});
field.output_schema.addEventListener("input", () => { get("schema-told").textContent = ""; });

// -- templates --------------------------------------------------------------------------------------

function show() {
  for (const one of form.querySelectorAll("[data-with]")) one.hidden = one.dataset.with !== way();
}

function list() {
  const groups = new Map();
  for (const one of kept.templates()) groups.set(one.group, [...(groups.get(one.group) || []), one]);
  const chosen = field.template.value;
  field.template.replaceChildren(new Option(t("prompts.choose_one"), ""), ...[...groups].map(([name, own]) => made("optgroup", { label: t("prompts.group", { which: name }) }, ...own.map((one) => new Option(one.name, one.id)))));
  field.template.value = kept.called(chosen) ? chosen : "";
  kept.gallery({ use, edit, changed: reload });
  choose();
}

async function reload() {
  await kept.load();
  list();
}

// Show what a template leaves open, and what it asks.
function choose() {
  const one = kept.called(field.template.value);
  kept.variables(get("variables"), one);
  get("template-actions").hidden = !one;
  get("template-text").hidden = !one;
  get("edit").hidden = !one || one.role === "viewer" || !kept.plain(one);
  get("copy").hidden = !one || !kept.plain(one);
  const lines = one ? one.steps.flatMap((step) => Object.entries(step.parameters).map(([name, value]) => [one.steps.length > 1 ? `${step.operation}: ${name}` : name, value])) : [];
  get("template-text").querySelector("dl").replaceChildren(...lines.map(([name, value]) => made("div", {}, made("dt", {}, name), made("dd", {}, typeof value === "string" ? value : JSON.stringify(value)))));
}

function use(one) {
  form.querySelector("[name=with][value=template]").checked = true;
  field.template.value = one.id;
  show();
  choose();
  (get("variables").querySelector("[data-variable]") || field.template).focus();
}

function edit(one) {
  begin(one.steps.at(-1).parameters, one.variables);
  editing = one;
  field.name.value = one.name;
  field.description.value = one.description;
  saving();
}

function begin(asked, variables = {}) {
  editing = null;
  Object.assign(known, variables);
  form.querySelector("[name=with][value=prompt]").checked = true;
  fill(asked);
  field.name.value = field.description.value = "";
  show();
  saving();
  field.prompt.focus();
}

// Say what is being changed, and ask for the defaults of what is left open.
function saving() {
  const names = kept.open(...texts());
  get("editing").hidden = !editing;
  get("editing").textContent = editing ? t("prompts.editing", { name: editing.name }) : "";
  get("save-new").hidden = !editing;
  if (editing || names.length) get("save-part").open = true;
  const there = [...get("defaults").querySelectorAll("[data-default-of]")].map((one) => one.dataset.defaultOf);
  if (there.join() === names.join()) return;
  for (const one of get("defaults").querySelectorAll("[data-default-of]")) known[one.dataset.defaultOf] = said(one);
  get("defaults").replaceChildren(...names.map((name) => {
    const before = known[name] || { default: null, description: "" };
    const given = before.default === null || before.default === undefined ? "" : String(before.default);
    return made("div", { class: "grid", "data-default-of": name },
      made("div", { class: "field" }, made("label", { for: `default-${name}` }, t("prompts.default_of", { name })), made("input", { id: `default-${name}`, value: given, placeholder: t("prompts.must_be_given") })),
      made("div", { class: "field" }, made("label", { for: `about-${name}` }, t("prompts.about_of", { name })), made("input", { id: `about-${name}`, value: before.description || "", maxlength: "500" })));
  }));
}

function said(place) {
  const [given, about] = [...place.querySelectorAll("input")].map((input) => input.value);
  const before = known[place.dataset.defaultOf];
  const type = before?.type && before.type !== "string" && String(before.default ?? "") === given ? before.type : "string";
  const value = given === "" ? null : type === "string" ? given : before.default;
  return { type, default: value, description: about };
}

async function save(as) {
  clearProblem(form);
  const places = [...get("defaults").querySelectorAll("[data-default-of]")];
  const wanted = {
    name: field.name.value.trim(),
    description: field.description.value,
    steps: [{ operation: "prompt", parameters: parameters() }],
    variables: Object.fromEntries(places.map((one) => [one.dataset.defaultOf, said(one)])),
  };
  if (!wanted.name) throw wrong("name", t("prompts.give_name"));
  const one = as ? await call("PATCH", `/v1/templates/${as.id}`, wanted) : await call("POST", "/v1/templates", wanted);
  await reload();
  use(kept.called(one.id));
  get("saved").textContent = t("words.saved");
  editing = null;
  saving();
}

const unsaved = (problem) => showProblem(form, problem, (problem.errors?.[0]?.pointer || "").startsWith("steps.") ? "steps.0.parameters." : "");
get("save").addEventListener("click", (event) => tried(event.target, () => save(editing), unsaved));
get("save-new").addEventListener("click", (event) => tried(event.target, () => save(null), unsaved));
get("edit").addEventListener("click", () => edit(kept.called(field.template.value)));
get("copy").addEventListener("click", () => {
  const one = kept.called(field.template.value);
  begin(one.steps[0].parameters, one.variables);
});
field.template.addEventListener("change", choose);
form.addEventListener("change", (event) => { if (event.target.name === "with") show(); });
form.addEventListener("input", (event) => {
  get("saved").textContent = "";
  get("plan").textContent = "";
  if (["prompt", "system", "output_schema"].includes(event.target.name)) saving();
});

// -- begin ------------------------------------------------------------------------------------------

const problems = (problem) => showProblem(form, problem);
fill(JSON.parse(page.dataset.asked));
show();
const coming = [tried(null, reload, problems)];
if (page.dataset.job) tried(null, async () => follow(await call("GET", `/v1/jobs/${page.dataset.job}`)), problems);
else coming.push(tried(null, () => start(() => { get("plan").textContent = ""; }), problems));
await Promise.all(coming);
