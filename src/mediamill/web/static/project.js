// A project’s images: brought in, filtered, chosen, moved, copied and removed.
import { call, clearProblem, showProblem } from "./api.js";
import { asked } from "./asking.js";
import { Choosing } from "./choosing.js";
import { ended, every, made, pages, tried } from "./dataset.js";
import { pathOf, placed, receive, shown as visible } from "./dropping.js";
import { Placing, describes } from "./folders.js";
import { Grid } from "./grid.js";
import { Paged } from "./paged.js";
import { cell } from "./project_cell.js";
import { remember } from "./sequence.js";
import { t } from "./texts.js";
import { toast } from "./toast.js";
import { upload } from "./upload.js";
import { zipped } from "./zip.js";

const page = document.getElementById("project");
const id = page.dataset.project;
const get = (name) => document.getElementById(name);
const filters = get("filters");
const panel = get("more-filters");
const home = `/v1/projects/${id}`;
const fail = (problem) => showProblem(page, problem);
let whole = 0; // how many of all that the filters let through are known, if all are meant

function query() {
  const { subset, split, class: category } = Object.fromEntries(new FormData(filters));
  const asked = new URLSearchParams();
  if (subset) asked.set("subset", subset);
  if (split !== "any") asked.set("split", split);
  if (category) asked.set("class", category);
  if (filters.elements.bare.checked) asked.set("annotated", "false");
  const text = asked.toString();
  return text && `&${text}`;
}

const source = new Paged(() => `${home}/files?${query().slice(1)}`);
const grid = new Grid(get("grid"), { source, cell: (_, item) => cell(item, `/projects/${id}/annotate/${item.id}`), head: () => get("head").offsetHeight, changed: shown });
const { choice } = grid;
new Choosing(grid, { all: everything });

function shown() {
  const { items } = source;
  const picked = choice.size;
  if (whole > picked) whole = 0;
  if (whole && whole < items.length) {
    everything(); // what came since is meant, too
    return;
  }
  const chosen = Boolean(whole || picked);
  get("selection").hidden = !chosen;
  get("head").classList.toggle("choosing", chosen);
  filters.inert = chosen;
  get("chosen").textContent = whole ? t("project.selected_all") : t("project.selected", { count: picked });
  get("all").hidden = Boolean(whole) || (source.whole && picked === items.length);
  const bare = source.whole && !items.length;
  get("none").hidden = !bare || Boolean(query());
  get("none-so").hidden = !bare || !query();
  get("head").hidden = !get("none").hidden;
  get("drop")?.classList.toggle("slim", get("none").hidden);
}

// The editor goes on in this order.
addEventListener("pagehide", () => remember(id, query(), source.items.map((item) => item.id), source.after));

async function counts() {
  const project = await call("GET", home);
  const all = Object.entries(project.counts).flatMap(([subset, splits]) => Object.entries(splits).map(([split, n]) => ({ subset, split, n })));
  const sum = (test) => all.filter(test).reduce((total, one) => total + one.n, 0);
  const parts = ["train", "validation", "test"].map((split) => [split, sum((one) => one.split === split)]);
  const none = sum((one) => !one.split);
  const told = parts.filter(([, n]) => n).map(([split, n]) => t("project.in_split", { which: split, n }));
  if (none && told.length) told.push(t("project.in_split", { which: "none", n: none }));
  get("counts").textContent = [t("words.images", { count: sum(() => true) }), ...told].join(" · ");
}

async function refresh() {
  await Promise.all([source.reload(), counts()]);
}

// -- bring in ----------------------------------------------------------------------------------

let stale = false;
function arrived() {
  if (stale) return;
  stale = true;
  setTimeout(() => {
    stale = false;
    tried(null, refresh, fail);
  }, 700);
}

const placing = new Placing(id, arrived, fail);

// Folders say of images what they say in a zip; what describes images is offered for import.
async function take(files) {
  const all = visible(files);
  const meaning = get("folders").value;
  const zips = all.filter((file) => /\.zip$/i.test(file.name));
  const notes = all.filter(describes);
  const images = all.filter((file) => !zips.includes(file) && !describes(file));
  upload(zips, { done: (file) => unpack(file, meaning) });
  upload(images, { project: id, tags: placed, done(answer, file) {
    arrived();
    placing.take(answer.id, file, meaning);
  } });
  if (!notes.length) return;
  const set = notes.length === 1 ? notes[0] : await zipped(notes, "annotations.zip", pathOf);
  if (set) upload([set], { done: (file) => offer(made("li", {}), file, notes.map(pathOf)) });
  else fail({ message: t("project.notes_left", { count: notes.length }) });
}

function offer(line, file, names) {
  const some = names.slice(0, 3).join(", ") + (names.length > 3 ? " …" : "");
  line.append(made("p", {}, t("project.notes_found", { names: some }), " ", made("a", { href: `/projects/${id}/classes?file=${file.id}` }, t("project.notes_import"))));
  get("imports").append(line);
}

// A zip is a file of its own first; what is in it joins the project, in the background.
async function unpack(file, folders) {
  const state = made("span", { class: "muted" }, t("project.importing"));
  const bar = made("progress", { max: "1", value: "0", "aria-label": t("project.import_of", { name: file.name }) });
  const line = made("li", {}, made("span", {}, file.name), state, bar);
  get("imports").append(line);
  try {
    const task = await ended(id, await call("POST", `${home}/import`, { file: file.id, folders }), (now) => {
      bar.value = now.progress;
      if (now.total) state.textContent = t("project.import_at", { done: now.done, total: now.total });
      if (now.done) arrived();
    });
    bar.remove();
    const { taken, failed, failures, annotations } = task.outcome;
    state.textContent = failed ? t("project.taken_but", { count: taken, failed }) : t("project.taken", { count: taken });
    for (const each of (failures || []).slice(0, 20)) line.append(made("p", { class: "error" }, `${each.name || each.path || ""}: ${each.error || each.message || each.code || ""}`));
    if (annotations?.length) offer(line, file, annotations);
    else if (!failed) setTimeout(() => line.remove(), 4000);
  } catch (problem) {
    bar.remove();
    state.textContent = "";
    line.append(made("p", { class: "error" }, problem.message));
  }
  arrived();
}

if (get("drop")) receive(get("drop"), [get("choose"), get("choose-folder")], take);

// -- with what is selected -----------------------------------------------------------------------

async function* selection() {
  if (!whole) {
    const ids = choice.list;
    for (let n = 0; n < ids.length; n += 1000) yield ids.slice(n, n + 1000);
    return;
  }
  const ids = [];
  for await (const some of pages(`${home}/files?${query().slice(1)}`)) ids.push(...some.map((file) => file.id));
  for (let n = 0; n < ids.length; n += 1000) yield ids.slice(n, n + 1000);
}

async function done() {
  whole = 0;
  choice.clear();
  await refresh();
}

// Tasks are taken back the last one first.
async function moved(count, tasks) {
  await done();
  if (!count) return toast(t("project.moved_none"));
  return toast(t("project.moved", { count }), {
    undo: async () => {
      for (; tasks.length; tasks.pop()) await ended(id, await call("POST", `${home}/tasks/${tasks.at(-1).id}/undo`));
      await done();
    },
  });
}

async function move(fields) {
  const { subset, split } = Object.fromEntries(new FormData(filters));
  if (whole && !filters.elements.class.value && !filters.elements.bare.checked) {
    const members = { ...(subset && { subset }), ...(split !== "any" && { split }) };
    const task = await ended(id, await call("PATCH", `${home}/files`, { members, set: fields }));
    return moved(task.outcome.moved ?? task.done, [task]);
  }
  const tasks = [];
  let count = 0;
  for await (const files of selection()) {
    tasks.push(await ended(id, await call("PATCH", `${home}/files`, { files, set: fields })));
    count += tasks.at(-1).outcome.moved ?? files.length;
  }
  return moved(count, tasks);
}

get("move")?.addEventListener("change", (event) => {
  const [field, value] = event.target.value.split(":");
  event.target.value = "";
  clearProblem(page);
  if (field) tried(null, () => move({ [field]: value }), fail);
});

get("remove")?.addEventListener("click", (event) => {
  const question = whole ? t("project.remove_all") : t("project.remove", { count: choice.size });
  tried(event.target, async () => {
    if (!await asked(question, t("project.remove_told"), t("project.remove_it"))) return;
    let removed = 0;
    for await (const files of selection()) removed += (await call("DELETE", `${home}/files`, { files })).removed;
    await done();
    toast(t("project.removed", { count: removed }));
  }, fail);
});

get("copy").addEventListener("click", () => tried(null, async () => {
  const others = (await every("/v1/projects", 200)).filter((one) => one.id !== id);
  get("target").replaceChildren(...others.map((one) => new Option(one.name, one.id)), new Option(t("project.copy_new"), ""));
  get("copy-dialog").showModal();
}, fail));
get("copy-dialog").addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) get("copy-dialog").close();
});
get("copy-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  clearProblem(form);
  tried(form.querySelector("[type=submit]"), async () => {
    const name = form.elements.name.value.trim();
    const chosen = form.elements.target.value;
    const target = name || !chosen ? (await call("POST", "/v1/projects", { name })).id : chosen;
    let added = 0;
    for await (const files of selection()) added += (await call("POST", `/v1/projects/${target}/files`, { files })).added;
    get("copy-dialog").close();
    await done();
    get("status").replaceChildren(t("project.copied", { count: added }), " ", made("a", { href: `/projects/${target}` }, t("project.copied_open")));
  }, (problem) => showProblem(form, problem));
});

// What the filters let through, also what is not loaded yet.
function everything() {
  whole = source.count;
  choice.all();
}

get("all").addEventListener("click", everything);
get("leave").addEventListener("click", () => {
  whole = 0;
  choice.clear();
});
get("clear").addEventListener("click", () => {
  filters.reset();
  filtered();
  filters.elements.split[0].focus();
});
filters.addEventListener("change", filtered);
filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !panel.contains(event.target)) return;
  panel.open = false;
  panel.querySelector("summary").focus();
});
document.addEventListener("pointerdown", (event) => {
  if (!panel.contains(event.target)) panel.open = false;
});

function filtered() {
  const { subset, class: category, bare } = filters.elements;
  panel.querySelector("[data-count]").textContent = [subset.value, category.value, bare.checked].filter(Boolean).length || "";
  whole = 0;
  choice.clear();
  clearProblem(page);
  tried(null, () => source.reload(), fail);
}

await tried(null, async () => {
  await refresh();
  const classes = await call("GET", `${home}/classes`);
  filters.elements.class.append(...classes.data.map((one) => new Option(one.name, one.name)));
}, fail);
