// What can be done with a job: cancelled, run again in part, deleted, downloaded; each at once.
import { call } from "../api.js";
import { pause } from "../dataset.js";
import { nameOf, over } from "./words.js";
import { t } from "../texts.js";
import { toast } from "../toast.js";

const WAIT = 20; // seconds that one request waits for an end

// Cancel a job. What is done stays, so that taking it back runs the rest; returns the job.
export async function cancel(job, changed) {
  const now = await call("POST", `/v1/jobs/${job.id}/cancel`);
  toast(t("jobs.cancelled_told", { name: nameOf(job) }), {
    undo: async () => {
      let stopped = await call("GET", `/v1/jobs/${job.id}?wait=${WAIT}`);
      while (!over(stopped)) stopped = await call("GET", `/v1/jobs/${job.id}?wait=${WAIT}`);
      if (stopped.counts.cancelled) changed(await call("POST", `/v1/jobs/${job.id}/retry?only=cancelled`));
      else changed(stopped);
    },
  });
  return now;
}

// Run what failed or was cancelled once more, and say so: it may have ended again at once.
export async function retry(job, only) {
  const now = await call("POST", `/v1/jobs/${job.id}/retry?only=${only}`);
  toast(t("jobs.retried", { count: job.counts[only] }));
  return now;
}

// Delete a job with its results, which stay for a day.
export async function remove(job, restored) {
  await call("DELETE", `/v1/jobs/${job.id}`);
  toast(t("jobs.deleted_told", { name: nameOf(job) }), { undo: () => restore(job).then(restored) });
}

export const restore = (job) => call("POST", `/v1/jobs/${job.id}/restore`);

// Behind a gateway a large download is put together first: a HEAD tells when it is there, a GET why not.
export function patient(link, show) {
  link.addEventListener("click", async (event) => {
    if (link.dataset.ready) return;
    event.preventDefault();
    for (;;) {
      const answer = await fetch(link.href, { method: "HEAD", redirect: "manual" }).catch(() => null);
      if (!answer || answer.status !== 503) break;
      const why = await fetch(link.href, { redirect: "manual" }).then((told) => told.json()).catch(() => ({}));
      show(why.details?.for_workers ? t("jobs.packed_by_worker") : t("jobs.packing"));
      await pause(2000);
    }
    link.dataset.ready = "yes";
    link.click();
    delete link.dataset.ready;
  });
}
