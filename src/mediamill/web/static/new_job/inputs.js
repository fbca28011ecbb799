// What a job works on: chosen files, or everything in one project, archive or manifest.
import { call } from "../api.js";
import { made } from "../dataset.js";
import { t } from "../texts.js";
import { toast } from "../toast.js";
import { Facts, face } from "./facts.js";
import { returned } from "./taking_back.js";

const AT_ONCE = 24;
const SOURCES = ["project", "archive", "manifest"];
const get = (id) => document.getElementById(id);

export class Inputs {
  constructor(changed) {
    Object.assign(this, { changed, ids: [], source: null, shown: AT_ONCE, facts: new Facts() });
    get("chosen-more").addEventListener("click", () => {
      this.shown += AT_ONCE;
      this.draw();
    });
    get("source-off").addEventListener("click", () => this.take(null));
    for (const part of get("of-project").querySelectorAll("[data-part]")) {
      part.addEventListener("change", () => {
        delete this.source[part.dataset.part];
        if (part.value !== "any") this.source[part.dataset.part] = part.value;
        this.changed();
      });
    }
  }

  // Read them from the page's address, which is a list of files or names one source.
  fromAddress(said) {
    const source = SOURCES.find((name) => said.get(name));
    if (source) this.take({ ...part(said), [source]: said.get(source), ...members(said) });
    else this.add(said.has("selection") ? stored("mediamill.selection") : (said.get("files") || "").split(",").filter(Boolean));
  }

  // As a request names them; what is not offered here (a replay, too many files) is not taken.
  fromRequest(inputs) {
    if (inputs?.files) this.add(inputs.files);
    else if (inputs && SOURCES.some((name) => inputs[name])) this.take({ ...inputs });
    else get("inputs-none").textContent = t("new_job.inputs_again_many");
  }

  get empty() {
    return !this.source && !this.ids.length;
  }

  body() {
    return this.source || { files: this.ids };
  }

  // Media types, as far as they are known.
  types() {
    return this.source ? [] : this.ids.map((id) => this.facts.known.get(id)?.media_type).filter(Boolean);
  }

  // Names of all files; null where some are not known, or where no files are named.
  names() {
    const names = this.source ? [] : this.ids.map((id) => this.facts.known.get(id)?.name);
    return names.length && names.every(Boolean) ? names : null;
  }

  // Images that are known, which previews are shown on.
  images() {
    const files = this.source ? [] : this.ids.map((id) => this.facts.known.get(id));
    return files.filter((file) => file?.media_type.startsWith("image/"));
  }

  add(ids) {
    this.put([...new Set([...this.ids, ...ids])]);
  }

  remove(ids) {
    const away = new Set(ids);
    this.put(this.ids.filter((id) => !away.has(id)));
  }

  // The same with a way back.
  takeOut(ids, told) {
    const before = this.ids;
    this.remove(ids);
    toast(told, { undo: async () => this.put(returned(this.ids, before, new Set(ids))) });
  }

  // Leave out what will fail, by its places.
  leaveOut(places) {
    this.takeOut(places.map((place) => this.ids[place]), t("new_job.left_out", { count: places.length }));
  }

  put(ids) {
    this.ids = ids;
    this.draw();
    this.changed();
  }

  take(source) {
    this.source = source;
    this.draw();
    this.changed();
    if (source) this.name();
  }

  draw() {
    const { source, ids } = this;
    get("inputs-none").hidden = !this.empty;
    get("source").hidden = !source;
    get("picker").hidden = get("drop").hidden = Boolean(source);
    get("chosen").hidden = Boolean(source) || !ids.length;
    get("chosen-more").hidden = Boolean(source) || ids.length <= this.shown;
    get("inputs-count").textContent = source || !ids.length ? "" : t("words.files", { count: ids.length });
    if (this.empty) get("picker").open = true;
    const now = ids.slice(0, this.shown);
    const there = new Map([...get("chosen").children].map((line) => [line.dataset.file, line]));
    get("chosen").replaceChildren(...now.map((id) => there.get(id) || this.line(id)));
    document.dispatchEvent(new Event("chosen"));
  }

  line(id) {
    const name = made("span", { class: "name" });
    const away = made("button", { type: "button", class: "quiet" }, "✕");
    const line = made("li", { "data-file": id }, made("span", { class: "face" }), name, away);
    away.addEventListener("click", () => this.drop(id, name.textContent));
    this.facts.of(id).then((file) => {
      name.textContent = file?.name || t("new_job.gone");
      name.title = name.textContent;
      away.setAttribute("aria-label", t("new_job.remove", { name: name.textContent }));
      if (file) line.firstChild.replaceWith(face(file));
      this.changed();
    });
    return line;
  }

  drop(id, name) {
    const at = this.ids.indexOf(id);
    const next = this.ids[at + 1] || this.ids[at - 1];
    this.takeOut([id], t("new_job.removed", { name }));
    (get("chosen").querySelector(`[data-file="${CSS.escape(next || "")}"] button`) || get("picker").querySelector("summary")).focus();
  }

  // Say what the source is called, once that is known.
  async name() {
    const { source } = this;
    const kind = SOURCES.find((one) => source[one]);
    get("of-project").hidden = kind !== "project";
    for (const field of get("of-project").querySelectorAll("[data-part]")) field.value = source[field.dataset.part] ?? "any";
    const found = await call("GET", `/v1/${kind === "project" ? "projects" : "files"}/${encodeURIComponent(source[kind])}`).catch(() => null);
    const name = found?.name || source[kind];
    const picked = source.members?.length;
    get("source-name").textContent = {
      project: () => t("new_job.whole_project", { name }),
      archive: () => (picked ? t("new_job.some_members", { count: picked, name }) : t("new_job.whole_archive", { name })),
      manifest: () => t("new_job.whole_manifest", { name }),
    }[kind]();
  }
}

function part(said) {
  return Object.fromEntries(["subset", "split"].filter((name) => said.has(name)).map((name) => [name, said.get(name)]));
}

// Members that were picked stand in the address, many of them in the session.
function members(said) {
  const named = said.has("picked") ? stored("mediamill.members") : said.getAll("members");
  return named.length ? { members: named } : {};
}

function stored(key) {
  try {
    const ids = JSON.parse(sessionStorage.getItem(key) || "[]");
    return Array.isArray(ids) ? ids.filter((id) => typeof id === "string") : [];
  } catch {
    return [];
  }
}
