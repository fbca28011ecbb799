// Upload a file, run a job over it, wait for its end and go through its results, with types that
// openapi-typescript has made of /openapi.json (schema.d.ts) and openapi-fetch's client.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Job = components["schemas"]["JobView"];
type Result = components["schemas"]["ResultView"];

const [, , server, token, path] = process.argv as [string, string, string, string, string];
const client = createClient<paths>({
  baseUrl: server,
  headers: { Authorization: `Bearer ${token}` },
});
const ended = new Set(["succeeded", "partial", "failed", "cancelled", "expired"]);

function given<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) {
    throw new Error(`${answer.response.status} ${JSON.stringify(answer.error)}`);
  }
  return answer.data;
}

async function wait(job: Job): Promise<Job> {
  while (!ended.has(job.state)) {
    job = given(
      await client.GET("/v1/jobs/{job_id}", {
        params: { path: { job_id: job.id }, query: { wait: 20 } },
      }),
    );
  }
  return job;
}

async function* results(job: Job): AsyncGenerator<Result> {
  let after: string | null | undefined = undefined;
  do {
    const query: { limit: number; after?: string } = after ? { limit: 100, after } : { limit: 100 };
    const page: components["schemas"]["ResultList"] = given(
      await client.GET("/v1/jobs/{job_id}/results", {
        params: { path: { job_id: job.id }, query },
      }),
    );
    yield* page.data;
    after = page.after;
  } while (after);
}

const bytes = await readFile(path);
const file = given(
  await client.POST("/v1/files", {
    params: { query: { name: basename(path) }, header: { "Idempotency-Key": randomUUID() } },
    headers: { "Content-Type": "application/octet-stream" },
    body: bytes as unknown as string,
    bodySerializer: (body) => body as unknown as Uint8Array<ArrayBuffer>,
  }),
);
if (!("id" in file)) {
  throw new Error("one file was sent, a list came back");
}
const begun = given(
  await client.POST("/v1/jobs", {
    params: { header: { "Idempotency-Key": randomUUID() } },
    body: {
      files: [file.id],
      steps: [{ operation: "extract-frames", parameters: { count: 2 } }],
    },
  }),
);
if (!("state" in begun)) {
  throw new Error("a plan came back");
}
const job = await wait(begun);
const made: string[] = [];
for await (const result of results(job)) {
  made.push(...result.files.map((one) => one.name));
}
const wrong = await client.GET("/v1/jobs/{job_id}", { params: { path: { job_id: "job_none" } } });
console.log(
  JSON.stringify({ file: file.name, size: file.size, state: job.state, made, wrong: wrong.error?.code }),
);
