// A project’s images: brought in, filtered, chosen, moved, copied and removed.
import { call, clearProblem, showProblem } from "./api.js";
import { asked } from "./asking.js";
import { Choosing } from "./choosing.js";
import { ended, every, made, many, pages, tried } from "./dataset.js";
import { pathOf, placed, receive, shown as visible } from "./dropping.js";
import { Placing, describes } from "./folders.js";
import { Grid } from "./grid.js";
import { Paged } from "./paged.js";
import { cell } from "./project_cell.js";
import { remember } from "./sequence.js";
import { t } from "./texts.js";
import { upload } from "./upload.js";
import { zipped } from "./zip.js";

const page = document.getElementById("project");
const id = page.dataset.project;
const get = (name) => document.getElementById(name);
const filters = get("filters");
const home = `/v1/projects/${id}`;
const fail = (problem) => showProblem(page, problem);
const say = (text) => { get("status").textContent = text; };
let whole = 0; // how many of all that the filters let through are known, if all are meant
let undoable = null;

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
const grid = new Grid(get("grid"), { source, cell: (_, item) => cell(item, `/projects/${id}/annotate/${item.id}`), changed: shown });
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
  get("chosen").textContent = whole ? "All of them are selected" : picked ? `${many(picked, "image")} selected` : "Select all";
  get("all").checked = whole || (picked > 0 && source.whole && picked === items.length);
  get("all").indeterminate = !whole && picked > 0 && !get("all").checked;
  for (const name of ["move", "remove", "copy"]) if (get(name)) get(name).disabled = !(whole || picked);
  get("selection").hidden = !items.length;
  get("none").hidden = items.length > 0 || !source.whole;
  get("none").textContent = query() ? "No images like this." : "Nothing here yet. Drop images, a folder or a zip above.";
}

// The editor goes on in this order.
addEventListener("pagehide", () => remember(id, query(), source.items.map((item) => item.id), source.after));

async function counts() {
  const project = await call("GET", home);
  const all = Object.entries(project.counts).flatMap(([subset, splits]) => Object.entries(splits).map(([split, n]) => ({ subset, split, n })));
  const sum = (test) => all.filter(test).reduce((total, one) => total + one.n, 0);
  const parts = ["train", "validation", "test"].map((split) => [split, sum((one) => one.split === split)]);
  const none = sum((one) => !one.split);
  const told = parts.filter(([, n]) => n).map(([split, n]) => `${n.toLocaleString("en")} ${split}`);
  if (none && told.length) told.push(`${none.toLocaleString("en")} in no split`);
  get("counts").textContent = [many(sum(() => true), "image"), ...told].join(" · ");
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
  else fail({ message: `${many(notes.length, "file")} that describe images were left out: bring them in as a zip, under Annotations.` });
}

function offer(line, file, names) {
  line.append(made("p", {}, `There are annotations among them: ${names.slice(0, 3).join(", ")}${names.length > 3 ? " …" : ""}. `, made("a", { href: `/projects/${id}/classes?file=${file.id}` }, "Import them")));
  get("imports").append(line);
}

// A zip is a file of its own first; what is in it joins the project, in the background.
async function unpack(file, folders) {
  const state = made("span", { class: "muted" }, "reading…");
  const bar = made("progress", { max: "1", value: "0", "aria-label": `Import of ${file.name}` });
  const line = made("li", {}, made("span", {}, file.name), state, bar);
  get("imports").append(line);
  try {
    const task = await ended(id, await call("POST", `${home}/import`, { file: file.id, folders }), (now) => {
      bar.value = now.progress;
      if (now.total) state.textContent = `${now.done} of ${now.total}`;
      if (now.done) arrived();
    });
    bar.remove();
    const { taken, failed, failures, annotations } = task.outcome;
    state.textContent = `${many(taken, "image")} taken${failed ? `, ${failed} not` : ""}`;
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

async function done(text, task = null) {
  whole = 0;
  choice.clear();
  undoable = task;
  get("undo").hidden = !task;
  await refresh();
  say(text);
}

async function move(fields) {
  const { subset, split } = Object.fromEntries(new FormData(filters));
  if (whole && !filters.elements.class.value && !filters.elements.bare.checked) {
    const members = { ...(subset && { subset }), ...(split !== "any" && { split }) };
    const task = await ended(id, await call("PATCH", `${home}/files`, { members, set: fields }));
    return done(`${many(task.outcome.moved ?? task.done, "image")} moved.`, task);
  }
  let [count, last, rounds] = [0, null, 0];
  for await (const files of selection()) {
    last = await ended(id, await call("PATCH", `${home}/files`, { files, set: fields }));
    count += last.outcome.moved ?? files.length;
    rounds += 1;
  }
  return done(`${many(count, "image")} moved.`, rounds === 1 ? last : null);
}

get("move")?.addEventListener("change", (event) => {
  const [field, value] = event.target.value.split(":");
  event.target.value = "";
  clearProblem(page);
  if (field) tried(null, () => move({ [field]: value }), fail);
});

get("remove")?.addEventListener("click", (event) => {
  const question = whole ? t("projects.remove_all") : t("projects.remove", { count: choice.size });
  tried(event.target, async () => {
    if (!await asked(question, t("projects.remove_told"), t("projects.remove_it"))) return;
    let removed = 0;
    for await (const files of selection()) removed += (await call("DELETE", `${home}/files`, { files })).removed;
    await done(`${many(removed, "image")} removed from the project.`);
  }, fail);
});

get("undo").addEventListener("click", (event) => tried(event.target, async () => {
  await ended(id, await call("POST", `${home}/tasks/${undoable.id}/undo`));
  await done("Taken back.");
}, fail));

get("copy").addEventListener("click", () => tried(null, async () => {
  const others = (await every("/v1/projects", 200)).filter((one) => one.id !== id);
  get("target").replaceChildren(...others.map((one) => new Option(one.name, one.id)), new Option("a new project", ""));
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
    await done("");
    get("status").replaceChildren(`${many(added, "image")} copied to `, made("a", { href: `/projects/${target}` }, "that project"), ".");
  }, (problem) => showProblem(form, problem));
});

// What the filters let through, also what is not loaded yet.
function everything() {
  whole = source.count;
  choice.all();
}

get("all").addEventListener("change", (event) => {
  if (event.target.checked) everything();
  else choice.clear();
});
filters.addEventListener("change", () => {
  whole = 0;
  choice.clear();
  clearProblem(page);
  tried(null, () => source.reload(), fail);
});
filters.addEventListener("submit", (event) => event.preventDefault());

tried(null, async () => {
  await refresh();
  const classes = await call("GET", `${home}/classes`);
  filters.elements.class.append(...classes.data.map((one) => new Option(one.name, one.name)));
}, fail);
