// What a job was asked, as JSON or as a command, to be sent again by a program.
import { call } from "../api.js";
import { copied } from "../clipboard.js";
import { t } from "../texts.js";
import { toast } from "../toast.js";

const MOST = 100; // files that are named; of more the first

export function copying(place, jobOf) {
  place.addEventListener("click", async ({ target }) => {
    const kind = target.closest("[data-copy-as]")?.dataset.copyAs;
    if (!kind || !jobOf()) return;
    try {
      const text = JSON.stringify(await request(jobOf()), null, 2);
      if (await copied(kind === "json" ? text : command(text))) toast(t("job.copied"));
      else toast(t("job.not_copied"), { error: true });
    } catch (problem) {
      toast(problem.message, { error: true });
    }
  });
}

async function request(job) {
  const steps = job.steps.map(({ operation, parameters }) => ({ operation, parameters }));
  return { ...(await inputs(job)), steps, seed: job.seed, ...(job.name ? { name: job.name } : {}) };
}

async function inputs(job) {
  const { source, id, ...chosen } = (await call("GET", `/v1/jobs/${job.id}`)).inputs; // events leave out long ones
  const kept = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== null));
  if (id) return { [source]: id, ...kept };
  const { data } = await call("GET", `/v1/jobs/${job.id}/items?limit=${MOST}`);
  return { files: [...new Set(data.filter((item) => item.stage === 0).map((item) => item.file))] };
}

function command(text) {
  const quoted = text.replaceAll("'", `'\\''`);
  return `curl -s ${location.origin}/v1/jobs -H "Authorization: Bearer $TOKEN" \\\n  -H 'Content-Type: application/json' -d '${quoted}'\n`;
}
