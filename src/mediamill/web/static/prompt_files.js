// Choose what is asked about: files that are dropped or were there before, or a project.
import { call, size } from "./api.js";
import { placed, receive, shown } from "./dropping.js";
import { every, made } from "./dataset.js";
import { t } from "./texts.js";
import { upload } from "./upload.js";

const get = (name) => document.getElementById(name);
const takes = document.getElementById("prompts").dataset.accepts.split(" ");
const chosen = new Map();
const PAGE = 20;
const OFFICE = "application/vnd.openxmlformats-officedocument.";
const KINDS = { "application/pdf": "pdf", [`${OFFICE}wordprocessingml.document`]: "word", [`${OFFICE}spreadsheetml.sheet`]: "excel", [`${OFFICE}presentationml.presentation`]: "powerpoint" };
let after = "";
let round = 0;

const named = (type) => (KINDS[type] ? t("prompts.kind", { which: KINDS[type] }) : type);
export const fits = (type) => takes.some((one) => (one.endsWith("/*") ? type.startsWith(one.slice(0, -1)) : one === type));
const kind = () => document.querySelector("[name=source]:checked").value;

// What names the inputs in a request, files by their names; null where nothing is chosen.
export function inputs() {
  if (kind() === "project") return get("project").value ? { project: get("project").value } : null;
  const sorted = [...chosen].sort(([, a], [, b]) => a.localeCompare(b, "en", { numeric: true }));
  return sorted.length ? { files: sorted.map(([id]) => id) } : null;
}

export function start(changed) {
  const told = () => {
    const count = kind() === "project" ? Number(get("project").selectedOptions[0]?.dataset.files) : chosen.size;
    get("chosen").textContent = count ? t("prompts.chosen", { count }) : t("prompts.none_chosen");
    changed();
  };
  document.getElementById("source").addEventListener("change", () => {
    for (const one of document.querySelectorAll("[data-source]")) one.hidden = one.dataset.source !== kind();
    told();
  });
  get("project").addEventListener("change", told);
  get("files").addEventListener("change", (event) => {
    if (event.target.checked) chosen.set(event.target.value, event.target.closest("li").querySelector(".name").textContent);
    else chosen.delete(event.target.value);
    told();
  });
  const take = (files) => {
    const [good, bad] = parted(shown(files));
    get("unfit").replaceChildren(...bad.slice(0, 20).map(([file, why]) => made("li", {}, made("strong", {}, file.name), made("span", {}, why))));
    upload(good, { tags: placed, done(file) {
      add(file, true);
      if (fits(file.media_type)) chosen.set(file.id, file.name);
      get("no-files").hidden = true;
      told();
    } });
  };
  receive(get("drop"), [get("choose")], take);
  let waiting;
  get("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => reload().catch(() => {}), 300);
  });
  get("more-files").addEventListener("click", () => more().catch(() => {}));
  return Promise.all([reload(), projects(told)]);
}

// What cannot be asked about is told before it is sent, as far as its type is known here.
function parted(files) {
  const good = [];
  const bad = [];
  for (const file of files) {
    const known = /^(video|audio|font|model)\//.test(file.type) || /^application\/(zip|gzip|x-(tar|7z-compressed|msdownload|rar.*))$/.test(file.type);
    if (known && !fits(file.type)) bad.push([file, t("prompts.not_sent", { type: file.type })]);
    else good.push(file);
  }
  return [good, bad];
}

async function reload() {
  round += 1;
  after = "";
  get("files").replaceChildren();
  await more();
}

async function more() {
  const mine = round;
  const name = get("search").value.trim();
  const cursor = after ? `&after=${encodeURIComponent(after)}` : "";
  const page = await call("GET", `/v1/files?state=ready&limit=${PAGE}${name && `&name=${encodeURIComponent(name)}`}${cursor}`);
  if (mine !== round) return;
  after = page.after;
  for (const file of page.data) add(file);
  get("more-files").hidden = !page.has_more;
  get("no-files").hidden = get("files").children.length > 0 || page.has_more;
}

function add(file, first = false) {
  const there = get(`pick-${file.id}`);
  if (there) {
    there.checked ||= first && fits(file.media_type);
    return;
  }
  const good = fits(file.media_type);
  const box = made("input", { type: "checkbox", id: `pick-${file.id}`, value: file.id, checked: chosen.has(file.id) || (first && good) });
  const line = made("li", { class: "row" }, box,
    made("div", { class: "about" }, made("label", { for: box.id, class: "name" }, file.name),
      made("span", { class: good ? "muted" : "error" }, good ? `${size(file.size)} · ${named(file.media_type)}` : t("prompts.will_fail", { type: file.media_type }))));
  if (first) get("files").prepend(line);
  else get("files").append(line);
}

async function projects(told) {
  const found = [...await every("/v1/projects"), ...await every("/v1/projects?state=shared")];
  get("project").replaceChildren(...found.map((one) => made("option", { value: one.id, "data-files": String(one.files) }, t("prompts.project_option", { name: one.name, count: one.files }))));
  get("no-projects").hidden = found.length > 0;
  told();
}
