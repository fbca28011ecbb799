// Name, share, copy and delete a project.
import { Problem, call, clearProblem, showProblem } from "./api.js";
import "./page.js";
import { ended, every, made, tried } from "./dataset.js";
import { fill, read } from "./ratios.js";

const page = document.getElementById("settings");
const id = page.dataset.project;
const home = `/v1/projects/${id}`;
const get = (name) => document.getElementById(name);

// A form with what it does; its problems are shown in it.
function acts(name, action, prefix = "") {
  const form = get(name);
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    clearProblem(form);
    const fields = Object.fromEntries(new FormData(form));
    tried(form.querySelector("[type=submit]"), () => action(fields, form), (problem) => showProblem(form, problem, prefix));
  });
  form?.addEventListener("input", () => {
    const saved = form.querySelector("[data-saved]");
    if (saved) saved.textContent = "";
  });
}

const number = (text) => (text === "" ? null : Number(text));

acts("about", async (fields, form) => {
  const project = await call("PATCH", home, fields);
  document.querySelector("h1 a").textContent = project.name;
  form.querySelector("[data-saved]").textContent = "Saved.";
});
acts("ratios", async (_, form) => {
  const { settings } = await call("GET", home);
  await call("PATCH", home, { settings: { ...settings, split: read(form) } });
  form.querySelector("[data-saved]").textContent = "Saved.";
}, "settings.split.");
acts("expert", async ({ seed, max_files: most, export: form, steps }, place) => {
  const { settings } = await call("GET", home);
  const wanted = { ...settings, seed: number(seed), max_files: number(most), export: form || null, steps: listed(steps) };
  await call("PATCH", home, { settings: wanted });
  place.querySelector("[data-saved]").textContent = "Saved.";
}, "settings.");
acts("share", async (fields, form) => {
  await call("POST", `${home}/shares`, fields);
  form.reset();
  await shares();
});
acts("copy", async ({ name, files, seed }, form) => {
  const bar = form.querySelector("progress");
  const task = await call("POST", `${home}/copy`, { name, files: number(files), seed: number(seed) ?? 0 });
  const copy = task.links.self.split("/")[3];
  bar.hidden = false;
  await ended(copy, task, ({ progress }) => { bar.value = progress; });
  location.assign(`/projects/${copy}`);
});
acts("end", async (_, form) => {
  const { user } = form.dataset;
  if (!confirm(user ? "Leave this project?" : "Delete this project? For 24 hours it can be brought back.")) return;
  await call("DELETE", user ? `${home}/shares/${user}` : home);
  location.assign("/projects");
});

function listed(text) {
  if (!text.trim()) return [];
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Problem(422, { detail: "", errors: [{ pointer: "settings.steps", message: `This is not JSON: ${error.message}` }] });
  }
}

async function shares() {
  const all = await every(`${home}/shares`, 500);
  get("alone").hidden = all.length > 0;
  get("shares").replaceChildren(...all.map((one) => {
    const role = made("select", { "aria-label": `What ${one.email} may` }, new Option("viewer"), new Option("editor"));
    role.value = one.role;
    role.addEventListener("change", () => tried(role, () => call("POST", `${home}/shares`, { user: one.id, role: role.value }), (problem) => showProblem(get("share"), problem)));
    const away = made("button", { type: "button", class: "quiet", "aria-label": `Stop sharing with ${one.email}` }, "Remove");
    away.addEventListener("click", () => tried(away, async () => {
      await call("DELETE", `${home}/shares/${one.id}`);
      await shares();
    }, (problem) => showProblem(get("share"), problem)));
    return made("li", { class: "row" }, made("div", { class: "about" }, made("span", { class: "name" }, one.email || one.name || one.id)), role, away);
  }));
}

if (get("ratios")) {
  tried(null, async () => fill(get("ratios"), (await call("GET", home)).settings.split), (problem) => showProblem(get("ratios"), problem));
}
if (get("shares")) tried(null, shares, (problem) => showProblem(get("share"), problem));
