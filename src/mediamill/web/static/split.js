// Split a project, and show how near that came to what was asked.
import { call, clearProblem, showProblem } from "./api.js";
import { stacked } from "./charts.js";
import { ended, percent, tried } from "./dataset.js";
import { SPLITS, fill, read } from "./ratios.js";
import { t } from "./texts.js";
import { toast } from "./toast.js";

const id = document.getElementById("splits").dataset.project;
const home = `/v1/projects/${id}`;
const get = (name) => document.getElementById(name);
const form = get("form");
let last = null;

async function now() {
  const { counts, settings } = await call("GET", home);
  const rows = Object.entries(counts).map(([subset, splits]) => [subset, splits])
    .filter(([subset, splits]) => subset === "original" || Object.values(splits).some(Boolean));
  get("now").replaceChildren(...rows.map(([subset, splits]) => stacked(t("project.subset", { which: subset }), parts(splits))));
  return settings;
}

function parts(counts, text = (value) => value.toLocaleString("en")) {
  const named = SPLITS.map((split) => ({ name: t("project.split", { which: split }), kind: split, value: counts[split] || 0, text: text(counts[split] || 0) }));
  return [...named, { name: t("project.split", { which: "none" }), kind: "none", value: counts[""] || 0, text: text(counts[""] || 0) }];
}

function show(task) {
  last = task;
  const { wanted, reached, classes, groups, largest_group: largest, straddling, unchecked, moved } = task.outcome;
  get("outcome").hidden = false;
  const told = [t("split.moved", { count: task.total, moved }), t("split.groups", { count: groups, largest })];
  if (straddling) told.push(t("split.straddling", { count: straddling }));
  if (unchecked) told.push(t("split.unchecked", { count: unchecked }));
  get("told").textContent = told.join(" ");
  get("reached").replaceChildren(stacked(t("split.wanted"), parts(wanted, percent)), stacked(t("split.reached"), parts(reached, percent)));
  const rows = Object.entries(classes).map(([name, counts]) => stacked(name, parts(counts)));
  get("by-class").replaceChildren(...(rows.length ? rows : [t("split.nothing_annotated")]));
  if (get("undo")) get("undo").hidden = false;
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  clearProblem(form);
  const body = read(form);
  tried(form.querySelector("[type=submit]"), async () => {
    get("progress").hidden = false;
    const task = await call("POST", `${home}/split`, body);
    show(await ended(id, task, ({ progress }) => { get("progress").value = progress; }));
    await now();
  }, (problem) => showProblem(form, problem)).finally(() => { get("progress").hidden = true; });
});

get("keep-split")?.addEventListener("click", (event) => {
  clearProblem(form);
  tried(event.target, async () => {
    const { settings } = await call("GET", home);
    await call("PATCH", home, { settings: { ...settings, split: read(form) } });
    get("kept").textContent = t("split.kept");
  }, (problem) => showProblem(form, problem, "settings.split."));
});

get("undo")?.addEventListener("click", (event) => tried(event.target, async () => {
  await ended(id, await call("POST", `${home}/tasks/${last.id}/undo`));
  get("outcome").hidden = true;
  event.target.hidden = true;
  toast(t("split.undone"));
  await now();
}, (problem) => showProblem(form, problem)));

await tried(null, async () => {
  const settings = await now();
  if (form && settings.split) fill(form, settings.split);
  const tasks = await call("GET", `${home}/tasks?limit=50`);
  const task = tasks.data.find((one) => one.kind === "split" && one.state === "succeeded");
  if (task) show(task);
}, (problem) => showProblem(form || document, problem));
