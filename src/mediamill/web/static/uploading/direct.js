// A large file straight to the bucket, in parts: docs/how-to/uploads.md. After a break only parts that have not arrived
// are sent, each by a request that is signed anew.
import { Problem, call } from "../api.js";
import { drop, kept } from "./kept.js";
import { refusal, sent } from "./sent.js";

const AT_ONCE = 3;
export const UNREACHABLE = "bucket_unreachable"; // from this browser: the bucket has no CORS rule, or stands elsewhere
let reached = false;

export async function direct(entry, { signal, progress }) {
  const address = kept(entry.key)?.address || await begun(entry);
  let parts;
  try {
    parts = await listed(address);
  } catch (problem) {
    if (![404, 409, 410].includes(problem.status)) throw problem;
    drop(entry.key); // it expired, or was another user's
    entry.again();
    return direct(entry, { signal, progress });
  }
  await put(entry.file, parts, { signal, progress });
  const file = await call("POST", `${address}/complete`);
  drop(entry.key);
  return { file };
}

async function begun(entry) {
  const { file, once, project, tags } = entry;
  const said = { filename: file.name, size: file.size, tags, parts: true, ...(project && { project }) };
  const { links } = await call("POST", "/v1/uploads/presigned", said, { "Idempotency-Key": once });
  entry.keep("direct", links.self);
  return links.self;
}

async function listed(address) {
  const parts = [];
  for (let after = ""; after !== null;) {
    const page = await call("GET", `${address}/parts?limit=100${after && `&after=${after}`}`);
    parts.push(...page.data);
    after = page.has_more ? page.after : null;
  }
  return parts;
}

async function put(file, parts, { signal, progress }) {
  const arrived = parts.map((part) => (part.arrived ? part.size : 0));
  const waiting = parts.filter((part) => !part.arrived);
  const stop = new AbortController();
  signal.addEventListener("abort", () => stop.abort(signal.reason), { once: true });
  const told = () => progress(arrived.reduce((sum, bytes) => sum + bytes, 0));
  async function some() {
    for (let part = waiting.shift(); part; part = waiting.shift()) {
      const { number, start, size, request } = part;
      const { method, url } = request;
      const { "Content-Length": _, ...headers } = request.headers; // the browser’s own affair
      await sent(method, url, { headers, body: file.slice(start, start + size), signal: stop.signal, progress: (bytes) => {
        arrived[number - 1] = bytes;
        told();
      } });
      arrived[number - 1] = size;
      reached = true;
    }
  }
  told();
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, some));
  } catch (problem) {
    stop.abort(problem);
    if (signal.aborted || !(problem instanceof Problem)) throw problem;
    if (problem.status) throw refusal(502); // a request that expired, or a bucket in trouble: again, with fresh ones
    if (!reached && await answers()) throw new Problem(0, { code: UNREACHABLE });
    throw problem;
  }
}

// Whether it is the bucket alone that does not answer.
const answers = () => fetch("/v1/uploads", { method: "OPTIONS" }).then((answer) => answer.ok, () => false);
