// What the pages of captions share: a card of a picture with what was said of it, and its actions.
import { Problem, call } from "./api.js";
import { asked as confirmed } from "./asking.js";
import { copied } from "./clipboard.js";
import { made } from "./dataset.js";
import { t } from "./texts.js";
import { moment } from "./times.js";

const ACTIONS = { approve: "approved", reject: "rejected" };

// A card; `tools` names the actions that it has: approve, reject, edit, undo, copy, delete, select.
export function card(row, tools) {
  const shown = { row, tools };
  const element = made("li", { class: `captioned ${row.state}`, tabindex: "-1", "data-caption": row.id });
  element.shown = shown;
  fill(element);
  return element;
}

// Show a row as it is now, in the place of what the card showed.
export function update(element, row) {
  const inside = element.contains(document.activeElement);
  element.shown.row = row;
  element.className = `captioned ${row.state}`;
  fill(element);
  if (inside) element.focus();
}

function fill(element) {
  const { row, tools } = element.shown;
  const checked = element.querySelector("[data-select]")?.checked || false;
  const box = tools.includes("select") ? made("input", { type: "checkbox", "data-select": "", "aria-label": t("captions.select", { name: row.file_name }), checked }) : null;
  const state = row.state === "new" ? null : made("span", { class: `badge ${row.state}` }, t("captions.state", { which: row.state }));
  const again = row.again ? made("a", { href: `/captions?job=${row.again}` }, t("captions.asked_again")) : null;
  element.replaceChildren(
    picture(row),
    made("div", { class: "said-of" },
      made("div", { class: "title" }, box, made("strong", { class: "name" }, row.file_name), state, again),
      ...texts(row),
      labels(row),
      ...missing(row),
      by(row),
      made("div", { class: "tools" }, ...buttons(row, tools)),
      made("p", { class: "error", role: "alert", "data-error": "" })),
  );
}

function picture(row) {
  const link = made("a", { class: "picture", href: original(row), "aria-label": t("captions.open", { name: row.file_name }) });
  const image = made("img", { src: row.links.thumbnail, alt: "", loading: "lazy", decoding: "async" });
  if (!row.member) image.setAttribute("data-retry", "");
  link.append(image);
  return link;
}

const original = (row) => (row.member ? row.links.thumbnail : `/v1/files/${row.file}/content`);

// What kind of text it is, and in which language.
const written = ({ variant, language }) => [t("captions.variant", { which: variant }), language].filter(Boolean).join(", ");

function texts(row) {
  const several = new Set(row.captions.map((one) => one.language)).size > 1;
  return row.captions.map((one) => {
    const name = several ? written(one) : t("captions.variant", { which: one.variant });
    const text = one.text ? made("span", { lang: one.language, dir: "auto" }, one.text) : made("em", {}, t("captions.decorative"));
    const was = one.original === null ? null : made("details", { class: "was" }, made("summary", {}, t("captions.as_given")), made("span", { lang: one.language, dir: "auto" }, one.original || t("captions.nothing")));
    const remark = one.remark ? made("span", { class: "remark" }, ` ${one.remark}`) : null;
    return made("div", { class: "text" }, made("span", { class: "variant" }, name), text, remark, was);
  });
}

function labels(row) {
  if (!row.labels.length) return null;
  return made("p", { class: "chips", "aria-label": t("captions.labels") }, ...row.labels.map((one) => made("span", { class: "tag", title: t("captions.sure", { percent: Math.round(one.confidence * 100) }) }, one.name)));
}

const missing = (row) => row.missing.map((one) => made("p", { class: "muted origin" }, t("captions.missing", { what: written(one), reason: one.reason })));

function by(row) {
  const time = made("time", { datetime: row.created_at }, moment(row.created_at));
  const who = row.providers.length ? `${t("captions.by", { names: row.providers.join(", ") })} · ` : "";
  return made("p", { class: "muted origin" }, who, made("a", { href: `/jobs/${row.job}`, title: t("words.the_job") }, time));
}

function* buttons(row, tools) {
  const one = (name, text, attributes = {}) => made("button", { type: "button", "data-do": name, ...attributes }, text);
  if (tools.includes("approve")) yield one("approve", t("captions.approve"), { "aria-pressed": String(row.state === "approved") });
  if (tools.includes("reject")) yield one("reject", t("captions.reject"), { "aria-pressed": String(row.state === "rejected") });
  if (tools.includes("edit") && row.captions.length) yield one("edit", t("words.edit"));
  if (tools.includes("undo") && row.undoable) yield one("undo", t("words.undo"));
  if (tools.includes("copy")) {
    yield one("text", row.captions.length ? t("captions.copy_text") : t("captions.copy_labels"));
    if (row.captions.length) yield one("html", t("captions.copy_html", { tag: "<img>" }));
  }
  if (tools.includes("delete")) yield one("delete", t("words.delete"), { class: "quiet" });
}

// Do what a button of a card says; true when it was done.
export async function act(element, name) {
  const { row } = element.shown;
  const here = `/v1/captions/${row.id}`;
  element.querySelector("[data-error]").textContent = "";
  try {
    if (name in ACTIONS) update(element, await call("PATCH", here, { state: row.state === ACTIONS[name] ? "new" : ACTIONS[name] }));
    else if (name === "undo") update(element, await call("POST", `${here}/undo`));
    else if (name === "edit") edit(element);
    else if (name === "text") await copy(plain(row), "text");
    else if (name === "html") await copy(row.html, "html");
    else if (name === "delete") {
      if (!await confirmed(t("captions.delete", { name: row.file_name }), t("captions.delete_told"), t("words.delete"))) return false;
      await call("DELETE", here);
      element.remove();
    }
    return true;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    element.querySelector("[data-error]").textContent = problem.message;
    return false;
  }
}

export function plain(row) {
  if (!row.captions.length) return row.labels.map((one) => one.name).join(", ");
  return row.captions.map((one) => one.text).filter(Boolean).join("\n");
}

async function copy(text, which) {
  const told = document.getElementById("status") || document.getElementById("summary");
  told.textContent = await copied(text) ? t("captions.copied", { which }) : t("captions.not_copied");
}

// Texts become fields; Ctrl Enter saves them, Escape leaves them as they were.
export function edit(element) {
  const { row } = element.shown;
  const form = made("form", { class: "editing", novalidate: true });
  for (const [n, one] of row.captions.entries()) {
    const id = `${row.id}-${n}`;
    const area = made("textarea", { id, rows: one.variant === "concise" ? "2" : "3", maxlength: "2000", lang: one.language, dir: "auto" });
    area.value = one.text;
    form.append(made("div", { class: "field" }, made("label", { for: id }, written(one)), area));
  }
  form.append(made("p", { class: "error", role: "alert", "data-error": "" }), made("div", { class: "tools" }, made("button", { type: "submit", class: "primary" }, t("words.save")), made("button", { type: "button", "data-leave": "" }, t("words.cancel"))));
  const leave = () => {
    fill(element);
    element.focus();
  };
  form.querySelector("[data-leave]").addEventListener("click", leave);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    event.stopPropagation();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const areas = [...form.querySelectorAll("textarea")];
    const changed = row.captions.map((one, n) => ({ variant: one.variant, language: one.language, text: areas[n].value })).filter((one, n) => one.text !== row.captions[n].text);
    if (!changed.length) {
      leave();
      return;
    }
    try {
      update(element, await call("PATCH", `/v1/captions/${row.id}`, { captions: changed }));
      element.focus();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      form.querySelector("[data-error]").textContent = problem.message;
    }
  });
  element.querySelector(".said-of").replaceChildren(made("div", { class: "title" }, made("strong", { class: "name" }, row.file_name)), form);
  form.querySelector("textarea").focus();
}

// Buttons of all cards of a list.
export function listen(list, after = () => {}) {
  list.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-do]");
    if (!button) return;
    const element = button.closest(".captioned");
    button.disabled = true;
    const done = await act(element, button.dataset.do);
    button.disabled = false;
    if (done) after(element, button.dataset.do);
  });
}

// What the filters say, as a query; exports give the same.
export function asked(form, job = "") {
  const query = new URLSearchParams();
  for (const name of ["query", "state"]) {
    const value = form.elements[name]?.value.trim();
    if (value) query.set(name, value);
  }
  if (job) query.set("job", job);
  for (const link of document.querySelectorAll("#export [data-format]")) {
    link.href = `/v1/captions/export?format=${link.dataset.format}${query.size ? `&${query}` : ""}`;
  }
  return query;
}

// A list that is asked for page by page, anew whenever its filters change.
export class Cards {
  constructor(list, form, { job = "", tools, changed = () => {}, size = 20 }) {
    Object.assign(this, { list, form, job, tools, changed, size, round: 0, after: "" });
    let timer;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.begin(), 250);
    });
    document.querySelector("#more button").addEventListener("click", () => this.more());
  }

  async begin() {
    this.round += 1;
    this.after = "";
    await this.more(true);
  }

  async more(fresh = false) {
    const { round } = this;
    const query = asked(this.form, this.job);
    query.set("limit", this.size);
    const error = document.querySelector("main > [data-error], #review > [data-error]");
    try {
      error.textContent = "";
      const found = [];
      do { // a filter may leave pages with few
        if (this.after) query.set("after", this.after);
        const page = await call("GET", `/v1/captions?${query}`);
        if (round !== this.round) return;
        found.push(...page.data);
        this.after = page.has_more ? page.after : null;
      } while (!found.length && this.after !== null);
      if (fresh) this.list.replaceChildren();
      this.list.append(...found.map((row) => card(row, this.tools)));
    } catch (problem) {
      error.textContent = problem.message;
    }
    document.getElementById("more").hidden = this.after === null;
    document.getElementById("none").hidden = this.list.children.length > 0;
    this.changed();
  }
}
