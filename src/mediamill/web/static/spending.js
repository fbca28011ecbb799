// Spending: administrators set budgets.
import { call } from "./api.js";
import { tried } from "./dataset.js";

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
      await call("PUT", path, { monthly: monthly.value === "" && !monthly.validity.badInput ? null : monthly.validity.badInput ? "no number" : Number(monthly.value) });
      told.textContent = "Set.";
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
