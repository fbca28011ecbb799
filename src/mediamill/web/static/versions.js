// Frozen versions: made, listed, compared, downloaded, deleted.
import { Problem, call, clearProblem, showProblem, size } from "./api.js";
import { asked } from "./asking.js";
import { stacked, table } from "./charts.js";
import { made, many, pause, tried } from "./dataset.js";
import { t } from "./texts.js";

const page = document.getElementById("versions");
const id = page.dataset.project;
const editing = page.dataset.role !== "viewer";
const home = `/v1/projects/${id}`;
const get = (name) => document.getElementById(name);
const fail = (problem) => { get("problem").textContent = problem.message; };
const FORMS = JSON.parse(page.dataset.exports);
const versions = new Map();
let settings = {};

function card(version) {
  const { number, name, state, hash, files, bytes, summary, steps, seed, error, created_at: made_at } = version;
  const title = made("h3", { id: `version-${number}` }, `Version ${number}${name ? `: ${name}` : ""}`);
  const badge = made("span", { class: `badge ${{ ready: "succeeded", failed: "failed" }[state] || "running"}` }, state);
  const told = [made_at.slice(0, 16).replace("T", " "), state === "ready" ? `${many(files, "image")}, ${size(bytes)}` : null,
    steps.length ? steps.map((step) => step.operation).join(", then ") : null, seed === null || seed === undefined ? null : `seed ${seed}`];
  const section = made("section", { class: "card", "aria-labelledby": title.id, "data-version": String(number) },
    made("div", { class: "heading" }, title, badge), made("p", { class: "muted" }, told.filter(Boolean).join(" · ")));
  if (error) section.append(made("p", { class: "error" }, error));
  if (state === "building") section.append(made("progress", { max: "1", value: "0", "aria-label": `Progress of version ${number}` }));
  if (state === "ready") section.append(...ready(version, summary, hash));
  if (version.job) section.append(made("p", { class: "help" }, made("a", { href: `/jobs/${version.job}` }, "The job of its steps")));
  return section;
}

function ready(version, summary, hash) {
  const splits = summary.splits || {};
  const parts = ["train", "validation", "test"].map((split) => ({ name: split, kind: split, value: splits[split] || 0 }));
  parts.push({ name: "in none", kind: "none", value: splits[""] || 0 });
  const lost = version.lost ? [made("p", { class: "error" }, `${many(version.lost, "image")} of it had to go when they expired.`)] : [];
  const say = made("p", { class: "help", role: "status" });
  const split = made("select", { "aria-label": "Which split" }, ...["all splits", "train", "validation", "test"].map((name, n) => new Option(name, n ? name : "")));
  const forms = Object.keys(FORMS).sort((a, b) => (b === settings.export) - (a === settings.export));
  const buttons = forms.map((form) => {
    const button = made("button", { type: "button", "data-export": form, class: form === settings.export ? "primary" : "" }, FORMS[form]);
    button.addEventListener("click", () => tried(button, () => download(version, form, split.value, say), (problem) => { say.textContent = problem.message; }));
    return button;
  });
  const gone = made("button", { type: "button", class: "quiet", "aria-label": `Delete version ${version.number}` }, "Delete");
  gone.addEventListener("click", () => remove(version, gone));
  return [
    stacked("splits", parts), ...lost,
    made("p", { class: "help" }, "SHA-256 ", made("code", {}, hash), " · ", made("a", { href: version.links.document, download: "" }, "document")),
    made("div", { class: "actions" }, made("label", { class: "inline" }, "Download ", split), ...buttons, ...(editing ? [gone] : [])), say,
  ];
}

// An export is put together first; it is asked for until it is there.
async function download(version, form, split, say) {
  const address = `${version.links.export}?format=${form}${split && `&split=${split}`}`;
  for (;;) {
    const answer = await fetch(`${address}&wait=10`, { method: "HEAD" }).catch(() => null);
    if (answer?.ok) break;
    if (answer && answer.status !== 409 && answer.status !== 503) {
      const why = await fetch(address).then((told) => told.json()).catch(() => ({}));
      throw new Problem(answer.status, why);
    }
    say.textContent = "Being put together…";
    await pause(1000);
  }
  say.textContent = "";
  const link = made("a", { href: address, download: "" });
  document.body.append(link);
  link.click();
  link.remove();
}

function remove(version, button) {
  tried(button, async () => {
    const question = t("projects.delete_version", { number: String(version.number) });
    if (!await asked(question, t("projects.delete_version_told"), t("projects.delete_for_good"))) return;
    await call("DELETE", version.links.self);
    versions.delete(version.number);
    button.closest("section").remove();
    told();
  }, fail);
}

function told() {
  const all = [...versions.values()].filter((one) => one.state === "ready").sort((a, b) => b.number - a.number);
  get("none").hidden = versions.size > 0;
  get("compare").hidden = all.length < 2;
  for (const [name, n] of [["from", 1], ["to", 0]]) {
    const options = all.map((one) => new Option(`${one.number}${one.name ? `: ${one.name}` : ""}`, one.number));
    get(name).replaceChildren(...options);
    if (options[n]) get(name).value = options[n].value;
  }
}

async function watch(version) {
  while (version.state === "building") {
    const task = await call("GET", `${home}/tasks/${version.task}`).catch(() => null);
    const bar = page.querySelector(`[data-version="${version.number}"] progress`);
    if (bar && task) bar.value = task.progress;
    await pause(600);
    version = await call("GET", version.links.self);
  }
  versions.set(version.number, version);
  page.querySelector(`[data-version="${version.number}"]`)?.replaceWith(card(version));
  told();
}

let after = "";
async function more() {
  const found = await call("GET", `${home}/versions?limit=20${after && `&after=${encodeURIComponent(after)}`}`);
  for (const version of found.data) {
    versions.set(version.number, version);
    get("list").append(card(version));
    if (version.state === "building") watch(version).catch(fail);
  }
  after = found.after;
  get("more").hidden = !found.has_more;
  told();
}

get("tell").addEventListener("click", (event) => tried(event.target, async () => {
  const found = await call("GET", `${home}/versions/${get("from").value}/difference?to=${get("to").value}`);
  const WORDS = { added: "added", removed: "removed", changed: "with other pixels", moved: "in another split", annotated: "with other annotations" };
  const rows = Object.entries(WORDS).map(([name, text]) => [text, found[name].toLocaleString("en"), (found.names[name] || []).slice(0, 10).join(", ")]);
  get("difference").replaceChildren(table("", ["Images", "how many", "the first of them"], rows));
}, fail));
get("more").addEventListener("click", (event) => tried(event.target, more, fail));

get("new")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  clearProblem(form);
  const said = new FormData(form);
  const body = { name: said.get("name"), subsets: said.getAll("subsets") };
  if (said.get("steps")) body.steps = settings.steps;
  if (said.get("seed") !== "") body.seed = Number(said.get("seed"));
  tried(form.querySelector("[type=submit]"), async () => {
    const version = await call("POST", `${home}/versions`, body);
    versions.set(version.number, version);
    get("list").prepend(card(version));
    told();
    form.elements.name.value = "";
    watch(version).catch(fail);
  }, (problem) => showProblem(form, problem));
});

tried(null, async () => {
  ({ settings } = await call("GET", home));
  if (get("new")) get("new").elements.seed.value = settings.seed ?? "";
  if (settings.steps?.length && get("steps")) get("steps").append(new Option(settings.steps.map((step) => step.operation).join(", then "), "kept"));
  await more();
}, fail);
