// Frames of videos become images of a project, those of a video being one group.
import { call, clearProblem, showProblem } from "../api.js";
import { ended } from "../dataset.js";
import { nameOf } from "./words.js";
import { t } from "../texts.js";

// Make the form work, where the page has it; returns what shows it.
export function bringing(job) {
  const form = document.getElementById("bring-form");
  if (!form) return null;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearProblem(form);
    const submit = form.querySelector("button");
    submit.disabled = true;
    try {
      await bring(form, job);
    } catch (problem) {
      showProblem(form, problem);
    } finally {
      submit.disabled = false;
    }
  });
  let asked = false;
  return async () => {
    if (asked) return;
    asked = true;
    document.getElementById("bring").hidden = false;
    const projects = (await call("GET", "/v1/projects?limit=100")).data;
    form.elements.project.replaceChildren(new Option(t("job.new_project"), ""), ...projects.map((one) => new Option(one.name, one.id)));
  };
}

async function bring(form, id) {
  let project = form.elements.project.value;
  if (!project) {
    const job = await call("GET", `/v1/jobs/${id}`);
    const item = (await call("GET", `/v1/jobs/${id}/items?limit=1`)).data[0];
    project = (await call("POST", "/v1/projects", { name: job.name || item?.name || nameOf(job) })).id;
  }
  const task = await call("POST", `/v1/projects/${project}/import`, { job: id });
  const told = form.querySelector("[data-told]");
  const done = await ended(project, task, (now) => { told.textContent = t("job.brought", { done: now.done, total: now.total || "…" }); });
  if (done.outcome.taken) location.assign(`/projects/${project}`);
}
