// Steps that somebody began and left are kept for the session, and offered when they come back.
import { t } from "../texts.js";
import { label } from "./steps.js";

const KEY = "mediamill.new-job";
const note = document.getElementById("draft");

export function keep(steps) {
  if (!steps.length) return;
  note.hidden = true;
  try {
    sessionStorage.setItem(KEY, JSON.stringify(steps));
  } catch { /* more than the browser keeps */ }
}

export function forget() {
  sessionStorage.removeItem(KEY);
  note.hidden = true;
}

export function offer(take) {
  const steps = JSON.parse(sessionStorage.getItem(KEY) || "[]");
  if (!steps.length) return;
  note.querySelector("[data-told]").textContent = t("new_job.draft", { steps: steps.map((one) => label(one.operation)).join(" → ") });
  note.hidden = false;
  note.querySelector("[data-back]").addEventListener("click", () => take(steps));
  note.querySelector("[data-forget]").addEventListener("click", forget);
}
