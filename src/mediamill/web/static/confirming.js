// Ask for the password once more, and the code, where the service wants that before what it is asked.
import { call, clearProblem, showProblem } from "./api.js";

const LINES = `
  <form method="dialog" novalidate>
    <h2>Is it you?</h2>
    <p>Give your password once more. It counts for ten minutes.</p>
    <div class="field">
      <label for="confirm-password">Password</label>
      <input id="confirm-password" name="password" type="password" autocomplete="current-password" required>
    </div>
    <div class="field" hidden>
      <label for="confirm-code">Code of your app, or a recovery code</label>
      <input id="confirm-code" name="code" autocomplete="one-time-code" aria-describedby="confirm-code-error">
      <p class="error" id="confirm-code-error" data-error-for="code"></p>
    </div>
    <details>
      <summary>You have no password here?</summary>
      <p>Sign out and in again as you came: this counts too. If that was by a link that the service printed,
        <code>mediamill admin users sign-in-link</code> prints another one at its machine. Then set a password on the
        account page within ten minutes.</p>
    </details>
    <p class="error" role="alert" data-error></p>
    <div class="actions">
      <button class="primary" type="submit">Confirm</button>
      <button type="button" data-close>Cancel</button>
    </div>
  </form>`;

// Resolves to whether they have proved it; false when they close the dialog.
export function confirmed() {
  const dialog = document.createElement("dialog");
  dialog.innerHTML = LINES;
  dialog.setAttribute("aria-label", "Is it you?");
  document.body.append(dialog);
  const form = dialog.querySelector("form");
  let done = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearProblem(form);
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    try {
      const { password, code } = Object.fromEntries(new FormData(form));
      await call("POST", "/v1/auth/confirm", { password, code });
      done = true;
      dialog.close();
    } catch (problem) {
      const field = form.code.closest(".field");
      if (problem.code === "second_factor_required" && field.hidden) {
        field.hidden = false;
        form.code.focus();
      } else showProblem(form, problem);
    } finally {
      button.disabled = false;
    }
  });
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => { dialog.remove(); resolve(done); }, { once: true });
  });
}
