// One request that tells how far it is, which fetch does not. What is refused is thrown as a Problem that knows
// for how many seconds to wait; a broken connection has the status 0.
import { Problem } from "../api.js";
import { t } from "../texts.js";

export function sent(method, address, { headers = {}, body = null, signal, progress = () => {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, address);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => progress(event.loaded));
    request.addEventListener("load", () => {
      if (request.status < 300) resolve(request);
      else reject(refusal(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    });
    request.addEventListener("error", () => reject(refusal(0)));
    request.addEventListener("abort", () => reject(signal.reason));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    if (signal.aborted) reject(signal.reason);
    else request.send(body);
  });
}

export function refusal(status, text = "", wait = null) {
  const problem = new Problem(status, status ? said(text) : { detail: t("uploads.broke") });
  problem.wait = Number(wait) || 0;
  return problem;
}

function said(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
