// Administration: workers, users, their limits and access, invitations, feedback.
import { call, clearProblem, part, showProblem, size } from "./api.js";
import { asked } from "./asking.js";
import "./copying.js";
import { tried } from "./dataset.js";
import { t } from "./texts.js";
import { toast } from "./toast.js";

const get = (name) => document.getElementById(name);

// A place whose buttons with one of these marks do something; a problem is shown in it.
function presses(place, mark, action) {
  place?.addEventListener("click", (event) => {
    const button = event.target.closest(`[data-${mark}]`);
    if (!button) return;
    const around = event.target.closest("article, section, form");
    clearProblem(around);
    tried(button, () => action(button, around), (problem) => showProblem(around, problem));
  });
}

// A form with what it does.
function acts(name, action) {
  const form = get(name);
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    clearProblem(form);
    const saved = form.querySelector("[data-saved]");
    if (saved) saved.textContent = "";
    tried(form.querySelector("[type=submit]"), () => action(Object.fromEntries(new FormData(form)), form), (problem) => showProblem(form, problem));
  });
}

// -- workers ------------------------------------------------------------------------------------------

presses(get("workers"), "worker", async ({ dataset }) => {
  await call("POST", `/v1/admin/workers/${dataset.worker}/${dataset.act}`);
  location.reload();
});

// -- users --------------------------------------------------------------------------------------------

acts("add-user", async ({ password, ...fields }, form) => {
  const { user, invitation } = await call("POST", "/v1/admin/users", password ? { ...fields, password } : fields);
  if (user) return location.assign(`/admin/users/${user.id}`);
  get("invited").querySelector("code").textContent = invitation.url;
  get("invited").querySelector("[data-copy]").textContent = t("words.copy");
  get("invited").hidden = false;
  get("invited").focus();
  form.reset();
  return undefined;
});

presses(get("invitations"), "revoke", async (button) => {
  await call("DELETE", `/v1/admin/invitations/${button.dataset.revoke}`);
  button.closest(".row").remove();
});

// -- one user -----------------------------------------------------------------------------------------

const path = `/v1/admin/users/${get("user")?.dataset.user}`;

// What was not touched here may have been changed by others since: it is not sent, and then shown.
const served = (field) => [...(field.options || [])].find((one) => one.defaultSelected)?.value ?? field.defaultValue;
const known = Object.fromEntries([...(get("change-user")?.elements || [])].filter((one) => one.name).map((one) => [one.name, served(one)]));

acts("change-user", async (fields, form) => {
  const touched = Object.entries(fields).filter(([name, value]) => value !== known[name]);
  const user = await call("PATCH", path, Object.fromEntries(touched));
  for (const name of Object.keys(known)) form.elements[name].value = known[name] = user[name];
  form.querySelector("[data-saved]").textContent = t("words.saved");
});

acts("quota", async (fields) => {
  const wanted = Object.entries(fields).map(([name, text]) => [name, text === "" ? null : Number(text)]);
  await call("PUT", `${path}/quota`, Object.fromEntries(wanted));
  location.reload();
});

// A number of bytes says little to people.
const bytes = get("field-bytes");
const written = () => { get("field-bytes-help").textContent = Number(bytes.value) > 0 ? size(Number(bytes.value)) : ""; };
bytes?.addEventListener("input", written);
if (bytes) written();

presses(get("quota"), "usual", async () => {
  await call("DELETE", `${path}/quota`);
  location.reload();
});

const DEEDS = {
  sessions: { act: () => call("DELETE", `${path}/sessions`), question: () => asked(t("admin.end_sessions"), t("admin.end_sessions_told"), t("admin.end_sessions_it")), told: () => t("admin.sessions_ended") },
  factors: { act: () => call("DELETE", `${path}/factors`), question: () => asked(t("admin.end_factor"), t("admin.end_factor_told"), t("admin.end_factor_it")) },
  disable: { act: () => call("PATCH", path, { disabled: true }), back: () => call("PATCH", path, { disabled: false }), told: () => t("admin.kept_out") },
  enable: { act: () => call("PATCH", path, { disabled: false }) },
  erase: { act: () => call("DELETE", path), back: (erasure) => keep(erasure.id), told: () => t("admin.erased") },
  keep: { act: ({ erasure }) => keep(erasure) },
};

const keep = (erasure) => call("POST", `/v1/admin/erasures/${erasure}/undo`);

// The card anew, as the server has it now.
async function shown() {
  const fresh = await part(location.pathname);
  for (const one of ["access", "user-heading"]) get(one)?.replaceChildren(...fresh.getElementById(one).childNodes);
  ready();
}

presses(get("access"), "do", async ({ dataset }) => {
  const { act, back, question, told } = DEEDS[dataset.do];
  if (question && !await question()) return;
  const made = await act(dataset);
  await shown();
  if (told) toast(told(), { undo: back && (async () => { await back(made); await shown(); }) });
});

// -- feedback -----------------------------------------------------------------------------------------

presses(get("feedback"), "mark", async ({ dataset }, card) => {
  await call("PATCH", `/v1/admin/feedback/${card.dataset.feedback}`, { state: dataset.mark });
  card.remove();
});

presses(get("feedback"), "delete", async (_, card) => {
  if (!await asked(t("admin.delete_feedback"), t("admin.delete_feedback_told"), t("words.delete"))) return;
  await call("DELETE", `/v1/admin/feedback/${card.dataset.feedback}`);
  card.remove();
});

// Whoever is faster than this script would press in vain.
function ready() {
  for (const button of document.querySelectorAll("main button")) button.disabled = false;
}

ready();
