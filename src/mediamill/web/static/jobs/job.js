// One job, live: how far it is, what can be done with it, and what came of it.
import { call, part, showProblem } from "../api.js";
import { tried } from "../dataset.js";
import { cancel, patient, remove, retry } from "./acts.js";
import { bringing } from "./bring.js";
import { copying } from "./copy.js";
import { failures } from "./failures.js";
import { icon } from "./icon.js";
import { Items } from "./items.js";
import { follow } from "./live.js";
import { Results } from "./results.js";
import { cutShort, downloadSize, downloadable, good, nameOf, older, over, percent, stateText, summary } from "./words.js";
import { t } from "../texts.js";

const page = document.getElementById("job");
const id = page.dataset.job;
const element = (name) => document.getElementById(name);
const items = new Items(id);
const results = new Results(id, element("sheets"), element("more-results"));
const bring = bringing(id);
let job = null;
let quarter = -1; // the last that was said

function update(fresh) {
  if (job && older(fresh, job)) return false;
  const before = job;
  job = { ...fresh, spending: fresh.spending || before?.spending };
  draw();
  if (job.error !== (before?.error ?? "")) page.querySelector("[data-error]").textContent = job.error; // else what was refused stands
  say(before);
  const again = before && before.generation !== job.generation;
  if (again) results.clear();
  items.changed(job, !before);
  const listed = failures(job, items, !before || before.counts.failed !== job.counts.failed || again);
  if (over(job) && (!before || !over(before))) ended(before !== null, listed);
  return !before || before.revision !== job.revision || before.progress.fraction !== job.progress.fraction;
}

function draw() {
  const ended = over(job);
  put("state", stateText(job.state));
  element("state").className = `badge ${job.state}`;
  page.dataset.state = job.state;
  element("progress").value = job.progress.fraction;
  element("progress").className = job.state;
  put("summary", summary(job));
  put("download-size", downloadSize(job));
  element("cancel").hidden = ended || job.state === "cancelling";
  element("retry").hidden = !(ended && job.counts.failed);
  element("rest").hidden = !cutShort(job);
  element("delete").hidden = !ended;
  element("download").hidden = !downloadable(job);
  for (const stage of page.querySelectorAll("[data-stage]")) {
    const place = Number(stage.dataset.stage) - job.stage;
    stage.className = place < 0 || (place === 0 && ended) ? "done" : place === 0 ? "current" : "";
    if (stage.className === "current") stage.setAttribute("aria-current", "step");
    else stage.removeAttribute("aria-current");
  }
  document.title = `${ended ? stateText(job.state) : t("job.percent", { percent: percent(job) })} · ${nameOf(job)} · Mediamill`;
  icon(job.progress.fraction, job.state);
}

// Milestones are read out, not each step between them.
function say(before) {
  const reached = over(job) ? 5 : Math.floor(job.progress.fraction * 4);
  if (before && reached > quarter) {
    put("milestone", over(job) ? t("job.ended", { state: stateText(job.state), summary: summary(job) }) : t("job.milestone", { percent: reached * 25 }));
  }
  quarter = reached;
}

// On a page of a job that has ended long ago what stands above comes first: nothing moves down later.
async function ended(fresh, listed) {
  listed.then(() => results.more()).catch((problem) => showProblem(page, problem)).finally(() => {
    element("agreed").hidden = false;
    if (bring && good(job)) bring().catch(() => {});
    items.reveal();
  });
  if (!fresh) return;
  const told = await part(`/parts/jobs/${id}`);
  element("agreed").replaceChildren(...told.querySelector("[data-agreed]").children);
  told.querySelector("[data-agreed]").remove();
  element("outcome").replaceChildren(told);
}

function put(name, text) {
  if (element(name).textContent !== text) element(name).textContent = text;
}

// A deleted job is there to be looked at until its page is left; only the way back and the Undo work.
function gone(away) {
  for (const part of [...page.children, element("picked")]) part.inert = away && !part.matches(".back, #lost");
  const { activeElement } = document;
  if (away && (activeElement === document.body || activeElement.closest("[inert]"))) page.querySelector(".back a").focus();
}

const refresh = async () => update(await call("GET", `/v1/jobs/${id}`));

function act(name, action) {
  element(name).addEventListener("click", ({ currentTarget }) => {
    tried(currentTarget, () => action(), (problem) => showProblem(page, problem));
  });
}

act("cancel", async () => update(await cancel(job, update)));
act("retry", async () => update(await retry(job, "failed")));
act("rest", async () => update(await retry(job, "cancelled")));
act("delete", async () => {
  await remove(job, () => gone(false));
  gone(true);
});
patient(element("download"), (text) => put("download-size", text || downloadSize(job)));
copying(element("parameters"), () => job);

await refresh().catch((problem) => showProblem(page, problem));
follow(page.dataset.user, {
  told: (told) => told.id === id && update(told),
  gone: (deleted) => deleted === id && gone(true),
  refresh,
  waiting: () => !job || !over(job),
});
