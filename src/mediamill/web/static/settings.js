// Name, share, copy and delete a project.
import { Problem, call, clearProblem, showProblem, size } from "./api.js";
import { asked } from "./asking.js";
import { ended, every, made, tried } from "./dataset.js";
import { fill, read } from "./ratios.js";
import { t } from "./texts.js";
import { tell } from "./times.js";
import { toast } from "./toast.js";

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
  form.querySelector("[data-saved]").textContent = t("words.saved");
});
acts("ratios", async (_, form) => {
  const { settings } = await call("GET", home);
  await call("PATCH", home, { settings: { ...settings, split: read(form) } });
  form.querySelector("[data-saved]").textContent = t("words.saved");
}, "settings.split.");
acts("expert", async ({ seed, max_files: most, export: form, steps }, place) => {
  const { settings } = await call("GET", home);
  const wanted = { ...settings, seed: number(seed), max_files: number(most), export: form || null, steps: listed(steps) };
  await call("PATCH", home, { settings: wanted });
  place.querySelector("[data-saved]").textContent = t("words.saved");
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
const days = (text) => (/^\d+$/.test(text) ? Number(text) : text || "installation");
acts("keep", async ({ keep_days: kept }, form) => {
  const project = await call("PATCH", home, { keep_days: days(kept.trim()) });
  const alone = form.querySelector("[data-alone]");
  alone.hidden = !project.keep_days_alone_at;
  if (project.keep_days_alone_at) tell(alone.querySelector("time"), project.keep_days_alone_at);
  form.querySelector("[data-saved]").textContent = t("words.saved");
});
get("keep-try")?.addEventListener("click", () => {
  const form = get("keep");
  clearProblem(form);
  tried(get("keep-try"), () => look(form), (problem) => showProblem(form, problem));
});
acts("end", async (_, form) => {
  const { user } = form.dataset;
  if (user && !await asked(t("settings.leave_ask"), t("settings.leave_ask_told"), t("settings.leave_it"))) return;
  await call("DELETE", user ? `${home}/shares/${user}` : home);
  if (!user) sessionStorage.setItem("mediamill.deleted", JSON.stringify({ home, name: get("name").value }));
  location.assign("/projects");
});

function listed(text) {
  if (!text.trim()) return [];
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Problem(422, { detail: "", errors: [{ pointer: "settings.steps", message: t("settings.steps_wrong", { why: error.message }) }] });
  }
}

const WHEN = ["now", "day", "week", "month", "later", "kept"];

// Show what goes when, of all files of the project.
async function look(form) {
  const rule = encodeURIComponent(form.elements.keep_days.value.trim() || "installation");
  const sums = {};
  let page, after = "", mixed = 0;
  do {
    page = await call("GET", `${home}/retention?keep_days=${rule}${after}`);
    for (const [when, going] of Object.entries({ ...page.goes, kept: page.kept })) {
      sums[when] ??= {};
      for (const [name, count] of Object.entries(going)) sums[when][name] = (sums[when][name] ?? 0) + count;
    }
    mixed += page.mixed;
    after = `&after=${encodeURIComponent(page.after)}`;
  } while (page.has_more);
  const told = WHEN.filter((when) => sums[when].files).map((when) => {
    const { files, bytes, results, frozen } = sums[when];
    const going = [t("words.files", { count: files }), size(bytes)];
    if (results) going.push(t("settings.goes_results", { count: results }));
    if (frozen) going.push(t("settings.goes_frozen", { count: frozen }));
    return made("li", {}, made("span", {}, made("strong", {}, t("settings.goes", { which: when })), `: ${going.join(", ")}`));
  });
  if (mixed) told.push(made("li", {}, t("settings.goes_mixed", { count: mixed })));
  get("keep-look").replaceChildren(...(told.length ? told : [made("li", { class: "empty" }, t("settings.goes_none"))]));
}

async function shares() {
  const all = await every(`${home}/shares`, 500);
  get("alone").hidden = all.length > 0;
  get("shares").replaceChildren(...all.map((one) => {
    const name = one.email || one.name || one.id;
    const role = made("select", { "aria-label": t("settings.share_role", { name }) }, ...["viewer", "editor"].map((which) => new Option(t("project.role", { which }), which)));
    role.value = one.role;
    role.addEventListener("change", () => tried(role, () => call("POST", `${home}/shares`, { user: one.id, role: role.value }), (problem) => showProblem(get("share"), problem)));
    const away = made("button", { type: "button", class: "quiet", "aria-label": t("settings.unshare_one", { name }) }, t("words.remove"));
    away.addEventListener("click", () => tried(away, async () => {
      await call("DELETE", `${home}/shares/${one.id}`);
      await shares();
      toast(t("settings.unshared", { name }), {
        undo: async () => {
          await call("POST", `${home}/shares`, { user: one.id, role: one.role });
          await shares();
        },
      });
    }, (problem) => showProblem(get("share"), problem)));
    return made("li", { class: "row" }, made("div", { class: "about" }, made("span", { class: "name" }, name)), role, away);
  }));
}

const coming = [];
if (get("ratios")) {
  coming.push(tried(null, async () => fill(get("ratios"), (await call("GET", home)).settings.split), (problem) => showProblem(get("ratios"), problem)));
}
if (get("shares")) coming.push(tried(null, shares, (problem) => showProblem(get("share"), problem)));
await Promise.all(coming);
