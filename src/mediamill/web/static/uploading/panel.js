// The panel of uploads at the foot of the page: all of them together, and of the files those that matter now.
import { made } from "../dataset.js";
import { size } from "../api.js";
import { t } from "../texts.js";
import { Line } from "./line.js";
import { Queue } from "./queue.js";
import { Speed } from "./speed.js";

const STYLES = "/static/styles/uploads.css";
const PHONE = matchMedia("(max-width: 47.99rem)");
const SHOWN = { refused: 20, unfinished: 20, paused: 10, sending: 8, checking: 4, waiting: 4, ready: 3 };
const EVERY = 250; // milliseconds between two drawings
const SPOKEN = 15_000; // between two things that are said of what goes on as it did

export async function open() {
  if (!document.querySelector(`link[href="${STYLES}"]`)) {
    const styles = made("link", { rel: "stylesheet", href: STYLES });
    const there = new Promise((resolve) => { styles.onload = styles.onerror = resolve; });
    document.head.append(styles);
    await there;
  }
  return new Panel().queue;
}

class Panel {
  constructor() {
    this.lines = new Map();
    this.speed = new Speed();
    this.heading = made("span", { class: "told" });
    this.detail = made("span", { class: "muted" });
    this.fold = made("button", { type: "button", class: "fold", "aria-expanded": "true", "aria-controls": "uploads-body" }, made("strong", {}, t("uploads.title")), this.heading);
    this.all = button(t("uploads.pause"), () => this.toggle());
    this.close = button("×", () => this.away(), t("words.close"));
    this.bar = made("progress", { max: "1", "aria-label": t("uploads.all") });
    this.hold = made("p", { class: "hold", hidden: true });
    this.list = made("ul", { "aria-label": t("uploads.title") });
    this.rest = made("p", { class: "muted", hidden: true });
    this.retry = button(t("uploads.retry_all"), () => this.queue.retry(this.queue.by.refused));
    this.dismiss = button(t("uploads.dismiss_all"), () => this.queue.remove(this.queue.by.refused));
    this.many = made("p", { class: "actions", hidden: true }, this.retry, this.dismiss);
    this.status = made("p", { class: "visually-hidden", role: "status" });
    this.body = made("div", { id: "uploads-body", class: "body" }, this.detail, this.list, this.rest, this.many);
    this.place = made("section", { class: "uploading", "aria-label": t("uploads.title"), hidden: true },
      made("div", { class: "top-line" }, this.fold, this.all, this.close), this.bar, this.hold, this.body, this.status);
    this.fold.addEventListener("click", () => this.show(this.body.hidden));
    this.list.addEventListener("click", (event) => this.act(event));
    this.place.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.body.hidden) return;
      event.stopPropagation(); // it closes this, and nothing behind it
      this.show(false);
    });
    document.querySelector("#main").after(this.place);
    this.show(!PHONE.matches);
    Object.assign(this, { active: false, small: false, files: 0 });
    this.queue = new Queue(() => this.soon());
  }

  soon() {
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      this.standing(() => this.draw());
    }, EVERY);
  }

  // Does what may hide or remove things; whoever stood on one stands on the heading then, or where the content begins.
  standing(change) {
    const held = this.place.contains(document.activeElement);
    change();
    const still = document.activeElement;
    if (held && !(this.place.contains(still) && still.checkVisibility())) (this.place.hidden ? document.querySelector("#main") : this.fold).focus();
  }

  show(open) {
    this.standing(() => { this.body.hidden = !open; });
    this.fold.setAttribute("aria-expanded", String(open));
    this.fold.title = open ? t("uploads.hide") : t("uploads.show");
  }

  // What is not finished is shown again when the page is loaded next.
  away() {
    this.queue.clear();
    this.standing(() => { this.place.hidden = true; });
  }

  toggle() {
    if (this.queue.hold) this.queue.release();
    else this.queue.pauseAll();
  }

  act(event) {
    const action = event.target.closest("[data-do]")?.dataset.do;
    const entry = event.target.closest("li")?.entry;
    switch (action) {
      case "pause": return this.queue.pauseOne(entry);
      case "resume": return this.queue.resume(entry);
      case "retry": return this.queue.retry([entry]);
      case "cancel":
      case "dismiss": return this.queue.remove([entry]);
      default: return null;
    }
  }

  draw() {
    const { by, sum, hold, busy } = this.queue;
    const { refused, unfinished, checking } = by;
    this.place.hidden = !(busy || checking.size || refused.size || unfinished.size || sum.ready);
    this.heading.textContent = this.told();
    this.bar.hidden = !busy && !checking.size;
    this.bar.value = sum.bytes ? sum.sent / sum.bytes : 0;
    this.all.hidden = !busy || hold?.why === "again";
    this.all.textContent = !hold ? t("uploads.pause") : hold.why === "connection" || hold.why === "later" ? t("uploads.try_now") : t("uploads.go_on");
    this.close.hidden = busy || checking.size > 0;
    this.rests(busy || checking.size > 0);
    this.hold.hidden = !hold || hold.why === "again";
    this.hold.textContent = hold ? reason(hold) : "";
    this.pace(busy);
    this.drawLines();
    this.many.hidden = refused.size < 2;
    this.speak();
    if (busy) this.soon();
  }

  // Done without a word to say, it makes itself small; somebody who is in it is left alone.
  // Few files may come and be through between two drawings.
  rests(active) {
    const { by, sum } = this.queue;
    const done = !active && sum.ready > 0 && (this.active || sum.files !== this.files);
    const silent = !by.refused.size && !by.unfinished.size && !sum.there;
    if (active && !this.active && this.small) this.show(true);
    if (active) this.small = false;
    if (done && silent && !this.body.hidden && !this.place.matches(":hover, :focus-within")) {
      this.show(false);
      this.small = true;
    }
    Object.assign(this, { active, files: sum.files });
  }

  told() {
    const { by, sum, busy } = this.queue;
    const parts = [];
    if (busy) parts.push(t("uploads.so_far", { done: sum.ready, total: sum.files }));
    else if (by.checking.size) parts.push(t("uploads.checking", { count: by.checking.size }));
    else if (sum.ready) parts.push(t("uploads.ready", { count: sum.ready }));
    if (by.refused.size) parts.push(t("uploads.refused", { count: by.refused.size }));
    if (by.unfinished.size && !busy) parts.push(t("uploads.unfinished", { count: by.unfinished.size }));
    return parts.join(" · ");
  }

  pace(busy) {
    const { sum, hold } = this.queue;
    this.speed.take(sum.sent);
    const parts = [];
    if (busy && !hold && this.speed.rate) parts.push(t("uploads.of_size", { sent: size(sum.sent), size: size(sum.bytes) }), t("uploads.speed", { size: size(this.speed.rate) }), this.speed.left(sum.bytes - sum.sent));
    if (!busy && sum.there) parts.push(t("uploads.there", { count: sum.there }));
    this.detail.textContent = parts.filter(Boolean).join(" · ");
    this.detail.hidden = !this.detail.textContent;
  }

  // Lines are kept while their file is among those that are shown, and stand in the order of the states.
  drawLines() {
    const { by, hold } = this.queue;
    const shown = new Set(Object.entries(SHOWN).flatMap(([state, most]) => some(by[state], most)));
    for (const [entry, line] of this.lines) {
      if (shown.has(entry)) continue;
      line.item.remove();
      this.lines.delete(entry);
    }
    let after = null;
    for (const entry of shown) {
      if (!this.lines.has(entry)) this.lines.set(entry, new Line(entry));
      const line = this.lines.get(entry);
      line.update(hold);
      const place = after ? after.nextSibling : this.list.firstChild;
      if (line.item !== place) this.list.insertBefore(line.item, place);
      after = line.item;
    }
    const more = by.waiting.size - SHOWN.waiting;
    const bad = by.refused.size - SHOWN.refused;
    this.rest.textContent = bad > 0 ? t("uploads.more_refused", { count: bad }) : more > 0 ? t("uploads.more", { count: more }) : "";
    this.rest.hidden = !this.rest.textContent;
  }

  // One sentence now and then: what is new at once, what goes on as before seldom.
  speak() {
    const { hold, busy } = this.queue;
    const kind = `${hold?.why} ${busy} ${this.queue.by.refused.size > 0}`;
    if (kind === this.kind && (!busy || hold || Date.now() - this.spoke < SPOKEN)) return;
    Object.assign(this, { kind, spoke: Date.now() });
    this.status.textContent = [this.told(), hold ? reason(hold) : ""].filter(Boolean).join(". ");
  }
}

function reason({ why, until, reason: said }) {
  switch (why) {
    case "connection": return t("uploads.hold_connection");
    case "later": return t("uploads.hold_later", { count: Math.max(1, Math.ceil((until - Date.now()) / 1000)) });
    case "halt": return t("uploads.hold_halt", { reason: said });
    case "paused": return t("uploads.paused_all");
    default: return t("uploads.hold_again");
  }
}

function some(entries, most) {
  const found = [];
  for (const entry of entries) {
    if (found.length === most) break;
    found.push(entry);
  }
  return found;
}

function button(text, act, name = null) {
  const pressed = made("button", { type: "button", class: "quiet", ...(name && { "aria-label": name }) }, text);
  pressed.addEventListener("click", act);
  return pressed;
}
