// Answers of a job as they come: by its events, or by asking now and then where these do not come through.
import { call, part, showProblem, size } from "./api.js";
import { copied } from "./clipboard.js";
import { pause } from "./dataset.js";
import { over } from "./jobs/words.js";
import { cost } from "./money.js";
import { t } from "./texts.js";

const PAUSE = 700; // milliseconds between two looks at the answers
const get = (name) => document.getElementById(name);
const place = get("answers-part");
const list = get("answers");
let id = "";
let source = null;
let looking = null;
let again = false;

// Show the answers of a job, from now on.
export function follow(job) {
  source?.close();
  id = job.id;
  place.hidden = false;
  list.replaceChildren();
  get("job-link").href = `/jobs/${id}`;
  get("download").href = `/v1/jobs/${id}/download`;
  update(job);
  look();
  if (!over(job)) listen();
}

function listen() {
  source?.close();
  const events = new EventSource(`/v1/jobs/${id}/events`);
  source = events;
  events.addEventListener("job", (event) => {
    const job = JSON.parse(event.data);
    update(job);
    look();
    if (!over(job)) return;
    events.close();
    call("GET", `/v1/jobs/${job.id}`).then((now) => now.id === id && update(now)).catch(() => {}); // with what it has cost
  });
  for (const kind of ["gone", "error"]) {
    events.addEventListener(kind, () => {
      if (kind === "error" && events.readyState !== EventSource.CLOSED) return;
      events.close();
      poll();
    });
  }
}

async function poll() {
  for (const mine = id; ;) {
    const job = await call("GET", `/v1/jobs/${mine}`);
    if (mine !== id) return;
    update(job);
    look();
    if (over(job)) return;
    await pause(2000);
  }
}

function update(job) {
  const { succeeded, reused, failed, cancelled } = job.counts;
  const ended = over(job);
  const good = succeeded + reused;
  const badge = get("state");
  badge.textContent = t("jobs.state", { which: job.state });
  badge.className = `badge ${job.state}`;
  get("progress").value = job.progress.fraction;
  get("progress").hidden = ended;
  const parts = [t("prompts.answers_of", { done: good, count: job.items })];
  if (failed) parts.push(t("jobs.failed_count", { count: failed }));
  if (cancelled) parts.push(t("jobs.cancelled_count", { count: cancelled }));
  if (reused) parts.push(t("jobs.reused_count", { count: reused }));
  if (job.spending) parts.push(t("prompts.cost", { cost: cost(job.spending.cost) }));
  get("summary").textContent = parts.join(" · ");
  place.querySelector("[data-error]").textContent = job.error;
  get("cancel").hidden = ended || job.state === "cancelling";
  get("retry").hidden = !(ended && failed);
  get("download").hidden = !(job.download && good);
  get("download").textContent = job.download ? t("prompts.download_all", { size: size(job.download.size) }) : "";
}

// Fetch the answers again, soon; those that have changed take the place of what was there.
function look() {
  if (looking) {
    again = true;
    return;
  }
  looking = refresh().catch((problem) => showProblem(place, problem)).finally(() => setTimeout(() => {
    looking = null;
    if (again) look();
    again = false;
  }, PAUSE));
}

// Page by page, as long as something that is shown still waits.
async function refresh() {
  const seen = new Set();
  const mine = id;
  for (let path = `/parts/answers/${id}`; path;) {
    const fresh = await part(path);
    if (mine !== id) return; // another job is shown by now
    path = fresh.querySelector("[data-more]")?.dataset.more;
    merge(fresh, seen);
    if (![...list.querySelectorAll('[data-state="pending"], [data-state="running"]')].some((one) => !seen.has(base(one)))) break;
  }
}

function merge(fresh, seen) {
  const more = fresh.querySelector(".more");
  const lines = [...fresh.querySelectorAll("[data-key]")];
  const first = !list.querySelector("[data-key]");
  for (const one of lines) {
    seen.add(base(one));
    const there = [...list.children].find((each) => each.dataset.key && base(each) === base(one));
    if (!there) insert(one);
    else if (there.dataset.key !== one.dataset.key || there.dataset.state !== one.dataset.state) there.replaceWith(one);
  }
  const stage = Math.max(...lines.map((one) => place_of(one)[0]));
  for (const one of list.querySelectorAll("[data-key]")) { // of a stage that is over only what failed stays
    if (place_of(one)[0] < stage && !seen.has(base(one))) one.remove();
  }
  if (first && more) list.append(more);
}

const base = (one) => place_of(one).slice(0, 2).join("-");

// In the order of stages and items, those of earlier stages, which failed, first.
function insert(one) {
  const [stage, item] = place_of(one);
  const next = [...list.children].find((each) => {
    if (!each.dataset.key) return true;
    const [other, index] = place_of(each);
    return other > stage || (other === stage && index > item);
  });
  list.insertBefore(one, next || null);
}

const place_of = (one) => one.dataset.key.split("-").map(Number);

for (const name of ["retry", "cancel"]) {
  get(name).addEventListener("click", async () => {
    get(name).disabled = true;
    try {
      update(await call("POST", `/v1/jobs/${id}/${name}`));
      if (name === "retry") {
        list.replaceChildren();
        listen();
      }
    } catch (problem) {
      showProblem(place, problem);
    } finally {
      get(name).disabled = false;
    }
  });
}

list.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const before = button.textContent;
  try {
    const answer = await fetch(button.dataset.copy);
    if (!answer.ok) throw new Error();
    button.textContent = await copied(await answer.text()) ? t("words.copied") : t("prompts.not_copied");
  } catch {
    button.textContent = t("prompts.not_copied");
  }
  setTimeout(() => { button.textContent = before; }, 1500);
});
