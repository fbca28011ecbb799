// What the pages of projects share: waiting for tasks, all pages of a list, rows, dialogs.
import { Problem, call } from "./api.js";

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Ask a task until it has ended; its failure is thrown.
export async function ended(project, task, show = () => {}) {
  for (let wait = 150; ; wait = Math.min(wait * 1.5, 2000)) {
    show(task);
    if (task.state === "succeeded") return task;
    if (task.state === "failed") throw new Problem(422, { detail: task.error, code: task.code });
    await pause(wait);
    task = await call("GET", `/v1/projects/${project}/tasks/${task.id}`);
  }
}

export async function* pages(path, limit = 100) {
  const joint = path.includes("?") ? "&" : "?";
  for (let after = ""; after !== null;) {
    const page = await call("GET", `${path}${joint}limit=${limit}${after && `&after=${encodeURIComponent(after)}`}`);
    yield page.data;
    after = page.has_more ? page.after : null;
  }
}

export async function every(path, most = 1000) {
  const found = [];
  for await (const some of pages(path)) {
    found.push(...some);
    if (found.length >= most) break;
  }
  return found;
}

// An element with a class, attributes and children, which may be texts.
export function made(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") element.className = value;
    else if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Run an action with its button out of reach, and its problem shown.
export async function tried(button, action, failed) {
  if (button) button.disabled = true;
  try {
    return await action();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    failed(problem);
    return undefined;
  } finally {
    if (button) button.disabled = false;
  }
}

export function percent(part) {
  return `${Math.round(part * 100)} %`;
}
