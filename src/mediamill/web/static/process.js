// Choose operations for a project’s images, see what they do, and run them.
import { call, clearProblem, showProblem, size } from "./api.js";
import { made, many, tried } from "./dataset.js";
import { chosen, parameters, show } from "./form.js";
import { Images } from "./images.js";
import { estimated, sure } from "./money.js";
import { latest, pictured } from "./preview.js";

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
const step = () => ({ operation: operation.value, parameters: parameters(fields()) });

// -- previews -----------------------------------------------------------------------------------

const ask = (name, parts, whole = false) => call("POST", `/v1/operations/${name}/preview`, { file: file.id, parameters: parts, seed: Number(get("seed").value) || 0, whole });

// Each method that is chosen, alone, at both ends and in the middle of its ranges.
function shots(section) {
  const method = section.dataset.is;
  const name = section.closest("fieldset").dataset.operation;
  const all = parameters(section.closest("fieldset"));
  const own = new Set([...section.querySelectorAll("[data-name], [name]")].map((one) => one.dataset.name || one.name));
  const common = ["fill", "border", "interpolation"];
  const parts = Object.fromEntries(Object.entries(all).filter(([one]) => own.has(one) || common.includes(one)));
  const error = section.querySelector("[data-shots-error]");
  latest(section, async (current) => {
    const { data: [before, ...rest] } = await ask(name, { ...parts, methods: [method] });
    if (!current()) return;
    error.textContent = "";
    replace(section.querySelector("[data-shots]"), rows(rest, (several, title) => [...(several ? [title] : []), shot(before)]));
  }, (problem) => { error.textContent = problem.message; });
}

// A line of pictures for each parameter, with something at its head.
function rows(list, head) {
  const found = new Map();
  for (const one of list) found.set(one.parameter, [...(found.get(one.parameter) || []), one]);
  return [...found].map(([name, shown]) => made("div", { class: "shot-row" },
    ...head(found.size > 1, made("h4", {}, name.replaceAll("_", " "))), ...shown.map(shot)));
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
  const name = place.closest("fieldset").dataset.operation;
  const [pictures, slider, error] = [".pictures", "input", "[data-shots-error]"].map((one) => place.querySelector(one));
  const say = (told, wrong = "") => {
    pictures.hidden = slider.hidden = !told;
    place.querySelector("[data-told]").textContent = told;
    error.textContent = wrong;
  };
  const drawn = Boolean(place.dataset.compare);
  if (drawn && !chosen(place.closest("fieldset"), place.dataset.compare).length) {
    say("");
    return;
  }
  latest(place, async (current) => {
    const other = reference(place.closest("fieldset"));
    const { data: [before, after] } = await ask(name, compared(name, other), true);
    if (!current()) return;
    const [over, under] = [place.querySelector(".before"), place.querySelector(".after")];
    for (const [image, one] of [[over, before], [under, after]]) {
      if (image.src) URL.revokeObjectURL(image.src);
      image.src = pictured(one.image);
    }
    pictures.style.aspectRatio = `${before.width} / ${before.height}`;
    say(["Before on the left, after on the right", drawn && "as one copy may become", other?.told].filter(Boolean).join(", ").concat("."));
  }, (problem) => {
    say("", problem.message);
  });
}

const compared = (name, other) => ({ ...parameters(fieldsOf(name)), ...(other && { reference: other.id }) });

// What the numbers that its methods go by do, each from the least to the most.
function vary(place) {
  const name = place.closest("fieldset").dataset.operation;
  latest(place, async (current) => {
    const other = reference(place.closest("fieldset"));
    const { data } = await ask(name, compared(name, other));
    if (current()) replace(place, rows(data.filter((one) => one.parameter), (_, title) => [title]));
  }, () => replace(place, []));
}

// What previews are compared with, by the set not being looked at for them; undefined where nothing is.
function reference(fieldset) {
  const field = fieldset.querySelector("[name=reference]");
  if (!field) return undefined;
  const named = field.value.trim();
  if (named && named !== "auto") return { id: named, told: `compared with ${images.named(named)?.name || named}` };
  const { reference: before, referenceName: name } = page.dataset;
  if (before) return { id: before, told: `compared with ${name}, which auto chose in the last job` };
  const other = images.list.find((one) => one.id !== file.id) || file;
  return { id: other.id, told: `compared with ${other.name}: what auto chooses is known once a job has looked at all images` };
}

function part(pictures, percent) {
  pictures.style.setProperty("--part", `${percent}%`);
  pictures.parentElement.querySelector("input").value = percent;
}

form.addEventListener("input", (event) => {
  const pictures = event.target.closest("[data-compare]")?.querySelector(".pictures");
  if (pictures) part(pictures, event.target.value);
});
for (const kind of ["pointerdown", "pointermove"]) {
  form.addEventListener(kind, (event) => {
    const pictures = event.target.closest(".pictures");
    if (!pictures || event.buttons !== 1) return;
    const { left, width } = pictures.getBoundingClientRect();
    part(pictures, Math.round(Math.min(1, Math.max(0, (event.clientX - left) / width)) * 100));
    event.preventDefault();
  });
}

function preview(only = null) {
  if (!file) return;
  for (const section of only ? [only] : fields().querySelectorAll(".one-method:not([hidden])")) if (section.querySelector("[data-shots]")) shots(section);
  for (const [place, action] of [["[data-compare]", compare], ["[data-rows]", vary]]) {
    const found = fields().querySelector(place);
    if (found) action(found);
  }
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
  const place = made("div", { class: "thumbs", role: "radiogroup", "aria-label": "Reference among the images" });
  images.choose(place, "reference-image", (problem) => showProblem(form, problem));
  place.prepend(made("label", { class: "word" }, made("input", { type: "radio", name: "reference-image", value: "auto", checked: true }), made("span", {}, "auto")));
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
  for (const one of form.querySelectorAll("fieldset[data-operation]")) one.hidden = one.dataset.operation !== operation.value;
  show(fields());
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
  await shownOn();
  preview();
}, (problem) => showProblem(run, problem));
