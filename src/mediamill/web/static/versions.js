// Frozen versions: made, listed, compared, downloaded, deleted.
import { Problem, call, clearProblem, showProblem, size } from "./api.js";
import { asked } from "./asking.js";
import { stacked, table } from "./charts.js";
import { made, pause, tried } from "./dataset.js";
import { SPLITS } from "./ratios.js";
import { t } from "./texts.js";
import { moment } from "./times.js";

const page = document.getElementById("versions");
const id = page.dataset.project;
const editing = page.dataset.role !== "viewer";
const home = `/v1/projects/${id}`;
const get = (name) => document.getElementById(name);
const fail = (problem) => { get("problem").textContent = problem.message; };
const FORMS = page.dataset.exports.split(" ");
const DIFFERENCES = ["added", "removed", "changed", "moved", "annotated"];
const versions = new Map();
let settings = {};

function card(version) {
  const { number, name, state, hash, files, bytes, summary, steps, seed, error, created_at: made_at } = version;
  const called = name ? t("versions.named", { number: String(number), name }) : t("versions.numbered", { number: String(number) });
  const title = made("h3", { id: `version-${number}` }, called);
  const badge = made("span", { class: `badge ${{ ready: "succeeded", failed: "failed" }[state] || "running"}` }, t("versions.state", { which: state }));
  const told = [moment(made_at)];
  if (state === "ready") told.push(t("words.images", { count: files }), size(bytes));
  if (steps.length) told.push(chained(steps));
  if (seed !== null && seed !== undefined) told.push(t("versions.seed_was", { seed: String(seed) }));
  const section = made("section", { class: "card", "aria-labelledby": title.id, "data-version": String(number) },
    made("div", { class: "heading" }, title, badge), made("p", { class: "muted" }, told.join(" · ")));
  if (error) section.append(made("p", { class: "error" }, error));
  if (state === "building") section.append(made("progress", { max: "1", value: "0", "aria-label": t("versions.progress", { number: String(number) }) }));
  if (state === "ready") section.append(...ready(version, summary, hash));
  if (version.job) section.append(made("p", { class: "help" }, made("a", { href: `/jobs/${version.job}` }, t("versions.job"))));
  return section;
}

const chained = (steps) => steps.map((step) => step.operation).join(t("words.then"));

function ready(version, summary, hash) {
  const splits = summary.splits || {};
  const parts = SPLITS.map((split) => ({ name: t("project.split", { which: split }), kind: split, value: splits[split] || 0 }));
  parts.push({ name: t("project.split", { which: "none" }), kind: "none", value: splits[""] || 0 });
  const lost = version.lost ? [made("p", { class: "error" }, t("versions.lost", { count: version.lost }))] : [];
  const say = made("p", { class: "help", role: "status" });
  const split = made("select", { "aria-label": t("versions.which_split") }, new Option(t("versions.all_splits"), ""), ...SPLITS.map((which) => new Option(t("project.split", { which }), which)));
  const forms = [...FORMS].sort((a, b) => (b === settings.export) - (a === settings.export));
  const buttons = forms.map((form) => {
    const button = made("button", { type: "button", "data-export": form, class: form === settings.export ? "primary" : "" }, t("versions.export", { which: form }));
    button.addEventListener("click", () => tried(button, () => download(version, form, split.value, say), (problem) => { say.textContent = problem.message; }));
    return button;
  });
  const gone = made("button", { type: "button", class: "quiet", "aria-label": t("versions.delete_one", { number: String(version.number) }) }, t("words.delete"));
  gone.addEventListener("click", () => remove(version, gone));
  return [
    stacked(t("versions.splits"), parts), ...lost,
    made("p", { class: "help" }, "SHA-256 ", made("code", {}, hash), " · ", made("a", { href: version.links.document, download: "" }, t("versions.document"))),
    made("div", { class: "actions" }, made("label", { class: "inline" }, t("words.download"), " ", split), ...buttons, ...(editing ? [gone] : [])), say,
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
    say.textContent = t("versions.packing");
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
    const question = t("versions.delete", { number: String(version.number) });
    if (!await asked(question, t("versions.delete_told"), t("words.delete_for_good"))) return;
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
    const options = all.map((one) => new Option(one.name ? t("versions.choice_named", { number: String(one.number), name: one.name }) : one.number, one.number));
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
  const rows = DIFFERENCES.map((name) => [t("versions.difference", { which: name }), found[name].toLocaleString("en"), (found.names[name] || []).slice(0, 10).join(", ")]);
  get("difference").replaceChildren(table("", [t("versions.difference_images"), t("versions.difference_count"), t("versions.difference_first")], rows));
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

await tried(null, async () => {
  ({ settings } = await call("GET", home));
  if (get("new")) get("new").elements.seed.value = settings.seed ?? "";
  if (settings.steps?.length && get("steps")) get("steps").append(new Option(chained(settings.steps), "kept"));
  await more();
}, fail);
