// What can be done with a job: cancelled, run again in part, deleted, downloaded; each at once.
import { Problem, call } from "../api.js";
import { pause } from "../dataset.js";
import { cutShort, nameOf, over } from "./words.js";
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
      if (cutShort(stopped)) changed(await call("POST", `/v1/jobs/${job.id}/retry?only=cancelled`));
      else changed(stopped);
    },
  });
  return now;
}

// Run what failed or was cancelled once more, and say so: it may have ended again at once.
export async function retry(job, only) {
  const now = await call("POST", `/v1/jobs/${job.id}/retry?only=${only}`);
  const count = job.counts[only];
  toast(count ? t("jobs.retried", { count }) : t("jobs.goes_on", { name: nameOf(job) }));
  return now;
}

// Delete a job with its results, which stay for a day.
export async function remove(job, restored) {
  await call("DELETE", `/v1/jobs/${job.id}`);
  toast(t("jobs.deleted_told", { name: nameOf(job) }), { undo: () => restore(job).then(restored) });
}

export const restore = (job) => call("POST", `/v1/jobs/${job.id}/restore`);

// Behind a gateway a large download is put together first: its link waits for that, once. `show` gets
// what the link says meanwhile, and "" when it is over.
export function patient(link, show) {
  let waiting = false;
  link.addEventListener("click", async (event) => {
    if (link.dataset.ready) return;
    event.preventDefault();
    if (waiting) return;
    waiting = true;
    try {
      await packed(link.href, show);
      link.dataset.ready = "yes";
      link.click();
    } catch (problem) {
      toast(problem.message, { error: true });
    } finally {
      delete link.dataset.ready;
      waiting = false;
      show("");
    }
  });
}

// A HEAD tells whether it is there, a GET why not; raises `Problem` where it will not be.
async function packed(address, show) {
  for (;;) {
    if (there(await asked("HEAD", address))) return;
    const why = await asked("GET", address);
    if (there(why)) {
      why.body?.cancel();
      return;
    }
    const problem = new Problem(why.status, await why.json().catch(() => ({})));
    if (problem.code !== "packing") throw problem;
    show(problem.details.for_workers ? t("jobs.packed_by_worker") : t("jobs.packing"));
    await pause(2000);
  }
}

const there = (answer) => answer.ok || answer.type === "opaqueredirect"; // to the bucket
const asked = (method, address) => fetch(address, { method, redirect: "manual" }).catch(() => { throw new Problem(0, { detail: t("base.no_answer") }); });
