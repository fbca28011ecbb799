// What became of each input, a page at a time, with a filter; the page that is shown goes on living.
import { call, size } from "../api.js";
import { made } from "../dataset.js";
import { failed } from "./failures.js";
import { lasting, over } from "./words.js";
import { cost } from "../money.js";
import { t } from "../texts.js";

const PAGE = 50;
const SHOWN_FILES = 3;
const AGAIN = 2_000; // milliseconds between looks while the job goes on
const STATES = ["failed", "succeeded", "reused", "running", "pending", "cancelled", "expired"];
const element = (id) => document.getElementById(id);

// Files have pages of their own; members of archives and results of earlier stages do not.
const uploaded = ({ file, path }) => /^file_[0-9A-Z]+$/.test(file) && !path;

export class Items {
  constructor(job) {
    Object.assign(this, { path: `/v1/jobs/${job}/items`, cursors: [""], after: null, round: 0, job: null, timer: null, lines: new Map(), stale: false });
    this.choice = element("items-state");
    this.body = element("items-table").tBodies[0];
    this.choice.addEventListener("change", () => this.begin());
    element("items-pages").addEventListener("click", ({ target }) => this.turn(Number(target.dataset?.way)));
  }

  // The job went on: its counts stand in the filter, and what is in sight is read again soon.
  changed(job, first) {
    this.job = job;
    this.options();
    if (!over(job)) this.reveal();
    if (first) this.read();
    else if (!this.timer) this.timer = setTimeout(() => { this.timer = null; this.read(); }, over(job) ? 0 : AGAIN);
  }

  reveal() {
    element("items").hidden = !this.job.items;
  }

  options() {
    const { counts, progress, expired, items } = this.job;
    const many = { ...counts, pending: progress.pending, running: progress.running, expired };
    const chosen = this.choice.value;
    const shown = STATES.filter((state) => many[state] || state === chosen);
    const texts = [["", t("job.every_item", { count: items })], ...shown.map((state) => [state, `${t("job.item_states", { which: state })} (${many[state].toLocaleString("en")})`])];
    if (this.texts === JSON.stringify(texts)) return;
    this.texts = JSON.stringify(texts);
    this.choice.replaceChildren(...texts.map(([value, text]) => new Option(text, value, false, value === chosen)));
  }

  show(state) {
    this.choice.value = state;
    this.begin();
    element("items").scrollIntoView({ block: "start" });
    this.choice.focus({ preventScroll: true });
  }

  begin() {
    this.cursors = [""];
    this.anew();
  }

  turn(way) {
    if (way > 0 && this.after !== null) this.cursors.push(this.after);
    else if (way < 0 && this.cursors.length > 1) this.cursors.pop();
    else return;
    this.anew();
  }

  // Something else is to be seen: what stands there goes, even if that cannot be had.
  anew() {
    this.stale = true;
    this.read();
  }

  async read() {
    this.round += 1;
    const { round } = this;
    const cursor = this.cursors.at(-1);
    const asked = new URLSearchParams({ limit: PAGE, ...(this.choice.value ? { state: this.choice.value } : {}), ...(cursor ? { after: cursor } : {}) });
    let [page, problem] = [null, ""];
    try {
      page = await call("GET", `${this.path}?${asked}`);
    } catch (refused) {
      problem = refused.message;
    }
    if (round !== this.round) return;
    if (element("items-error").textContent !== problem) element("items-error").textContent = problem;
    if (!page && this.stale) this.put([]);
    if (!page) return;
    this.stale = false;
    this.after = page.has_more ? page.after : null;
    this.put(page.data);
    element("no-items").hidden = page.data.length > 0;
    element("items-table").hidden = !page.data.length;
    this.places(page.data.length);
  }

  // Lines that tell nothing new stay as they are, with the focus or a marked text in them.
  put(items) {
    const before = this.lines;
    this.lines = new Map(items.map((item) => {
      const [key, told] = [`${item.stage} ${item.index}`, JSON.stringify(item)];
      const known = before.get(key);
      return [key, known?.told === told ? known : { told, element: this.line(item) }];
    }));
    const held = this.focused(before);
    for (const [key, { element }] of before) if (this.lines.get(key)?.element !== element) element.remove();
    let next = this.body.firstElementChild;
    for (const { element } of this.lines.values()) {
      if (element === next) next = next.nextElementSibling;
      else this.body.insertBefore(element, next);
    }
    if (held && document.activeElement !== held.link) {
      const links = this.lines.get(held.key)?.element.querySelectorAll("a") || [];
      (links[held.place] || links[0] || this.body.closest("[tabindex]")).focus({ preventScroll: true });
    }
  }

  // What of the lines has the focus: which link of which line.
  focused(lines) {
    const link = document.activeElement;
    for (const [key, { element }] of lines) {
      if (element.contains(link)) return { link, key, place: [...element.querySelectorAll("a")].indexOf(link) };
    }
    return null;
  }

  places(count) {
    const pages = element("items-pages");
    const before = (this.cursors.length - 1) * PAGE;
    pages.hidden = this.after === null && this.cursors.length === 1;
    pages.querySelector('[data-way="-1"]').disabled = this.cursors.length === 1;
    pages.querySelector('[data-way="1"]').disabled = this.after === null;
    element("items-place").textContent = t("job.items_place", { from: before + 1, to: before + count });
  }

  line(item) {
    const came = item.error ? failed(item) : made("div", { class: "came" }, ...this.files(item.outputs));
    const paid = item.spending?.cost ? made("span", { class: "muted" }, cost(item.spending.cost)) : null;
    return made("tr", { "data-state": item.state },
      made("th", { scope: "row" }, uploaded(item) ? made("a", { href: `/files/${item.file}`, class: "plain" }, item.name) : item.path || item.name),
      made("td", {}, made("span", { class: `badge ${item.state}` }, t("job.item_states", { which: item.state }))),
      made("td", {}, came, paid),
      made("td", { class: "right muted" }, item.seconds ? lasting(item.seconds) : ""));
  }

  files(outputs) {
    const links = outputs.slice(0, SHOWN_FILES).map((file) => made("span", {},
      made("a", { href: file.url, download: "" }, file.name), " ", made("span", { class: "muted" }, size(file.size))));
    if (outputs.length > SHOWN_FILES) links.push(made("span", { class: "muted" }, t("job.more_files", { count: outputs.length - SHOWN_FILES })));
    return links;
  }
}
