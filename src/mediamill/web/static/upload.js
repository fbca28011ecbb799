// Upload files one after another, each with its progress; a refused one says why.
import { Problem, size } from "./api.js";

const waiting = [];
let busy = false;

export function upload(files, list, done) {
  for (const file of files) waiting.push({ file, line: line(file, list), done });
  if (!busy) work();
}

async function work() {
  busy = true;
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const { file, line, done } = next;
    try {
      done(await send(file, line), line);
      line.remove();
    } catch (problem) {
      failed(line, problem);
    }
  }
  busy = false;
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

// XMLHttpRequest, because fetch tells nothing about the progress of an upload.
function send(file, line) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const [, state, bar] = line.children;
    request.open("POST", `/v1/files?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      bar.value = event.loaded / (event.total || 1);
      state.textContent = event.loaded < event.total ? `${size(event.loaded)} of ${size(event.total)}` : "checking…";
    });
    request.addEventListener("load", () => {
      if (request.status === 201) resolve(request.response);
      else reject(new Problem(request.status, request.response || {}));
    });
    request.addEventListener("error", () => reject(new Problem(0, { detail: "The connection broke before the file was through." })));
    request.send(file);
  });
}

function failed(line, problem) {
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
