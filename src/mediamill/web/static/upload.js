// Upload files, some at a time, each with its progress; a refused one says why.
import { Problem, call, size } from "./api.js";

const AT_ONCE = 3;
const SHOWN = 30; // lines of what waits; ten thousand files would be ten thousand lines
const MOST_FAILED = 50;
const waiting = [];
let busy = 0;

// Each file is sent, and `done` is called with the answer, its line and the file; `options` may name the
// project that it joins, and `tags`, which gives those of a file.
export function upload(files, list, done, options = {}) {
  for (const file of files) waiting.push({ file, list, done, options, line: null });
  for (const next of waiting.slice(0, SHOWN)) next.line ||= line(next.file, list);
  left(list);
  while (busy < Math.min(AT_ONCE, waiting.length + busy)) work();
}

async function work() {
  busy += 1;
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const { file, list, done, options } = next;
    const shown = next.line || line(file, list);
    left(list);
    try {
      done(await send(file, shown, options), shown, file);
      shown.remove();
    } catch (problem) {
      failed(shown, problem);
    }
  }
  busy -= 1;
}

// How many more there are than are shown.
function left(list) {
  let rest = list.querySelector(".rest");
  const more = waiting.filter((one) => !one.line).length;
  if (!more) {
    rest?.remove();
    return;
  }
  if (!rest) {
    rest = document.createElement("li");
    rest.className = "rest muted";
  }
  rest.textContent = `and ${more.toLocaleString("en")} more`;
  list.append(rest);
}

function line(file, list) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  const state = document.createElement("span");
  const bar = document.createElement("progress");
  name.textContent = file.name;
  state.textContent = `waiting · ${size(file.size)}`;
  state.className = "muted";
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", `Upload of ${file.name}`);
  item.append(name, state, bar);
  list.append(item);
  return item;
}

const SMALL = 7e5; // bytes that pass in one request everywhere
let atOnce; // the most that a request may bring, once it was asked: undefined, 0 for any

async function send(file, line, options) {
  if (file.size <= SMALL || !(await most())) return whole(file, line, options);
  return inParts(file, line, atOnce, options);
}

async function most() {
  if (atOnce === undefined) {
    const said = await fetch("/v1/uploads", { method: "OPTIONS" });
    atOnce = Number(said.headers.get("Mediamill-Max-Body") || 0);
  }
  return atOnce;
}

async function whole(file, line, { project, tags }) {
  const headers = { "Content-Type": "application/octet-stream" };
  const asked = new URLSearchParams({ name: file.name, ...(project && { project }), ...(tags && { tags: tags(file).join(",") }) });
  const answer = await sent("POST", `/v1/files?${asked}`, headers, file, line, file.size);
  return answer.response;
}

// As tus 1.0 has it: https://tus.io/protocols/resumable-upload
async function inParts(file, line, length, { project, tags }) {
  const tus = { "Tus-Resumable": "1.0.0" };
  const said = { filename: file.name, project, tags: tags?.(file).join(",") };
  const metadata = Object.entries(said).filter(([, value]) => value).map(([key, value]) => `${key} ${base64(value)}`);
  const begin = { ...tus, "Upload-Length": String(file.size), "Upload-Metadata": metadata.join(",") };
  const begun = await sent("POST", "/v1/uploads", begin, null, line, file.size);
  const path = new URL(begun.getResponseHeader("Location"), location.origin).pathname;
  for (let offset = 0; offset < file.size; offset += length) {
    const headers = { ...tus, "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" };
    await again(() => sent("PATCH", path, headers, file.slice(offset, offset + length), line, file.size, offset));
  }
  for (;;) {
    const upload = await again(() => call("GET", path));
    if (upload.for_workers) line.children[1].textContent = "waits for a worker: too large for a function";
    if (upload.state === "ready") return call("GET", `/v1/files/${upload.file}`);
    if (upload.state === "rejected") throw new Problem(422, { detail: upload.error, code: upload.code });
    await pause(1000);
  }
}

// What broke is asked again: a part that had arrived after all says so by a conflict.
async function again(ask) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask();
    } catch (problem) {
      if (tries > 1 && problem.status === 409) return null;
      if (tries === 4 || (problem.status && problem.status < 500 && problem.status !== 423)) throw problem;
      await pause(1000 * tries);
    }
  }
}

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// XMLHttpRequest, because fetch tells nothing about the progress of an upload.
function sent(method, path, headers, body, line, total, before = 0) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const [, state, bar] = line.children;
    request.open(method, path);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      const done = before + event.loaded;
      bar.value = done / (total || 1);
      state.textContent = done < total ? `${size(done)} of ${size(total)}` : "checking…";
    });
    request.addEventListener("load", () => {
      if (request.status < 300) resolve(request);
      else reject(new Problem(request.status, request.response || {}));
    });
    request.addEventListener("error", () => reject(new Problem(0, { detail: "The connection broke before the file was through." })));
    request.send(body);
  });
}

function failed(line, problem) {
  const before = line.parentElement.querySelectorAll(".error").length;
  if (before >= MOST_FAILED) {
    line.remove();
    return;
  }
  const [, state, bar] = line.children;
  bar.remove();
  const reason = document.createElement("p");
  reason.className = "error";
  reason.textContent = problem.message;
  const away = document.createElement("button");
  away.type = "button";
  away.className = "quiet";
  away.textContent = "Dismiss";
  away.addEventListener("click", () => line.remove());
  state.replaceWith(away);
  line.append(reason);
}
