// The account's page: an authenticator app beside the password, and recovery codes.
import { call, clearProblem, showProblem } from "./api.js";

const place = document.getElementById("second-factor");
const form = document.getElementById("first-code");
const recovery = document.getElementById("recovery");
let drawn = "";

const acts = {
  async begin(button) {
    const made = await call("POST", "/v1/me/factors/totp");
    URL.revokeObjectURL(drawn);
    drawn = URL.createObjectURL(new Blob([made.qr_code], { type: "image/svg+xml" }));
    document.getElementById("factor-qr").src = drawn;
    document.getElementById("factor-secret").textContent = made.secret.match(/.{1,4}/g).join(" ");
    form.hidden = false;
    button.hidden = true;
    form.code.focus();
  },
  async renew() {
    show(await call("POST", "/v1/me/factors/recovery-codes"));
  },
  async off() {
    await call("DELETE", "/v1/me/factors/totp");
    location.reload();
  },
  async kept() {
    location.reload();
  },
};

place.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-factor]");
  if (button) await tried(place, button, () => acts[button.dataset.factor](button));
});

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  await tried(form, form.querySelector("[type=submit]"), async () => {
    show(await call("POST", "/v1/me/factors/totp/confirm", { code: form.code.value }));
    URL.revokeObjectURL(drawn);
    form.remove();
  });
});

// Whoever is faster than this script would press in vain.
for (const button of place.querySelectorAll("button")) button.disabled = false;

function show(made) {
  recovery.querySelector("code").textContent = made.recovery_codes.join("\n");
  recovery.hidden = false;
  recovery.focus();
  for (const actions of place.querySelectorAll(":scope > .actions")) actions.hidden = true;
}

async function tried(where, button, action) {
  clearProblem(place);
  button.disabled = true;
  try {
    await action();
  } catch (problem) {
    showProblem(where, problem);
  } finally {
    button.disabled = false;
  }
}
