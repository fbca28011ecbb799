// The account's page: ways to sign in, and API tokens.
import { call, clearProblem, showProblem } from "./api.js";

const ways = document.getElementById("ways");
const tokens = document.getElementById("tokens");
const form = document.getElementById("new-token");
const made = document.getElementById("made-token");

ways?.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-link], [data-unlink]");
  if (!button) return;
  await tried(ways, button, async () => {
    if (button.dataset.unlink) {
      await call("DELETE", `/v1/me/identities/${button.dataset.unlink}`);
      button.closest(".row").remove();
    } else {
      location.assign((await call("POST", "/v1/me/identities")).url);
    }
  });
});

tokens.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-revoke]");
  if (!button) return;
  await tried(form, button, async () => {
    await call("DELETE", `/v1/tokens/${button.dataset.revoke}`);
    button.closest(".row").remove();
  });
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, expires_in_days: days } = Object.fromEntries(new FormData(form));
  await tried(form, form.querySelector("button"), async () => {
    const wanted = days ? { name, expires_in_days: Number(days) } : { name };
    const issued = await call("POST", "/v1/tokens", wanted);
    made.querySelector("code").textContent = issued.token;
    made.hidden = false;
    tokens.querySelector("ul").prepend(row(issued));
    form.reset();
  });
});

// Whoever is faster than this script would press in vain.
for (const button of document.querySelectorAll("#ways button, #tokens button")) button.disabled = false;

async function tried(place, button, action) {
  clearProblem(place);
  button.disabled = true;
  try {
    await action();
  } catch (problem) {
    showProblem(place, problem);
  } finally {
    button.disabled = false;
  }
}

function row(issued) {
  const made = document.createElement("li");
  made.className = "row";
  const about = made.appendChild(document.createElement("div"));
  about.className = "about";
  const name = about.appendChild(document.createElement("span"));
  name.className = "name";
  name.textContent = issued.name;
  const until = about.appendChild(document.createElement("span"));
  until.className = "muted";
  until.textContent = issued.expires_at
    ? `good until ${issued.expires_at.slice(0, 10)}` : "good until revoked";
  const revoke = made.appendChild(document.createElement("button"));
  revoke.type = "button";
  revoke.dataset.revoke = issued.id;
  revoke.setAttribute("aria-label", `Revoke ${issued.name}`);
  revoke.textContent = "Revoke";
  return made;
}
