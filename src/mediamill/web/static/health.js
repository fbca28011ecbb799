// A project's health checks: the latest, those before it, and another.
import { call, clearProblem, showProblem } from "./api.js";
import { made, pause, tried } from "./dataset.js";
import { Report, advice, reported, summed } from "./health_report.js";
import { over } from "./jobs/words.js";
import { t } from "./texts.js";
import { day } from "./times.js";

const page = document.getElementById("health");
const id = page.dataset.project;
const get = (name) => document.getElementById(name);
const fail = (problem) => showProblem(page, problem);
const shown = new Report(id, page.dataset.role === "viewer" ? null : fail);

async function follow(job) {
  get("progress").hidden = false;
  for (; !over(job); job = await call("GET", `/v1/jobs/${job.id}`)) {
    get("progress").value = job.progress.fraction;
    get("summary").textContent = t("health.looking", { count: job.items });
    await pause(500);
  }
  get("progress").hidden = true;
  await open(job.id);
}

async function open(job) {
  const { report, links, why } = await reported(job);
  if (!report) {
    const { error, state } = await call("GET", `/v1/jobs/${job}`);
    get("summary").textContent = t("health.no_report", { state: t("jobs.state", { which: state }), why: error || why || "" });
    get("report").replaceChildren();
    return;
  }
  get("downloads").replaceChildren(...links, made("a", { class: "button", href: `/jobs/${job}` }, t("words.the_job")));
  get("downloads").hidden = false;
  get("summary").textContent = summed(report);
  get("report").replaceChildren(...shown.cards(report));
}

get("check").addEventListener("submit", (event) => {
  event.preventDefault();
  clearProblem(page);
  const { subset, similarity } = Object.fromEntries(new FormData(event.target));
  const steps = [{ operation: "health-check", parameters: { similarity: similarity === "" ? null : Number(similarity) } }];
  tried(event.target.querySelector("button"), async () => {
    await follow(await call("POST", "/v1/jobs", { project: id, steps, ...(subset && { subset }) }));
  }, fail).finally(() => { get("progress").hidden = true; });
});
get("checks")?.addEventListener("change", (event) => tried(null, () => open(event.target.value), fail));

// Who has checked nothing yet sees what the owner's check has found.
async function theirs() {
  if (!page.dataset.checked) return;
  const found = await call("GET", `/v1/projects/${id}/health`);
  const { images, broken, advice: told = [] } = found.summary;
  get("summary").textContent = t("health.by_owner", { day: day(found.finished_at), count: images, broken });
  get("report").replaceChildren(advice(told));
}

const first = get("checks")?.value;
tried(null, async () => (first ? follow(await call("GET", `/v1/jobs/${first}`)) : theirs()), fail);
