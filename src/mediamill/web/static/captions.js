// Have captions made: choose images, say what to write, and see the captions as they come.
import { call, clearProblem, showProblem } from "./api.js";
import { card, listen } from "./captioned.js";
import { made, pause } from "./dataset.js";
import { receive } from "./dropping.js";
import { over } from "./jobs/words.js";
import { estimated } from "./money.js";
import { t } from "./texts.js";
import { upload } from "./upload.js";

const page = document.getElementById("captions");
const element = (name) => document.getElementById(name);
const form = element("ask");
const images = element("images");
const SHOWN = 100; // captions that are shown here; all are in the review
let after = "";

// -- choosing ---------------------------------------------------------------------------------------
const boxes = () => [...images.querySelectorAll("input[type=checkbox]")];
const chosen = () => boxes().filter((box) => box.checked).map((box) => box.value);

function count() {
  const all = boxes().length;
  const picked = chosen().length;
  element("all").checked = all > 0 && picked === all;
  element("all").indeterminate = picked > 0 && picked < all;
  element("chosen").textContent = picked ? t("captions.chosen", { count: picked }) : t("captions.none_chosen");
  images.previousElementSibling.hidden = !all;
  element("no-images").hidden = all > 0;
  estimate();
}

function image(file, checked) {
  const picture = made("img", { src: `/v1/files/${file.id}/thumbnail`, alt: "", loading: "lazy", decoding: "async", "data-retry": "" });
  const box = made("input", { type: "checkbox", value: file.id, checked });
  return made("li", {}, made("label", {}, picture, box, made("span", { class: "name" }, file.name)));
}

async function older() {
  const asked = new URLSearchParams({ type: "image/*", limit: 40, ...(after && { after }) });
  const found = await call("GET", `/v1/files?${asked}`);
  images.append(...found.data.filter((file) => file.state === "ready").map((file) => image(file, false)));
  after = found.has_more ? found.after : "";
  element("more-images").hidden = !after;
  count();
}

function take(files) {
  upload(files, { done(file) {
    const there = boxes().find((box) => box.value === file.id);
    if (there) there.checked = true;
    else images.prepend(image(file, true));
    count();
  } });
}

receive(element("drop"), [element("choose")], take);
images.addEventListener("change", count);
element("all").addEventListener("change", () => {
  for (const box of boxes()) box.checked = element("all").checked;
  count();
});
element("more-images").addEventListener("click", older);

// -- asking -----------------------------------------------------------------------------------------
function request() {
  const fields = form.elements;
  const several = (name) => [...form.querySelectorAll(`[name="${name}"]:checked`)].map((box) => box.value);
  const parameters = { variants: several("variants"), languages: fields.languages.value.split(",").map((one) => one.trim()).filter(Boolean) };
  for (const name of ["style", "prompt", "context"]) if (fields[name].value.trim()) parameters[name] = fields[name].value.trim();
  for (const name of ["labels", "use_name", "write_iptc"]) if (fields[name].checked) parameters[name] = true;
  if (fields.provider?.value) parameters.providers = [fields.provider.value];
  const body = { files: chosen(), steps: [{ operation: "caption", parameters }] };
  if (fields.budget.value !== "") body.budget = Number(fields.budget.value);
  return body;
}

let timer;
let turn = 0;
function estimate() {
  clearTimeout(timer);
  turn += 1;
  const now = turn;
  timer = setTimeout(async () => {
    let told = "";
    const body = request();
    if (page.dataset.ready && body.files.length) {
      const plan = await call("POST", "/v1/jobs?dry_run=true", body).catch(() => null);
      told = plan ? costs(plan) : "";
    }
    if (now === turn) element("estimate").textContent = told;
  }, 500);
}

function costs(plan) {
  const before = plan.reused ? t("captions.done_before", { count: plan.reused }) : "";
  return [estimated(plan), before].filter(Boolean).join(" · ");
}

form.addEventListener("input", estimate);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearProblem(form);
  const body = request();
  if (!body.files.length) {
    showProblem(form, { message: t("captions.choose_first"), errors: [] });
    (boxes()[0] || element("choose")).focus();
    return;
  }
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  try {
    const job = await call("POST", "/v1/jobs", body);
    history.pushState(null, "", `/captions?job=${job.id}`);
    await follow(job.id);
  } catch (problem) {
    showProblem(form, problem, problem.errors?.some((one) => one.pointer === "budget") ? "" : "steps.0.parameters.");
  } finally {
    button.disabled = false;
  }
});
addEventListener("popstate", () => location.reload());

// A language is added to those that are there.
const languages = element("all-languages");
element("pick-language").addEventListener("click", () => {
  languages.hidden = !languages.hidden;
  element("pick-language").setAttribute("aria-expanded", String(!languages.hidden));
  if (!languages.hidden) languages.focus();
});
for (const kind of ["dblclick", "keydown"]) {
  languages.addEventListener(kind, (event) => {
    if (kind === "keydown" && event.key === "Escape") element("pick-language").click();
    if ((kind === "keydown" && event.key !== "Enter") || !languages.value) return;
    event.preventDefault();
    const tags = element("languages").value.split(",").map((one) => one.trim()).filter(Boolean);
    if (!tags.includes(languages.value)) tags.push(languages.value);
    element("languages").value = tags.join(", ");
    estimate();
  });
}

// -- what was said ----------------------------------------------------------------------------------
listen(element("cards"));

async function follow(id) {
  page.dataset.job = id;
  element("made").hidden = false;
  element("choosing").hidden = true;
  element("cards").replaceChildren();
  element("job-link").href = `/jobs/${id}`;
  element("review").href = `/captions/review?job=${id}`;
  const told = element("made").querySelector("[data-error]");
  for (;;) {
    try {
      const job = await call("GET", `/v1/jobs/${id}`);
      await come(id);
      show(job);
      told.textContent = job.error;
      if (over(job)) {
        await failures(id, job.counts.failed);
        return;
      }
    } catch (problem) {
      told.textContent = problem.message;
      if (problem.status) return;
    }
    await pause(1000);
  }
}

function show(job) {
  const { succeeded, reused, failed } = job.counts;
  element("state").textContent = t("jobs.state", { which: job.state });
  element("state").className = `badge ${job.state}`;
  element("progress").value = job.progress.fraction;
  element("progress").className = job.state;
  const parts = [t("captions.done_of", { done: succeeded + reused, count: job.items })];
  if (reused) parts.push(t("jobs.reused_count", { count: reused }));
  if (failed) parts.push(t("jobs.failed_count", { count: failed }));
  element("summary").textContent = parts.join(" · ");
  const more = succeeded + reused - SHOWN;
  element("more-made").hidden = more <= 0;
  if (more > 0) element("more-made").textContent = t("captions.and_more", { count: more });
}

async function come(id) {
  const list = element("cards");
  if (list.children.length >= SHOWN) return;
  const page = await call("GET", `/v1/captions?job=${id}&limit=${SHOWN}`);
  const there = new Map([...list.children].map((one) => [one.dataset.caption, one]));
  for (const [n, row] of page.data.entries()) {
    if (!there.has(row.id)) list.insertBefore(card(row, ["copy", "edit", "undo"]), list.children[n] || null);
  }
}

async function failures(id, count) {
  const list = element("failures");
  list.hidden = !count;
  if (!count) return;
  const page = await call("GET", `/v1/jobs/${id}/items?state=failed&limit=50`);
  list.replaceChildren(...page.data.map((item) => made("li", {}, made("strong", {}, item.name), made("span", {}, item.result?.error || ""))));
}

if (page.dataset.job) follow(page.dataset.job);
else if (page.dataset.ready) await older().catch((problem) => showProblem(form, problem));
