// The account's page: save which mails somebody wants.
import "./page.js";
import { call, clearProblem, showProblem } from "./api.js";

const form = document.getElementById("notifications");
const saved = document.getElementById("saved");

form.addEventListener("change", () => { saved.textContent = ""; });
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearProblem(form);
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    await call("PATCH", "/v1/me/notifications", { email: Object.fromEntries(new FormData(form)) });
    saved.textContent = "Saved.";
  } catch (problem) {
    showProblem(form, problem, "email.");
  } finally {
    button.disabled = false;
  }
});
