// One job, live: by server-sent events, and by asking now and then where those do not come through.
import { call, clearProblem, part, showProblem, size } from "./api.js";
import { ended as endedTask } from "./dataset.js";

const page = document.getElementById("job");
const id = page.dataset.job;
const ended = new Set(["succeeded", "partial", "failed", "cancelled", "expired"]);
const element = (name) => document.getElementById(name);
let shown = page.dataset.state;

function update(job) {
  const { succeeded, failed, cancelled, reused } = job.counts;
  const over = ended.has(job.state);
  const badge = element("state");
  badge.textContent = job.state;
  badge.className = `badge ${job.state}`;
  element("progress").value = job.progress.fraction;
  element("progress").className = job.state;
  element("summary").textContent = summary(job, succeeded + reused, failed, cancelled, over);
  element("cancel").hidden = over || job.state === "cancelling";
  element("retry").hidden = !(over && failed);
  element("download").hidden = !(job.download && succeeded + reused);
  element("download-size").textContent = job.download ? `(${size(job.download.size)})` : "";
  if (job.error) page.querySelector("[data-error]").textContent = job.error;
  document.title = `${over ? job.state : `${Math.round(job.progress.fraction * 100)} %`} · Mediamill`;
  if (job.state !== shown && over) finish();
  if (bring && over && succeeded + reused && element("bring").hidden) offer().catch(() => {});
  shown = job.state;
}

function summary(job, good, failed, cancelled, over) {
  const files = job.items === 1 ? "1 file" : `${job.items} files`;
  const parts = [over ? `${good} of ${files} done` : `${good + failed} of ${files} · ${Math.round(job.progress.fraction * 100)} %`];
  if (failed) parts.push(`${failed} failed`);
  if (cancelled) parts.push(`${cancelled} cancelled`);
  const { queue_position: ahead, queue_position_capped: more, seconds_left: left, restoring, for_workers: long } = job.progress;
  if (!over && ahead) parts.push(`${ahead}${more ? " or more" : ""} ${ahead === 1 ? "job" : "jobs"} ahead`);
  if (!over && restoring) parts.push(`${restoring} on the way back from cold storage`);
  if (!over && long) parts.push(`${long} wait for a worker: too long for a function`);
  if (!over && left) parts.push(`about ${left < 90 ? `${Math.ceil(left)} s` : `${Math.ceil(left / 60)} min`} left`);
  if (over && job.started_at && job.finished_at) {
    parts.push(`took ${((new Date(job.finished_at) - new Date(job.started_at)) / 1000).toFixed(1)} s`);
  }
  return parts.join(" · ");
}

async function finish() {
  element("outcome").replaceChildren(await part(`/parts/jobs/${id}`));
}

function follow() {
  const source = new EventSource(`/v1/jobs/${id}/events`);
  source.addEventListener("job", (event) => {
    const job = JSON.parse(event.data);
    update(job);
    if (ended.has(job.state)) source.close();
  });
  source.addEventListener("gone", () => {
    source.close();
    poll();
  });
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.CLOSED) return;
    poll();
  });
}

async function poll() {
  for (;;) {
    const job = await call("GET", `/v1/jobs/${id}`);
    update(job);
    if (ended.has(job.state)) return;
    await new Promise((done) => setTimeout(done, 2000));
  }
}

function button(name, path) {
  element(name).addEventListener("click", async () => {
    element(name).disabled = true;
    try {
      update(await call("POST", path));
      if (name === "retry") {
        element("outcome").replaceChildren();
        follow();
      }
    } catch (problem) {
      showProblem(page, problem);
    } finally {
      element(name).disabled = false;
    }
  });
}

button("cancel", `/v1/jobs/${id}/cancel`);
button("retry", `/v1/jobs/${id}/retry`);
call("GET", `/v1/jobs/${id}`).then((job) => {
  update(job);
  if (!ended.has(job.state)) follow();
});

// Frames of videos become images of a project, those of a video being one group.
const bring = element("bring-form");
async function offer() {
  const projects = (await call("GET", "/v1/projects?limit=100")).data;
  bring.elements.project.replaceChildren(...projects.map((one) => new Option(one.name, one.id)), new Option("a new project", ""));
  element("bring").hidden = false;
}
bring?.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearProblem(bring);
  const submit = bring.querySelector("button");
  submit.disabled = true;
  try {
    const name = document.querySelector(".sheet h2")?.textContent || "Frames";
    const project = bring.elements.project.value || (await call("POST", "/v1/projects", { name })).id;
    const task = await call("POST", `/v1/projects/${project}/import`, { job: id });
    const done = await endedTask(project, task, (now) => { bring.querySelector("[data-told]").textContent = `${now.done} of ${now.total || "…"}`; });
    if (done.outcome.taken) location.assign(`/projects/${project}`);
  } catch (problem) {
    showProblem(bring, problem);
  } finally {
    submit.disabled = false;
  }
});

// Behind a gateway a large download is put together first: a HEAD tells when it is there, a GET why not.
const link = element("download");
link.addEventListener("click", async (event) => {
  if (link.dataset.ready) return;
  event.preventDefault();
  for (;;) {
    const answer = await fetch(link.href, { method: "HEAD", redirect: "manual" }).catch(() => null);
    if (!answer || answer.status !== 503) break;
    const why = await fetch(link.href, { redirect: "manual" }).then((told) => told.json()).catch(() => ({}));
    const waits = why.details?.for_workers;
    element("download-size").textContent = waits ? "(waits for a worker: too large for a function)" : "(being put together…)";
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
  link.dataset.ready = "yes";
  link.click();
  delete link.dataset.ready;
});
