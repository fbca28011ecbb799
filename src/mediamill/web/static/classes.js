// A project’s classes, and sets of annotations that come in.
import { Problem, call, clearProblem, showProblem } from "./api.js";
import { asked } from "./asking.js";
import { ended, made, tried } from "./dataset.js";
import { t } from "./texts.js";
import { toast } from "./toast.js";
import { upload } from "./upload.js";

const page = document.getElementById("annotations");
const id = page.dataset.project;
const editing = page.dataset.role !== "viewer";
const home = `/v1/projects/${id}`;
const get = (name) => document.getElementById(name);
const fail = (problem) => { get("problem").textContent = problem.message; };
const dialog = get("class-dialog");
const form = get("class-form");
let classes = [];
let changed = null;

async function read() {
  const answer = await call("GET", `${home}/classes?counts=true`);
  classes = answer.data;
  get("classes").replaceChildren(...classes.map(row));
  get("none").hidden = classes.length > 0;
  get("told").textContent = answer.counted ? "" : t("classes.counted_some");
}

function row(one, n) {
  const dot = made("span", { class: "dot" });
  dot.style.background = one.colour || "var(--soft)";
  const points = one.keypoints.length ? made("span", { class: "muted" }, ` ${t("classes.points", { count: one.keypoints.length })}`) : null;
  const change = (act, text, label) => made("button", { type: "button", class: "quiet", [`data-${act}`]: String(one.number), "aria-label": label }, text);
  const { name } = one;
  const changes = editing && [change("change", t("words.change"), t("classes.change_one", { name })), change("delete", t("words.delete"), t("classes.delete_one", { name }))];
  return made("tr", {},
    made("th", { scope: "row" }, made("span", { class: "tick" }, dot, made("strong", {}, one.name), points)),
    made("td", { class: "key" }, n < 9 ? String(n + 1) : ""),
    made("td", {}, one.files === null ? "" : one.files.toLocaleString("en")),
    made("td", {}, one.annotations === null ? "" : one.annotations.toLocaleString("en")),
    made("td", { class: "right" }, ...(changes || [])));
}

function open(one) {
  changed = one;
  clearProblem(form);
  form.reset();
  get("class-title").textContent = one ? t("classes.named", { name: one.name }) : t("classes.new");
  form.elements.name.value = one?.name || "";
  form.elements.colour.value = one?.colour || "#0f766e";
  form.elements.keypoints.value = (one?.keypoints || []).join(", ");
  form.elements.skeleton.value = (one?.skeleton || []).map((pair) => pair.join("-")).join(", ");
  get("merge-field").hidden = !one || classes.length < 2;
  const others = classes.filter((other) => other !== one);
  get("merge").replaceChildren(new Option(t("classes.merge_none"), ""), ...others.map((other) => new Option(other.name, other.number)));
  dialog.showModal();
}

function bones(text) {
  const listed = text.split(",").map((pair) => pair.trim()).filter(Boolean);
  return listed.map((pair) => {
    const found = /^(\d+)\s*-\s*(\d+)$/.exec(pair);
    if (!found) throw new Problem(422, { detail: "", errors: [{ pointer: "skeleton", message: t("classes.bones_wrong", { pair }) }] });
    return [Number(found[1]), Number(found[2])];
  });
}

get("add")?.addEventListener("click", () => open(null));
get("classes").addEventListener("click", (event) => {
  const { change, delete: gone } = event.target.dataset;
  const one = classes.find((each) => String(each.number) === (change || gone));
  if (change) open(one);
  if (gone) {
    tried(event.target, async () => {
      const told = t("classes.delete_told", { count: one.annotations || 0 });
      if (!await asked(t("classes.delete", { name: one.name }), told, t("words.delete"))) return;
      await call("DELETE", `${home}/classes/${one.number}`);
      await read();
    }, fail);
  }
});
dialog.addEventListener("click", (event) => { if (event.target.closest("[data-close]")) dialog.close(); });
form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearProblem(form);
  tried(form.querySelector("[type=submit]"), async () => {
    const { name, colour, keypoints, skeleton, merge } = Object.fromEntries(new FormData(form));
    const points = keypoints.split(",").map((each) => each.trim()).filter(Boolean);
    const body = { name: name.trim(), colour, keypoints: points, skeleton: bones(skeleton) };
    if (merge) await call("POST", `${home}/classes/${changed.number}/merge`, { into: Number(merge) });
    else if (changed) await call("PATCH", `${home}/classes/${changed.number}`, body);
    else await call("POST", `${home}/classes`, body);
    dialog.close();
    await read();
  }, (problem) => showProblem(form, problem));
});

// -- import: first looked through, then stored -----------------------------------------------------

let set = null;
const importing = get("import");

async function check(file) {
  set = file;
  clearProblem(importing);
  get("checked").hidden = false;
  for (const button of importing.querySelectorAll("button")) button.hidden = true;
  get("findings").replaceChildren();
  await tried(null, async () => {
    const task = await bring({ dry_run: true });
    const { images, annotations, errors, warnings } = task.outcome;
    const parts = [t("words.images", { count: images ?? 0 })];
    if (annotations !== undefined) parts.push(t("words.annotations", { count: annotations }));
    parts.push(errors ? t("classes.found_errors", { count: errors }) : t("classes.found_no_errors"));
    if (warnings) parts.push(t("classes.found_warnings", { count: warnings }));
    const told = [t("classes.checked", { name: file.name, found: parts.join(", ") }), errors ? t("classes.nothing_stored") : ""];
    get("outcome").textContent = told.join(" ");
    const found = await call("GET", `${home}/annotations/imports/${task.id}/findings?limit=50`);
    get("findings").append(...found.data.map((one) => made("li", {}, made("strong", {}, one.place), made("span", { class: one.level }, one.message))));
    if (found.has_more) get("findings").append(made("li", {}, t("classes.findings_more")));
    get("store").hidden = errors > 0;
    get("skip").hidden = !errors;
    get("away").hidden = false;
  }, (problem) => {
    get("checked").hidden = true;
    showProblem(importing, problem);
  });
}

async function bring(options) {
  const task = await call("POST", `${home}/annotations/import`, { file: set.id, ...options });
  return ended(id, task, (now) => {
    if (now.state === "succeeded") return;
    const percent = Math.round(now.progress * 100);
    get("outcome").textContent = options.dry_run ? t("classes.checking", { percent }) : t("classes.importing", { percent });
  });
}

function store(button, options) {
  tried(button, async () => {
    const task = await bring(options);
    get("checked").hidden = true;
    await read();
    toast(t("classes.imported", { name: set.name }), {
      undo: async () => {
        await ended(id, await call("POST", `${home}/tasks/${task.id}/undo`));
        await read();
      },
    });
  }, (problem) => showProblem(importing, problem));
}

get("set")?.addEventListener("change", (event) => {
  clearProblem(importing);
  upload(event.target.files, { done: check });
  event.target.value = "";
});
get("store")?.addEventListener("click", (event) => store(event.target, {}));
get("skip")?.addEventListener("click", (event) => store(event.target, { skip_invalid: true }));
get("away")?.addEventListener("click", () => { get("checked").hidden = true; });

await tried(null, async () => {
  await read();
  const file = new URLSearchParams(location.search).get("file");
  if (file && editing) await check(await call("GET", `/v1/files/${file}`));
}, fail);
