// A job in words: what it is called, how far it is, why it waits, how long it took.
import { size } from "../api.js";
import { t } from "../texts.js";

const ENDED = new Set(["succeeded", "partial", "failed", "cancelled", "expired"]);

export const over = (job) => ENDED.has(job.state);
export const good = ({ counts }) => counts.succeeded + counts.reused;
export const stateText = (state) => t("jobs.state", { which: state });
export const percent = (job) => Math.floor(job.progress.fraction * 100);

export function stepsText(job) {
  const text = job.steps.map((step) => step.operation.replaceAll("-", " ")).join(" → ");
  return text[0].toUpperCase() + text.slice(1);
}

export const nameOf = (job) => job.name || stepsText(job);

// Whether `one` tells less than `other` does of the same job: it was read before it.
export function older(one, other) {
  if (one.revision !== other.revision) return one.revision < other.revision;
  return one.generation === other.generation && one.progress.fraction < other.progress.fraction;
}

export function lasting(seconds) {
  if (seconds < 10) return t("jobs.tenths", { seconds: seconds.toFixed(1) });
  if (seconds < 90) return t("jobs.seconds", { seconds: Math.round(seconds) });
  if (seconds < 5400) return t("jobs.minutes", { minutes: Math.round(seconds / 60) });
  return t("jobs.hours", { hours: (seconds / 3600).toFixed(1) });
}

// Of a job that was run again later in part nothing is said: what lay between would count too.
export function took(job) {
  if (!over(job) || job.generation > 1 || !job.started_at || !job.finished_at) return "";
  return lasting((new Date(job.finished_at) - new Date(job.started_at)) / 1000);
}

// Why nothing of it runs yet, or why it goes no further: a list of short texts.
export function waits(job) {
  if (over(job)) return [];
  const { queue_position: ahead, queue_position_capped: more, restoring, for_workers: long, no_worker: alone } = job.progress;
  const told = [];
  if (ahead && more) told.push(t("jobs.ahead_or_more", { count: ahead }));
  else if (ahead) told.push(t("jobs.ahead", { count: ahead }));
  else if (ahead === 0 && !alone) told.push(t("jobs.next"));
  if (alone) told.push(t("jobs.no_worker"));
  if (restoring) told.push(t("jobs.restoring", { count: restoring }));
  if (long) told.push(t("jobs.for_workers", { count: long }));
  return told;
}

// All that a line says of it: how many are done, failed, left, and how long that takes or took.
export function summary(job) {
  const { failed, cancelled, reused } = job.counts;
  const ended = over(job);
  const values = { count: job.items, done: ended ? good(job) : good(job) + failed, percent: percent(job) };
  const told = [ended ? t("jobs.done_of", values) : job.items ? t("jobs.now_of", values) : t("jobs.listing")];
  if (failed) told.push(t("jobs.failed_count", { count: failed }));
  if (cancelled) told.push(t("jobs.cancelled_count", { count: cancelled }));
  if (reused) told.push(t("jobs.reused_count", { count: reused }));
  told.push(...waits(job));
  if (!ended && job.progress.seconds_left) told.push(t("jobs.left", { time: lasting(job.progress.seconds_left) }));
  if (took(job)) told.push(t("jobs.took", { time: took(job) }));
  return told.join(" · ");
}

// Whether something of it was cancelled, be it inputs that were not listed yet or stages to come.
export const cutShort = (job) => job.state === "cancelled" || (over(job) && job.counts.cancelled > 0);
export const downloadable = (job) => Boolean(job.download && good(job));
export const downloadSize = (job) => (job.download ? `(${size(job.download.size)})` : "");

// A place in a video: 0:04.20, 1:02:03.50.
export function place(seconds) {
  const hundredths = Math.round(seconds * 100);
  const [hours, minutes, rest] = [Math.floor(hundredths / 360000), Math.floor(hundredths / 6000) % 60, (hundredths % 6000) / 100];
  const last = rest.toFixed(2).padStart(5, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${last}` : `${minutes}:${last}`;
}
