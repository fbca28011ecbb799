// Ask for the password once more, and the code, where the service wants that before what it is asked.
import { call, clearProblem, showProblem } from "./api.js";

// Resolves to whether they have proved it; false when they close the dialog.
export function confirmed() {
  const dialog = document.querySelector("#confirming");
  const form = dialog.querySelector("form");
  const code = form.elements.code.closest(".field");
  let done = false;
  form.reset();
  clearProblem(form);
  code.hidden = true;
  form.querySelector("[type=submit]").disabled = false;
  form.onsubmit = async (event) => {
    event.preventDefault();
    clearProblem(form);
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    try {
      const { password, code: given } = Object.fromEntries(new FormData(form));
      await call("POST", "/v1/auth/confirm", { password, code: given });
      done = true;
      dialog.close();
    } catch (problem) {
      if (problem.code === "second_factor_required" && code.hidden) {
        code.hidden = false;
        form.elements.code.focus();
      } else showProblem(form, problem);
    } finally {
      button.disabled = false;
    }
  };
  dialog.querySelector("[data-close]").onclick = () => dialog.close();
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => { form.reset(); resolve(done); }, { once: true });
  });
}
