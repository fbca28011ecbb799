// The list of jobs: those under way first, live; the others newest first, more as one scrolls.
import { call } from "../api.js";
import { every, tried } from "../dataset.js";
import { cancel, remove, restore, retry } from "./acts.js";
import { follow } from "./live.js";
import { row, show } from "./row.js";
import { shot } from "./shots.js";
import { nameOf, older, over, stateText } from "./words.js";
import { t } from "../texts.js";
import { toast } from "../toast.js";

const PAGE = 20;
const AHEAD = 400; // pixels below what is seen
const element = (id) => document.getElementById(id);
const form = element("filters");
const now = element("now").querySelector("ul");
const rest = element("rest").querySelector("ul");
const rows = new Map(); // by job
let [after, round, asking] = ["", 0, false];

// -- filters, which stand in the address ---------------------------------------------------------

const filters = () => [...new FormData(form)].filter(([, value]) => value.trim());
const filtered = () => filters().length > 0;
const state = () => form.elements.state.value;

function fromAddress() {
  const said = new URLSearchParams(location.search);
  for (const control of form.elements) if (control.name) control.value = said.get(control.name) || "";
}

function changed() {
  const said = new URLSearchParams(filters());
  history.replaceState(null, "", said.size ? `?${said}` : location.pathname);
  reload();
}

// -- rows ------------------------------------------------------------------------------------------

// A job that is under way stands above; with another filter than all, everything is one list.
const above = (job) => !over(job) && !job.deleted_at && ["", "unfinished"].includes(state());

// Rows sort by their ids, which sort by time.
function put(job) {
  let line = rows.get(job.id);
  if (line && older(job, line.job)) return;
  if (line) show(line, job);
  else rows.set(job.id, (line = row(job)));
  const list = above(job) ? now : rest;
  if (line.parentElement !== list) {
    const held = line.contains(document.activeElement) ? document.activeElement : null;
    list.insertBefore(line, [...list.children].find((other) => other.job.id < job.id) || null);
    held?.focus();
  }
  shot(line);
}

function drop(id) {
  rows.get(id)?.remove();
  rows.delete(id);
}

function tidy() {
  element("now").hidden = !now.children.length;
  element("rest").hidden = !rest.children.length;
  element("rest-title").hidden = !now.children.length;
  const none = after === null && !rows.size;
  element("nothing").hidden = !none || filtered();
  element("no-match").hidden = !none || !filtered();
  element("more").hidden = after === null;
  element("clear").hidden = !filtered();
}

// -- reading -----------------------------------------------------------------------------------------

function address(extra) {
  return `/v1/jobs?${new URLSearchParams([...filters(), ...Object.entries(extra)])}`;
}

async function reload() {
  round += 1;
  const mine = round;
  [after, asking] = ["", false];
  for (const id of [...rows.keys()]) drop(id);
  if (!state()) await unfinished(mine).catch(failed);
  if (mine === round) await more();
}

async function unfinished(mine) {
  const { data } = await call("GET", address({ state: "unfinished", limit: 100 }));
  if (mine !== round) return false;
  const fresh = data.filter((job) => !rows.has(job.id) || older(rows.get(job.id).job, job));
  data.forEach(put);
  return fresh.length > 0;
}

async function more() {
  if (asking || after === null) return;
  const mine = round;
  asking = true;
  try {
    const page = await call("GET", address({ limit: PAGE, ...(after ? { after } : {}) }));
    if (mine !== round) return;
    after = page.has_more ? page.after : null;
    page.data.forEach(put);
  } catch (problem) {
    failed(problem);
  } finally {
    if (mine === round) {
      asking = false;
      tidy();
      if (after !== null && element("more").getBoundingClientRect().top < innerHeight + AHEAD) more();
    }
  }
}

function failed(problem) {
  document.querySelector("[data-error]").textContent = problem.message;
}

// Read again what is under way, and what was when it was shown last and is no longer.
async function refresh() {
  const before = [...rows.values()].map((line) => line.job).filter((job) => !over(job));
  let news = state() ? false : await unfinished(round);
  for (const job of before) {
    if (!rows.has(job.id) || older(job, rows.get(job.id).job)) continue;
    const fresh = await call("GET", `/v1/jobs/${job.id}`).catch((problem) => (problem.status === 404 ? null : job));
    if (fresh === null) drop(job.id);
    else told(fresh);
    news ||= fresh === null || older(job, fresh);
  }
  tidy();
  return news;
}

// -- news ------------------------------------------------------------------------------------------

// With filters only rows that are there change: whether a new job passes them, the service knows.
function told(job) {
  const line = rows.get(job.id);
  if (!line && filtered()) return;
  const ended = line && !over(line.job) && over(job);
  put(job);
  if (ended) element("told").textContent = t("jobs.ended", { name: nameOf(job), state: stateText(job.state) });
  tidy();
}

function back(job) {
  put(job);
  tidy();
}

function gone(id) {
  if (state() === "trashed") return;
  drop(id);
  tidy();
}

// -- acts ------------------------------------------------------------------------------------------

const ACTS = {
  cancel: (job) => cancel(job, told).then(told),
  retry: (job) => retry(job, "failed").then(told),
  rest: (job) => retry(job, "cancelled").then(told),
  remove: (job) => remove(job, back).then(() => leave(job)),
  restore: (job) => restore(job).then(() => leave(job)).then(() => toast(t("jobs.restored_told", { name: nameOf(job) }))),
};

// Whoever stood on a row that goes stands on the next one.
function leave(job) {
  const line = rows.get(job.id);
  const next = line?.nextElementSibling || line?.previousElementSibling;
  drop(job.id);
  tidy();
  (next?.parts.name || document.querySelector("#main")).focus();
}

document.querySelector("#all-jobs").addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (!button) return;
  const { job } = button.closest("[data-job]");
  tried(button, () => ACTS[button.dataset.do](job), (problem) => toast(problem.message, { error: true }));
});

// -- beginning -------------------------------------------------------------------------------------

let typing = 0;
form.addEventListener("submit", (event) => event.preventDefault());
form.elements.name.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(changed, 250);
});
form.addEventListener("change", (event) => event.target !== form.elements.name && changed());
for (const button of document.querySelectorAll("#clear, [data-clear]")) {
  button.addEventListener("click", () => {
    form.reset();
    for (const control of form.elements) if (control.name) control.value = "";
    changed();
    form.elements.name.focus();
  });
}
element("more").querySelector("button").addEventListener("click", more);
new IntersectionObserver(([last]) => last.isIntersecting && more(), { rootMargin: `${AHEAD}px` }).observe(element("more"));
addEventListener("popstate", () => { fromAddress(); reload(); });

async function projects() {
  const found = await every("/v1/projects", 200);
  form.elements.project.append(...found.map((one) => new Option(one.name, one.id)));
  element("by-project").hidden = !found.length;
}

await projects().catch(() => {});
fromAddress();
await reload();
follow(element("all-jobs").dataset.user, { told, gone, refresh, waiting: () => [...rows.values()].some((line) => !over(line.job)) });
