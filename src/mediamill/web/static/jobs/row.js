// A job as a row of the list: what it is, how far, and what can be done with it.
import { made } from "../dataset.js";
import { patient } from "./acts.js";
import { cutShort, downloadSize, downloadable, good, nameOf, over, percent, stateText, stepsText, summary } from "./words.js";
import { t } from "../texts.js";
import { recent } from "../times.js";

// A row keeps its elements, so that what has focus keeps it while the job goes on.
export function row(job) {
  const element = made("li", { class: "job-row", "data-job": job.id });
  const parts = {
    shot: made("a", { class: "shot", href: `/jobs/${job.id}`, tabindex: "-1", "aria-hidden": "true" }),
    name: made("a", { class: "name", href: `/jobs/${job.id}` }),
    steps: made("span", { class: "muted steps-of" }),
    badge: made("span", {}),
    bar: made("progress", { max: 1 }),
    told: made("span", { class: "muted told" }),
    error: made("span", { class: "error" }),
    download: made("a", { class: "button small", download: "", href: `/v1/jobs/${job.id}/download` }),
    retry: made("button", { type: "button", class: "small", "data-do": "retry" }, t("jobs.retry")),
    rest: made("button", { type: "button", class: "small", "data-do": "rest" }, t("jobs.run_rest")),
    cancel: made("button", { type: "button", class: "small", "data-do": "cancel" }, t("words.cancel")),
    restore: made("button", { type: "button", class: "small", "data-do": "restore" }, t("jobs.restore")),
    remove: made("button", { type: "button", class: "quiet", "data-do": "remove" }, t("words.delete")),
  };
  const { shot, name, steps, badge, bar, told, error, ...tools } = parts;
  const about = made("div", { class: "about" }, made("span", { class: "title" }, name, badge), steps, bar, told, error);
  element.append(shot, about, made("div", { class: "tools" }, ...Object.values(tools)));
  patient(parts.download, (text) => { parts.download.textContent = text || downloadText(element.job); });
  element.parts = parts;
  show(element, job);
  return element;
}

export function show(element, job) {
  const { parts } = element;
  const [name, ended, trashed] = [nameOf(job), over(job), Boolean(job.deleted_at)];
  element.job = job;
  element.dataset.state = job.state;
  put(parts.name, name);
  put(parts.steps, [job.name ? stepsText(job) : "", recent(job.created_at)].filter(Boolean).join(" · "));
  put(parts.badge, stateText(job.state));
  parts.badge.className = `badge ${job.state}`;
  parts.bar.value = job.progress.fraction;
  parts.bar.className = job.state;
  parts.bar.hidden = ended;
  parts.bar.setAttribute("aria-label", t("jobs.progress_of", { name, percent: percent(job) }));
  put(parts.told, summary(job));
  put(parts.error, job.error);
  put(parts.download, downloadText(job));
  for (const [part, label] of [["download", "download_of"], ["retry", "retry_of"], ["rest", "run_rest_of"], ["cancel", "cancel_of"], ["restore", "restore_of"], ["remove", "delete_of"]]) {
    parts[part].setAttribute("aria-label", LABELS[label]({ name }));
  }
  parts.download.hidden = trashed || !downloadable(job);
  parts.retry.hidden = trashed || !(ended && job.counts.failed);
  parts.rest.hidden = trashed || !cutShort(job);
  parts.cancel.hidden = trashed || ended || job.state === "cancelling";
  parts.restore.hidden = !trashed;
  parts.remove.hidden = trashed || !ended;
  parts.shot.classList.toggle("blank", !good(job));
}

const downloadText = (job) => `${t("words.download")} ${downloadSize(job)}`;

// Writing the same text again would have screen readers say it again.
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const LABELS = {
  download_of: (values) => t("jobs.download_of", values),
  retry_of: (values) => t("jobs.retry_of", values),
  run_rest_of: (values) => t("jobs.run_rest_of", values),
  cancel_of: (values) => t("jobs.cancel_of", values),
  restore_of: (values) => t("jobs.restore_of", values),
  delete_of: (values) => t("jobs.delete_of", values),
};
