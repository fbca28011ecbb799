// The account's page: everything about somebody as one zip, deleting the account, and feedback.
import { Problem, call, clearProblem, showProblem, size } from "./api.js";
import { pause, tried } from "./dataset.js";
import { t } from "./texts.js";
import { moment } from "./times.js";

// -- the zip ------------------------------------------------------------------------------------------

const place = document.getElementById("export");
const ask = place.querySelector("button");
const bar = place.querySelector("progress");
const link = place.querySelector("a");
const told = place.querySelector("[data-told]");

async function follow(made) {
  bar.hidden = false;
  link.hidden = true;
  told.textContent = t("account.export_wait");
  for (let wait = 500; made.state === "waiting"; wait = Math.min(wait * 1.5, 5000)) {
    await pause(wait);
    made = await call("GET", "/v1/me/export");
  }
  bar.hidden = true;
  link.hidden = made.state !== "ready";
  ask.textContent = t("account.export_again");
  told.textContent = made.state === "ready"
    ? t("account.export_ready", { size: size(made.size), until: moment(made.expires_at) })
    : t("account.export_failed", { error: made.error });
}

function begin(method) {
  clearProblem(place);
  tried(ask, async () => follow(await call(method, "/v1/me/export")), (problem) => {
    bar.hidden = true;
    showProblem(place, problem);
  });
}

ask.addEventListener("click", () => begin("POST"));
if (place.dataset.state === "waiting") begin("GET");
else ask.disabled = false;

// -- the account --------------------------------------------------------------------------------------

acts("close", async ({ word }, form) => {
  if (word.trim() !== form.elements.word.dataset.word) {
    throw new Problem(422, { errors: [{ pointer: "word", message: t("account.close_type", { word: form.elements.word.dataset.word }) }] });
  }
  const { token } = await call("DELETE", "/v1/me");
  location.assign(`/erasures/${token}`);
});

acts("say", async ({ text, page }, form) => {
  const pictures = [...form.elements.pictures.files];
  if (pictures.length > 5) throw new Problem(422, { errors: [{ pointer: "files", message: t("account.five_pictures") }] });
  const files = [];
  for (const picture of pictures) files.push((await sent(picture)).id);
  await call("POST", "/v1/feedback", { text, page, files });
  form.reset();
  form.querySelector("[data-told]").textContent = t("account.feedback_sent");
});

async function sent(file) {
  const response = await fetch(`/v1/files?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file, headers: { Accept: "application/json" } });
  const answer = await response.json();
  if (!response.ok) throw new Problem(response.status, { detail: `${file.name}: ${answer.detail}` });
  return answer;
}

// A form with what it does; its problems are shown in it.
function acts(name, action) {
  const form = document.getElementById(name);
  const button = form.querySelector("[type=submit]");
  button.disabled = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearProblem(form);
    const said = form.querySelector("[data-told]");
    if (said) said.textContent = "";
    tried(button, () => action(Object.fromEntries(new FormData(form)), form), (problem) => showProblem(form, problem));
  });
}
