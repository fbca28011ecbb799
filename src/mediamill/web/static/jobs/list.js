// The list of jobs: those under way first, live; the others newest first, more as one scrolls.
import { call } from "../api.js";
import { every, pages, tried } from "../dataset.js";
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
let [after, round, asking, stuck] = ["", 0, false, false];

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
  element("rest").hidden = !rest.children.length && !stuck; // what could not be read is asked for there
  element("rest-title").hidden = !now.children.length;
  const none = after === null && !rows.size;
  element("nothing").hidden = !none || filtered();
  element("no-match").hidden = !none || !filtered();
  element("more").hidden = after === null;
  element("clear").hidden = !filtered();
}

// -- reading -----------------------------------------------------------------------------------------

function address(extra) {
  return `/v1/jobs?${new URLSearchParams({ ...Object.fromEntries(filters()), ...extra })}`;
}

async function reload() {
  round += 1;
  const mine = round;
  [after, asking, stuck] = ["", false, false];
  for (const id of [...rows.keys()]) drop(id);
  if (!state()) await unfinished(mine).catch(failed);
  if (mine === round) await more();
}

// Put what is under way into the list: all of it, or with a filter of states what stands there already.
// Returns what was put.
async function unfinished(mine) {
  const found = [];
  for await (const data of pages(address({ state: "unfinished" }))) {
    if (mine !== round) break;
    const some = data.filter((job) => !state() || rows.has(job.id));
    some.forEach(put);
    found.push(...some);
  }
  return found;
}

// Read on as long as the end is in sight. What is refused is not asked for at once again: the button
// does so, the next scroll, and whenever else the page looks.
async function more() {
  if (asking || after === null) return;
  const mine = round;
  asking = true;
  try {
    do {
      const page = await call("GET", address({ limit: PAGE, ...(after ? { after } : {}) }));
      if (mine !== round) return;
      after = page.has_more ? page.after : null;
      stuck = false;
      page.data.forEach(put);
      failed({ message: "" });
      tidy();
    } while (after !== null && element("more").getBoundingClientRect().top < innerHeight + AHEAD);
  } catch (problem) {
    if (mine !== round) return;
    stuck = true;
    failed(problem);
  } finally {
    if (mine === round) {
      asking = false;
      tidy();
    }
  }
}

function failed(problem) {
  const place = document.querySelector("[data-error]");
  if (place.textContent !== problem.message) place.textContent = problem.message;
}

// Read again what is under way; only what was, and is no longer, is asked for by itself.
async function refresh() {
  const mine = round;
  const before = new Map([...rows.values()].map((line) => [line.job.id, line.job]));
  const going = [...before.values()].some((job) => !over(job));
  const now = state() && !going ? [] : await unfinished(mine);
  if (mine !== round) return true;
  let news = now.some((job) => !before.has(job.id) || older(before.get(job.id), job));
  const under = new Set(now.map((job) => job.id));
  for (const job of before.values()) {
    if (over(job) || under.has(job.id) || !rows.has(job.id) || older(job, rows.get(job.id).job)) continue;
    const fresh = await call("GET", `/v1/jobs/${job.id}`).catch((problem) => (problem.status === 404 ? null : job));
    if (mine !== round) return true;
    if (fresh === null) drop(job.id);
    else told(fresh);
    news ||= fresh === null || older(job, fresh);
  }
  if (stuck) await more();
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
follow(element("all-jobs").dataset.user, { told, gone, refresh, waiting: () => stuck || [...rows.values()].some((line) => !over(line.job)) });
