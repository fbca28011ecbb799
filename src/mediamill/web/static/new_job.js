// Make a job: files, steps, what it would come to; run it once, however often Run is pressed.
import { Problem, call } from "./api.js";
import { copied } from "./clipboard.js";
import { every } from "./dataset.js";
import { NO_NUMBER, missing } from "./form.js";
import { forget, keep, offer } from "./new_job/draft.js";
import { Inputs } from "./new_job/inputs.js";
import { picking } from "./new_job/picker.js";
import { planned, refused, tell, waits } from "./new_job/plan.js";
import { called, cleared, shown } from "./new_job/problems.js";
import { programs } from "./new_job/program.js";
import { Steps, asks } from "./new_job/steps.js";
import { Templates } from "./new_job/templates.js";
import { Previews } from "./previews.js";
import { t } from "./texts.js";

const PROGRAMMED = 100; // files that a program names one by one
const get = (id) => document.getElementById(id);
const form = get("new-job");
const run = form.querySelector("[type=submit]");
const again = JSON.parse(form.dataset.again);
const said = new URLSearchParams(location.search);
let started = false;
let sending = false;

const failed = (problem) => shown(form, steps.list, problem);
const inputs = new Inputs(changed);
const steps = new Steps(edited);
const templates = new Templates(steps, {
  changed,
  failed,
  resolved: async () => (await call("POST", "/v1/jobs?dry_run=true", body())).steps,
});

// -- the request ------------------------------------------------------------------------------------

function body() {
  const work = templates.now ? templates.body() : { steps: steps.read() };
  return { ...inputs.body(), ...work, ...more() };
}

// What a person left alone is not said.
function more() {
  const { name, output_project: project, seed, email, budget } = form.elements;
  const asked = {};
  if (name.value.trim()) asked.name = name.value.trim();
  if (project.value) asked.output_project = project.value;
  if (seed.value !== "" || seed.validity.badInput) asked.seed = number(seed);
  if (email.value) asked.notify = { email: email.value === "yes" };
  if (!form.elements.reuse.checked) asked.reuse = false;
  if (!asking()) return asked;
  if (budget.value !== "" || budget.validity.badInput) asked.budget = number(budget);
  if (form.elements.batch.checked) asked.batch = true;
  return asked;
}

const number = (field) => (field.validity.badInput ? NO_NUMBER : Number(field.value));
const asking = () => (templates.operations || steps.list.map((one) => one.operation)).some(asks);
const working = () => Boolean(templates.now) || steps.list.length > 0;
// An earlier job's steps without those that are gone would be another job.
const absent = () => !templates.now && steps.missing.length > 0;

// -- whatever changed -----------------------------------------------------------------------------------

function changed() {
  if (!started) return;
  steps.fit(inputs.types());
  get("budget-field").hidden = get("batch-field").hidden = !asking();
  get("keep").hidden = Boolean(templates.now) || !steps.list.length;
  program();
  run.disabled = sending || absent();
  form.querySelector("[data-error]").textContent = ""; // what running said was of what is changed now
  const wait = waiting();
  if (wait) {
    cleared(form);
    misfits([]);
    waits(wait);
  } else planned(body(), answered);
}

// What is to be chosen or filled in before it can be asked what it would come to.
function waiting() {
  if (inputs.empty) return working() ? t("new_job.plan_waits_files") : t("new_job.plan_waits");
  if (!working() || absent()) return t("new_job.plan_waits_steps");
  const open = templates.now ? templates.missing : steps.list.flatMap((one) => missing(one.fields).map((field) => called(field, one)));
  return open.length ? t("new_job.still_needed", { what: open.join(", ") }) : "";
}

function answered(plan, problem) {
  if (plan) {
    cleared(form, true);
    misfits(plan.misfits.map((one) => [Number(one.pointer.split(".")[1]), one.message]));
    tell(plan);
    preview();
    return;
  }
  const untouched = shown(form, steps.list, problem, true);
  const wrong = problem.errors.filter((one) => /^files\.\d+$/.test(one.pointer));
  misfits(wrong.map((one) => [Number(one.pointer.split(".")[1]), one.message]));
  if (wrong.length) get("inputs-error").textContent = "";
  if (untouched.length) waits(t("new_job.still_needed", { what: untouched.join(", ") }));
  else refused(problem.message);
}

// What somebody does to the steps is worth keeping; what the address brought is not, nor are the
// steps behind a template, whose fields do not show.
function edited() {
  if (started && !templates.now) keep(steps.read());
  changed();
}

// -- the first image before and after the first step ------------------------------------------------------

const previews = new Previews({
  file: () => inputs.images()[0] || null,
  seed: () => Number(form.elements.seed.value) || 0,
  reference: (named) => {
    const [first, other = first] = inputs.images();
    const which = named && named !== "auto" ? { id: named, name: named } : other;
    return { id: which.id, told: which === other ? t("previews.compared_auto", which) : t("previews.compared", which) };
  },
});
let pictured = "";

function preview() {
  const [first] = steps.list;
  const file = previews.file();
  steps.list.forEach((one, place) => {
    for (const pictures of one.fields.querySelectorAll(".compare")) pictures.hidden = place > 0 || !file;
  });
  const now = JSON.stringify([file?.id, first && steps.read()[0], previews.seed()]);
  if (!first || !file || templates.now || now === pictured) return;
  pictured = now;
  previews.show(first.fields);
}

// -- what will fail ---------------------------------------------------------------------------------------

let failing = [];

// Inputs that will fail are said before anything runs; files can be left out.
function misfits(found) {
  failing = found.map(([place]) => place);
  const few = found.slice(0, 5).map(([, message]) => Object.assign(document.createElement("li"), { textContent: message }));
  if (found.length) few.unshift(Object.assign(document.createElement("li"), { textContent: t("new_job.misfits", { count: found.length }) }));
  get("misfits").replaceChildren(...few);
  get("leave-out").hidden = !found.length || Boolean(inputs.source);
  if (found.length) get("leave-out").textContent = t("new_job.leave_out", { count: found.length });
}

get("leave-out").addEventListener("click", () => {
  inputs.leaveOut(failing);
  get("inputs-title").scrollIntoView({ block: "nearest" });
});

for (const kind of ["input", "change"]) {
  form.addEventListener(kind, (event) => {
    if (event.target.closest("#picker, #keep")) return;
    const field = event.target.closest(".field");
    if (field) field.dataset.touched = "";
    edited();
  });
}

// -- as a program ---------------------------------------------------------------------------------------

get("program").addEventListener("toggle", program);

function program() {
  if (!get("program").open) return;
  const ready = !inputs.empty && working();
  const many = inputs.ids.length > PROGRAMMED && !inputs.source;
  const written = ready && !many ? programs(body(), location.origin, inputs.names()) : {};
  get("program").querySelector("[data-waits]").hidden = ready;
  get("program").querySelector("[data-many]").hidden = !ready || !many;
  for (const place of get("program").querySelectorAll("[data-program]")) {
    place.hidden = !written[place.dataset.program];
    place.querySelector("code").textContent = written[place.dataset.program] || "";
  }
}

get("program").addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copied]");
  if (!button) return;
  const place = get(button.dataset.copied);
  if (await copied(place.textContent)) button.textContent = t("words.copied");
  else getSelection().selectAllChildren(place); // the browser keeps it from us: it is marked, for the keyboard
});

// -- run ----------------------------------------------------------------------------------------------

const attempt = { body: "", key: "" };

// A request that may have arrived keeps its key: sent again it is the same job.
function key(text) {
  if (attempt.body !== text) Object.assign(attempt, { body: text, key: `page-${[...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("")}` });
  return attempt.key;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (sending || absent()) return;
  const nothing = inputs.empty ? t("new_job.nothing_chosen") : working() ? "" : t("new_job.no_step");
  if (nothing) {
    cleared(form);
    form.querySelector("[data-error]").textContent = nothing;
    (inputs.empty ? get("picker").querySelector("summary") : get("steps-title")).focus();
    return;
  }
  run.disabled = sending = true;
  try {
    const asked = body();
    const job = await call("POST", "/v1/jobs", asked, { "Idempotency-Key": key(JSON.stringify(asked)) });
    attempt.body = "";
    forget();
    location.assign(`/jobs/${job.id}`);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    failed(problem);
  } finally {
    sending = false;
    run.disabled = absent();
  }
});

// -- begin ----------------------------------------------------------------------------------------------

// Projects that take results are asked for once somebody looks.
let targets = null;
const offerTargets = () => {
  targets ??= Promise.all([every("/v1/projects"), every("/v1/projects?state=shared")]).then(([own, shared]) => {
    const open = [...own, ...shared.filter((one) => one.role !== "viewer")];
    get("output-project").append(...open.map((one) => new Option(one.name, one.id)));
  });
  return targets;
};
get("more").addEventListener("toggle", () => offerTargets().catch(() => { targets = null; }));

async function asBefore({ inputs: named, steps: before, name, seed, budget, output_project: project, notify, reuse, batch }) {
  inputs.fromRequest(named);
  steps.put(before);
  Object.assign(form.elements.name, { value: name });
  Object.assign(form.elements.seed, { value: seed });
  Object.assign(form.elements.budget, { value: budget ?? "" });
  Object.assign(form.elements.email, { value: notify.email === null ? "" : notify.email ? "yes" : "no" });
  Object.assign(form.elements.reuse, { checked: reuse });
  Object.assign(form.elements.batch, { checked: batch });
  if (!project) return;
  await offerTargets();
  form.elements.output_project.value = project;
}

async function begin() {
  inputs.fromAddress(said);
  if (again) await asBefore(again);
  else if (said.get("operation")) steps.put([{ operation: said.get("operation"), parameters: {} }]);
  if (!again && !said.get("template")) offer((before) => steps.put(before));
  inputs.draw();
  steps.draw();
  started = true;
  picking(inputs, failed);
  changed();
  await templates.start(again ? "" : said.get("template") || "");
}

await begin().catch((problem) => {
  if (!(problem instanceof Problem)) throw problem;
  failed(problem);
});
