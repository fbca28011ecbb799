// The page of one file: its tags and name, a link to give away, deleting it, and the files beside it.
import { Problem, call, clearProblem, showProblem, size } from "../api.js";
import { copied } from "../clipboard.js";
import { every, made, tried } from "../dataset.js";
import { t } from "../texts.js";
import { toast } from "../toast.js";
import { moment } from "../times.js";
import { joining } from "./joining.js";
import { around, drop } from "./order.js";

const get = (name) => document.getElementById(name);
const page = get("file");
const id = page.dataset.file;
const here = `/v1/files/${id}`;
const fail = (problem) => toast(problem.message, { error: true });

// -- the ones beside it ----------------------------------------------------------------------------

const { query, at, count, before, after } = around(id);
if (query) get("back").href = `/?${query}`;
if (at >= 0) get("place").textContent = t("file.place", { at: at + 1, count });
for (const [name, other] of [["before", before], ["after", after]]) {
  get(name).hidden = !other;
  if (other) get(name).href = `/files/${other}`;
}
// Going to the one beside is no step of Back: that leads to the list.
for (const name of ["before", "after"]) {
  get(name).addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    location.replace(get(name).href);
  });
}
document.addEventListener("keydown", (event) => {
  const link = { ArrowLeft: "before", ArrowRight: "after" }[event.key];
  if (!link || event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, textarea, select, video, dialog")) return;
  if (!get(link).hidden) location.replace(get(link).href);
});

// -- its picture -----------------------------------------------------------------------------------

page.querySelector("video")?.addEventListener("error", () => { get("unplayed").hidden = false; });

if (get("members")) {
  call("GET", `${here}/members?limit=20`).then((found) => {
    get("members-count").textContent = t("file.members", { count: found.count });
    get("members-list").replaceChildren(...found.data.map((one) => made("li", {}, made("a", { href: one.url, download: "" }, one.path), made("span", { class: "muted" }, size(one.size)))));
    get("members").hidden = false;
  }).catch(() => {}); // one that cannot be listed is downloaded whole
}

// -- tags and name ---------------------------------------------------------------------------------

function tags(list) {
  get("tags").replaceChildren(...list.map((tag) => made("span", { class: "chip" },
    made("a", { href: `/?tag=${encodeURIComponent(tag)}` }, tag),
    made("button", { type: "button", "data-tag": tag, "aria-label": t("file.drop_tag", { tag }) }, "×"))));
}

async function retag(change) {
  const { data: [outcome] } = await call("POST", "/v1/files/tags", { files: [id], ...change });
  if (!outcome.ok) throw new Problem(422, { detail: outcome.error });
  tags((await call("GET", here)).tags);
}

get("tags")?.addEventListener("click", async (event) => {
  const { tag } = event.target.dataset;
  if (tag === undefined) return;
  try {
    await retag({ remove: [tag] });
    (get("tags").querySelector("button") || get("tag-form").elements.tag).focus();
    toast(t("file.tag_dropped", { tag }), { undo: () => retag({ add: [tag] }) });
  } catch (problem) {
    fail(problem);
  }
});

get("tag-form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  clearProblem(form);
  const add = form.elements.tag.value.split(",").map((one) => one.trim()).filter(Boolean);
  tried(form.querySelector("[type=submit]"), async () => {
    await retag({ add });
    form.reset();
    form.elements.tag.focus();
  }, (problem) => showProblem(form, problem));
});

async function rename(name) {
  const file = await call("PATCH", here, { name });
  get("name").textContent = file.name;
  get("name-form").elements.name.value = file.name;
}

get("name-form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  clearProblem(form);
  const old = get("name").textContent;
  tried(form.querySelector("[type=submit]"), async () => {
    await rename(form.elements.name.value.trim());
    toast(t("file.renamed"), { undo: () => rename(old) });
  }, (problem) => showProblem(form, problem));
});

// -- the projects that it is in -------------------------------------------------------------------

async function inside() {
  const found = await every(`/v1/projects?file=${id}`);
  get("projects").replaceChildren(...found.map((one) => made("li", {}, made("a", { href: `/projects/${one.id}` }, one.name))));
  get("in-none").hidden = found.length > 0;
}

if (get("projects")) joining({ ids: () => [id], done: inside });

// -- given away, deleted ---------------------------------------------------------------------------

get("copy-sha256")?.addEventListener("click", async () => {
  const place = get("sha256");
  if (await copied(place.textContent)) toast(t("file.copied"));
  else getSelection().selectAllChildren(place); // the browser keeps it from us: it is marked, for the keyboard
});

get("link")?.addEventListener("click", () => {
  get("link-shown").hidden = true;
  clearProblem(get("link-form"));
  get("link-dialog").showModal();
});
get("link-dialog").addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) get("link-dialog").close();
});
get("link-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  tried(form.querySelector("[type=submit]"), async () => {
    const link = await call("POST", `${here}/link?expires_in=${form.elements.time.value}`);
    const time = moment(link.expires_at);
    get("link-until").textContent = t("file.link_shown", { time });
    get("link-url").value = link.url;
    get("link-shown").hidden = false;
    get("link-url").select();
    if (await copied(link.url)) toast(t("file.link_made", { time }));
  }, (problem) => showProblem(form, problem));
});

get("delete")?.addEventListener("click", (event) => tried(event.target, async () => {
  await call("DELETE", here);
  const returned = drop(id);
  page.classList.add("gone");
  for (const one of page.querySelectorAll(".file-columns")) one.inert = true;
  get("back").focus();
  toast(t("file.deleted", { name: get("name").textContent }), { undo: async () => {
    await call("POST", `${here}/restore`);
    returned();
    page.classList.remove("gone");
    for (const one of page.querySelectorAll(".file-columns")) one.inert = false;
  } });
}, fail));

// Whoever is faster than this script would press in vain.
for (const button of page.querySelectorAll("[type=submit][disabled]")) button.disabled = false;
