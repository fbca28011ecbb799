// Dialogs that a button opens, and whose form does something before they close.
import { clearProblem, showProblem } from "../api.js";
import { tried } from "../dataset.js";
import { toast } from "../toast.js";

const get = (name) => document.getElementById(name);

export function opens(button, dialog, before = async () => {}) {
  get(button).addEventListener("click", (event) => tried(event.target, async () => {
    clearProblem(get(dialog));
    await before();
    get(dialog).showModal();
  }, (problem) => toast(problem.message, { error: true })));
  get(dialog).addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) get(dialog).close();
  });
}

export function sends(name, act) {
  const form = get(name);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearProblem(form);
    tried(form.querySelector("[type=submit]"), async () => {
      await act(form);
      form.closest("dialog").close();
    }, (problem) => showProblem(form, problem));
  });
}
