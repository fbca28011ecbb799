// Choose operations for a project’s images, see what they do, and run them.
import { call, clearProblem, showProblem } from "./api.js";
import { made, tried } from "./dataset.js";
import { missing, parameters, show } from "./form.js";
import { Images } from "./images.js";
import { planned, refused, tell, waits } from "./new_job/plan.js";
import { Previews } from "./previews.js";
import { t } from "./texts.js";

const page = document.getElementById("process");
const id = page.dataset.project;
const home = `/v1/projects/${id}`;
const get = (name) => document.getElementById(name);
const [form, run, operation] = [get("form"), get("run"), get("operation")];
const steps = [];
const images = new Images(id);
let settings = {};
let file = null;

const fieldsOf = (name) => form.querySelector(`fieldset[data-operation="${CSS.escape(name)}"]`);
const fields = () => fieldsOf(operation.value);
const label = (name) => [...operation.options].find((option) => option.value === name).textContent;
const step = () => ({ operation: operation.value, parameters: parameters(fields()) });

// -- previews -----------------------------------------------------------------------------------

const previews = new Previews({ file: () => file, seed: () => Number(get("seed").value) || 0, reference });
const preview = (only = null) => previews.show(fields(), only);

function reference(named) {
  if (named && named !== "auto") return { id: named, told: t("previews.compared", { name: images.named(named)?.name || named }) };
  const { reference: before, referenceName: name } = page.dataset;
  if (before) return { id: before, told: t("previews.compared_before", { name }) };
  const other = images.list.find((one) => one.id !== file.id) || file;
  return { id: other.id, told: t("previews.compared_auto", { name: other.name }) };
}

// -- the image they are shown on, and the one that it is compared with -----------------------------

async function shownOn() {
  await images.more();
  get("no-images").hidden = images.list.length > 0;
  images.choose(get("thumbs"), "shown", (problem) => showProblem(form, problem));
  [file] = images.list;
  if (!file) return;
  get("thumbs").querySelector("input").checked = true;
  get("thumbs").addEventListener("change", (event) => {
    file = images.named(event.target.value);
    preview();
  });
  for (const field of form.querySelectorAll("[name=reference]")) offerReference(field);
}

function offerReference(field) {
  const place = made("div", { class: "thumbs", role: "radiogroup", "aria-label": t("process.reference") });
  images.choose(place, "reference-image", (problem) => showProblem(form, problem));
  place.prepend(made("label", { class: "word" }, made("input", { type: "radio", name: "reference-image", value: "auto", checked: true }), made("span", {}, t("process.auto"))));
  place.addEventListener("change", (event) => { field.value = event.target.value; });
  field.addEventListener("input", () => {
    for (const box of place.querySelectorAll("input")) box.checked = box.value === field.value.trim();
  });
  field.after(place);
  field.closest(".field").classList.add("full");
}

// -- steps ----------------------------------------------------------------------------------------

function list() {
  get("steps").replaceChildren(...steps.map((one, n) => {
    const away = made("button", { type: "button", class: "quiet", "aria-label": t("process.remove_step", { number: n + 1, name: label(one.operation) }) }, t("words.remove"));
    away.addEventListener("click", () => {
      steps.splice(n, 1);
      list();
      foresee();
    });
    const told = Object.entries(one.parameters).map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`).join(", ");
    return made("li", {}, made("strong", {}, label(one.operation)), made("span", { class: "muted" }, told), away);
  }));
}

get("next").addEventListener("click", () => tried(get("next"), async () => {
  clearProblem(form);
  const wanted = [...steps, step()];
  await call("POST", "/v1/jobs?dry_run=true", body(wanted));
  steps.splice(0, steps.length, ...wanted);
  list();
  const names = [...operation.options].map((option) => option.value);
  operation.value = names.find((name) => name !== operation.value);
  refresh();
}, (problem) => showProblem(form, problem, `steps.${steps.length}.parameters.`)));

function offer() {
  for (const one of form.querySelectorAll("fieldset[data-operation]")) one.hidden = one.dataset.operation !== operation.value;
  show(fields());
  const asking = [...operation.options].filter((one) => one.dataset.asks !== undefined).map((one) => one.value);
  get("budget-field").hidden = ![operation.value, ...steps.map((one) => one.operation)].some((one) => asking.includes(one));
}

function refresh() {
  offer();
  preview();
  foresee();
}

form.addEventListener("change", (event) => {
  if (event.target.name === "shown" || event.target.closest("[data-compare]")) return;
  clearProblem(form);
  const section = event.target.closest(".one-method");
  if (section?.querySelector("[data-shots]") && !event.target.closest(".choices")) preview(section);
  else refresh();
});
form.addEventListener("input", (event) => {
  const section = event.target.closest(".one-method");
  if (event.target.type === "range" && section?.querySelector("[data-shots]")) preview(section);
});
form.addEventListener("submit", (event) => event.preventDefault());

// -- foresee, run, keep ------------------------------------------------------------------------------

function body(wanted = [...steps, step()]) {
  const { subset, split, seed, name, into, budget } = Object.fromEntries(new FormData(run));
  const asked = { project: id, steps: wanted, name };
  if (subset) asked.subset = subset;
  if (split !== "any") asked.split = split;
  if (seed !== "") asked.seed = Number(seed);
  if (into) asked.output_project = id;
  if (budget && !get("budget-field").hidden) asked.budget = Number(budget);
  return asked;
}

// A wrong parameter is said beside its field; all else where one runs.
function fail(problem) {
  const where = `steps.${steps.length}.`;
  const here = (problem.errors || []).some((one) => one.pointer.startsWith(where));
  showProblem(here ? form : run, problem, here ? `${where}parameters.` : "");
}

// It is said by itself what it would come to, a moment after each change.
function foresee() {
  if (!file) {
    waits(t("process.no_images"));
    return;
  }
  const open = missing(fields()).map(named);
  if (open.length) {
    clearProblem(form);
    waits(t("new_job.still_needed", { what: open.join(", ") }));
    return;
  }
  planned(body(), (plan, problem) => {
    clearProblem(form);
    if (!plan) {
      unready(problem);
      return;
    }
    tell(plan);
    if (plan.misfits.length) get("plan").append(made("p", { class: "error" }, t("process.misfits", { count: plan.misfits.length, message: plan.misfits[0].message })));
  });
}

const named = (field) => field.querySelector(".group-name, label").textContent.trim();

// Fields that nobody has touched yet are still to be filled in, not wrong.
function unready(problem) {
  const start = `steps.${steps.length}.parameters.`;
  const wrong = problem.errors.filter((one) => one.pointer.startsWith(start)).map(({ pointer, message }) => {
    const place = fields().querySelector(`[data-error-for="${CSS.escape(pointer.slice(start.length).split(".")[0])}"]`);
    return { place, message, field: place?.closest(".field") };
  }).filter((one) => one.field);
  const untouched = wrong.filter((one) => one.field.dataset.touched === undefined);
  for (const { place, message } of wrong.filter((one) => !untouched.includes(one))) place.textContent = message;
  const open = untouched.map((one) => named(one.field));
  if (open.length && open.length === problem.errors.length) waits(t("new_job.still_needed", { what: open.join(", ") }));
  else refused(problem.message);
}

get("keep")?.addEventListener("click", (event) => {
  clearProblem(form);
  clearProblem(run);
  tried(event.target, keep, fail);
});

for (const place of [form, run]) {
  for (const kind of ["input", "change"]) {
    place.addEventListener(kind, (event) => {
      if (event.target.name === "shown") return;
      const field = event.target.closest(".field");
      if (field) field.dataset.touched = "";
      clearProblem(run);
      foresee();
    });
  }
}

async function keep() {
  settings = (await call("PATCH", home, { settings: { ...settings, steps: [...steps, step()] } })).settings;
  get("kept").textContent = t("process.kept");
}

run.addEventListener("submit", (event) => {
  event.preventDefault();
  clearProblem(form);
  clearProblem(run);
  tried(run.querySelector("[type=submit]"), async () => {
    const job = await call("POST", "/v1/jobs", body());
    location.assign(`/jobs/${job.id}`);
  }, fail);
});

const wanted = new URLSearchParams(location.search).get("operation");
if (wanted && [...operation.options].some((option) => option.value === wanted)) operation.value = wanted;
offer();
await tried(null, async () => {
  ({ settings } = await call("GET", home));
  run.elements.seed.value = settings.seed ?? "";
  await shownOn();
  preview();
  foresee();
}, (problem) => showProblem(run, problem));
