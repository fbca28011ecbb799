// Spending: administrators set budgets.
import { call } from "./api.js";
import { tried } from "./dataset.js";
import { t } from "./texts.js";

// What is no number is sent as something that is none, for the service to say so.
function asked({ value, validity }) {
  if (validity.badInput) return "?";
  return value === "" ? null : Number(value);
}

for (const form of document.querySelectorAll("[data-budget]")) {
  const path = `/v1/budgets/${encodeURIComponent(form.dataset.budget)}`;
  const [told, error] = [form.querySelector("[data-told]"), form.querySelector("[data-error]")];
  const failed = (problem) => { error.textContent = problem.errors.map((one) => one.message).join(" ") || problem.message; };
  const clear = () => { told.textContent = error.textContent = ""; };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clear();
    const { monthly } = form.elements;
    tried(form.querySelector("[type=submit]"), async () => {
      await call("PUT", path, { monthly: asked(monthly) });
      told.textContent = t("spending.is_set");
    }, failed);
  });
  form.querySelector("[data-usual]")?.addEventListener("click", (event) => {
    clear();
    tried(event.target, async () => {
      await call("DELETE", path);
      location.reload();
    }, failed);
  });
}
