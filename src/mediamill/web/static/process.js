// Choose operations for a project’s images, see what they do, and run them.
import { call, clearProblem, showProblem, size } from "./api.js";
import "./page.js";
import { made, many, tried } from "./dataset.js";
import { parameters, show } from "./form.js";
import { estimated, sure } from "./money.js";
import { latest, pictured } from "./preview.js";

const page = document.getElementById("process");
const id = page.dataset.project;
const home = `/v1/projects/${id}`;
const get = (name) => document.getElementById(name);
const [form, run, operation] = [get("form"), get("run"), get("operation")];
const steps = [];
let settings = {};
let file = null;

const fields = () => form.querySelector(`fieldset[data-operation="${CSS.escape(operation.value)}"]`);
const step = () => ({ operation: operation.value, parameters: parameters(form, operation.value) });

// -- previews -----------------------------------------------------------------------------------

const ask = (parts) => call("POST", `/v1/operations/${operation.value}/preview`, { file: file.id, parameters: parts, seed: Number(get("seed").value) || 0 });

// Each method that is chosen, alone, at both ends and in the middle of its ranges.
function shots(section) {
  const method = section.dataset.is;
  const all = parameters(form, operation.value);
  const own = new Set([...section.querySelectorAll("[data-name], [name]")].map((one) => one.dataset.name || one.name));
  const common = ["fill", "border", "interpolation"];
  const parts = Object.fromEntries(Object.entries(all).filter(([name]) => own.has(name) || common.includes(name)));
  const place = section.querySelector("[data-shots]");
  const error = section.querySelector("[data-shots-error]");
  latest(section, async (current) => {
    const { data } = await ask({ ...parts, methods: [method] });
    if (!current()) return;
    error.textContent = "";
    const [before, ...rest] = data;
    const rows = Map.groupBy ? Map.groupBy(rest, (one) => one.parameter) : grouped(rest);
    const lines = [...rows].map(([name, shown]) => made("div", { class: "shot-row" },
      ...(rows.size > 1 ? [made("h4", {}, name.replaceAll("_", " "))] : []), shot(before), ...shown.map(shot)));
    replace(place, lines);
  }, (problem) => { error.textContent = problem.message; });
}

function grouped(list) {
  const found = new Map();
  for (const one of list) found.set(one.parameter, [...(found.get(one.parameter) || []), one]);
  return found;
}

function shot(one) {
  const value = one.value === null ? "" : ` ${Number(one.value.toPrecision(3))}`;
  const told = `${one.place}${value}`;
  return made("figure", {}, made("img", { src: pictured(one.image), alt: told, width: one.width, height: one.height }), made("figcaption", {}, told));
}

function replace(place, lines) {
  for (const image of place.querySelectorAll("img")) URL.revokeObjectURL(image.src);
  place.replaceChildren(...lines);
}

// The whole of an operation, before and after, with a slider between.
function compare(place) {
  const [pictures, slider] = [place.querySelector(".pictures"), place.querySelector("input")];
  const error = place.querySelector("[data-shots-error]");
  latest(place, async (current) => {
    const { data } = await ask(parameters(form, operation.value));
    if (!current()) return;
    error.textContent = "";
    const [before, after] = data;
    const [over, under] = [place.querySelector(".before"), place.querySelector(".after")];
    for (const [image, one] of [[over, before], [under, after]]) {
      if (image.src) URL.revokeObjectURL(image.src);
      image.src = pictured(one.image);
    }
    pictures.style.aspectRatio = `${before.width} / ${before.height}`;
    pictures.hidden = slider.hidden = false;
    place.querySelector("[data-told]").textContent = "Before on the left, after on the right.";
  }, (problem) => {
    pictures.hidden = slider.hidden = true;
    place.querySelector("[data-told]").textContent = "";
    error.textContent = problem.message;
  });
}

form.addEventListener("input", (event) => {
  const pictures = event.target.closest("[data-compare]")?.querySelector(".pictures");
  if (pictures) pictures.style.setProperty("--part", `${event.target.value}%`);
});

function preview(only = null) {
  if (!file) return;
  if (only) shots(only);
  else {
    for (const section of fields().querySelectorAll(".one-method:not([hidden])")) if (section.querySelector("[data-shots]")) shots(section);
    const whole = fields().querySelector("[data-compare]");
    if (whole) compare(whole);
  }
}

// -- the image they are shown on ------------------------------------------------------------------

async function images() {
  const { data } = await call("GET", `${home}/files?subset=original&limit=16`);
  const shown = data.filter((one) => one.links.thumbnail);
  get("no-images").hidden = shown.length > 0;
  get("thumbs").replaceChildren(...shown.map((one, n) => made("div", {},
    made("label", { title: one.name },
      made("input", { type: "radio", name: "shown", value: one.id, checked: n === 0, "aria-label": one.name }),
      made("img", { src: one.links.thumbnail, alt: "", "data-retry": "" })))));
  [file] = shown;
  get("thumbs").addEventListener("change", (event) => {
    file = shown.find((one) => one.id === event.target.value);
    preview();
  });
  const reference = form.querySelector("[name=reference]");
  if (reference && shown.length) {
    const button = made("button", { type: "button", class: "quiet" }, "Use the image of the previews");
    button.addEventListener("click", () => {
      reference.value = file.id;
      preview();
    });
    reference.after(button);
  }
}

// -- steps ----------------------------------------------------------------------------------------

function list() {
  get("steps").replaceChildren(...steps.map((one, n) => {
    const away = made("button", { type: "button", class: "quiet", "aria-label": `Remove step ${n + 1}, ${one.operation}` }, "Remove");
    away.addEventListener("click", () => {
      steps.splice(n, 1);
      list();
    });
    const told = Object.entries(one.parameters).map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`).join(", ");
    return made("li", {}, made("strong", {}, one.operation), made("span", { class: "muted" }, told), away);
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
  show(form, operation.value);
  const asking = [...operation.options].filter((one) => one.dataset.asks !== undefined).map((one) => one.value);
  get("budget-field").hidden = ![operation.value, ...steps.map((one) => one.operation)].some((one) => asking.includes(one));
}

function refresh() {
  offer();
  preview();
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

// -- estimate, run, keep ------------------------------------------------------------------------------

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

async function estimate() {
  const plan = await call("POST", "/v1/jobs?dry_run=true", body());
  const parts = [`${plan.at_least ? "at least " : ""}${many(plan.items, "image")}, ${size(plan.bytes)}`, `about ${time(plan.core_seconds)} of one core`];
  parts.splice(1, 0, plan.outputs === null ? "how many results is not known before" : `${plan.at_least ? "at least " : sure(plan.outputs_are)}${many(plan.outputs, "result")}`);
  if (plan.asks.length) parts.push(estimated(plan));
  if (plan.reused) parts.push(`${many(plan.reused, "result")} of before will be taken over`);
  if (plan.misfits.length) parts.push(`${many(plan.misfits.length, "input")} will fail: ${plan.misfits[0].message}`);
  get("plan").textContent = `${parts.join("; ")}.`;
}

const time = (seconds) => (seconds < 90 ? `${Math.max(1, Math.ceil(seconds))} s` : `${Math.ceil(seconds / 60)} min`);

for (const [button, action] of [["estimate", estimate], ["keep", keep]]) {
  get(button)?.addEventListener("click", (event) => {
    clearProblem(form);
    clearProblem(run);
    tried(event.target, action, fail);
  });
}

async function keep() {
  settings = (await call("PATCH", home, { settings: { ...settings, steps: [...steps, step()] } })).settings;
  get("kept").textContent = "Kept: versions can be made with these steps.";
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
tried(null, async () => {
  ({ settings } = await call("GET", home));
  run.elements.seed.value = settings.seed ?? "";
  await images();
  preview();
}, (problem) => showProblem(run, problem));
