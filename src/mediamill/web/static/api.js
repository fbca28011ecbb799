// Speak the JSON API with the session's cookie; whatever it refuses is thrown as a Problem.
import { t } from "./texts.js";
import { retell } from "./times.js";

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || t("base.answered", { status }));
    this.status = status;
    this.code = body.code || "";
    this.errors = body.errors || [];
    this.details = body.details || {};
  }
}

export async function call(method, path, body, headers = {}) {
  const options = { method, headers: { Accept: "application/json", ...headers } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await answered(path, options);
  return response.status === 204 ? null : response.json();
}

export async function part(path) {
  const response = await answered(path, { headers: { Accept: "text/html" } });
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  retell(template.content);
  return template.content;
}

async function answered(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Problem(0, { detail: t("base.no_answer") });
  }
  if (response.ok) return response;
  const problem = new Problem(response.status, await response.json().catch(() => ({})));
  if (problem.code === "confirmation_needed") {
    const { confirmed } = await import("./confirming.js");
    if (await confirmed()) return answered(path, options);
  }
  if (problem.code === "second_factor_needed") location.assign("/account#second-factor");
  if (response.status === 401 && !path.startsWith("/v1/auth/")) {
    location.assign(`/signin?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  throw problem;
}

// Show a problem in a form: beside the field it names, else at the form's end.
export function showProblem(form, problem, prefix = "") {
  clearProblem(form);
  const general = [];
  for (const { pointer, message } of problem.errors || []) {
    const name = pointer.startsWith(prefix) ? pointer.slice(prefix.length).split(".")[0] : "";
    const places = name ? form.querySelectorAll(`[data-error-for="${CSS.escape(name)}"]`) : [];
    const target = [...places].find((place) => !place.closest("[hidden]"));
    if (!target) {
      general.push(message);
      continue;
    }
    target.textContent = message;
    const field = target.closest(".field");
    const control = field && field.querySelector("input, select, textarea");
    control?.setAttribute("aria-invalid", "true");
    target.closest("details")?.setAttribute("open", "");
  }
  const beside = (problem.errors || []).length > general.length;
  form.querySelector("[data-error]").textContent = general.join(" ") || (beside ? "" : problem.message);
  form.querySelector('[aria-invalid="true"]')?.focus();
}

export function clearProblem(form) {
  for (const place of form.querySelectorAll("[data-error], [data-error-for]")) place.textContent = "";
  for (const control of form.querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
}

export function size(bytes) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (bytes < 1000) return `${unit === "B" || bytes >= 100 ? Math.round(bytes) : bytes.toFixed(1)} ${unit}`;
    bytes /= 1000;
  }
  return `${bytes.toFixed(1)} TB`;
}
