// The account's page: ways to sign in, sessions, and API tokens.
import { call, clearProblem, showProblem } from "./api.js";
import { made } from "./dataset.js";
import { t } from "./texts.js";
import { day } from "./times.js";

const ways = document.getElementById("ways");
const sessions = document.getElementById("sessions");
const tokens = document.getElementById("tokens");
const form = document.getElementById("new-token");
const shown = document.getElementById("made-token");

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

sessions.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-end], [data-end-others]");
  if (!button) return;
  await tried(sessions, button, async () => {
    const { end } = button.dataset;
    await call("DELETE", end ? `/v1/me/sessions/${end}` : "/v1/me/sessions");
    const others = end ? [button] : sessions.querySelectorAll("[data-end]");
    for (const other of others) other.closest(".row").remove();
    if (!sessions.querySelector("[data-end]")) sessions.querySelector(".actions")?.remove();
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
  const fields = new FormData(form);
  await tried(form, form.querySelector("button"), async () => {
    const wanted = { name: fields.get("name") };
    if (fields.get("expires_in_days")) wanted.expires_in_days = Number(fields.get("expires_in_days"));
    if (fields.has("scopes")) wanted.scopes = fields.getAll("scopes");
    const issued = await call("POST", "/v1/tokens", wanted);
    shown.querySelector("code").textContent = issued.token;
    shown.querySelector("[data-copy]").textContent = t("words.copy");
    shown.hidden = false;
    shown.focus();
    tokens.querySelector("ul").prepend(row(issued));
    form.reset();
  });
});

// Whoever is faster than this script would press in vain.
for (const button of document.querySelectorAll("#ways button, #sessions button, #tokens button")) button.disabled = false;

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
  const until = issued.expires_at ? t("account.good_until", { day: day(issued.expires_at) }) : t("account.good_always");
  const may = issued.scopes ? t("account.may_some", { scopes: issued.scopes.join(", ") }) : t("account.may_all");
  return made("li", { class: "row" },
    made("div", { class: "about" },
      made("span", { class: "name" }, issued.name),
      made("span", { class: "muted" }, `${until} · ${may} · ${t("account.unused")}`)),
    made("button", { type: "button", class: "quiet", "data-revoke": issued.id, "aria-label": t("account.revoke_one", { name: issued.name }) }, t("account.revoke")));
}
