// One picture of a sheet, large; the arrow keys lead to those beside it, Space picks it.
import { size } from "../api.js";
import { made } from "../dataset.js";
import { shownAt } from "./sources.js";
import { place as placeText } from "./words.js";
import { t } from "../texts.js";

export class Lightbox {
  constructor(sheet) {
    this.sheet = sheet;
  }

  async show(n) {
    this.dialog ||= this.make();
    this.n = n;
    this.image.removeAttribute("src"); // that of an earlier look
    if (!this.dialog.open) {
      document.body.append(this.dialog);
      this.dialog.showModal();
    }
    await this.go(n);
  }

  make() {
    const button = (name, text, action) => made("button", { type: "button", class: `turn ${name}`, onclick: action, "aria-label": text }, name === "close" ? "×" : name === "before" ? "‹" : "›");
    this.image = made("img", { alt: "" });
    this.told = made("p", { class: "about-picture", "aria-live": "polite" });
    this.pick = made("button", { type: "button", autofocus: true, onclick: () => this.toggle() }, t("job.lightbox_pick"));
    this.save = made("a", { class: "button", download: "" }, t("words.download"));
    this.original = made("button", { type: "button", "aria-pressed": "false", onclick: () => this.compare() }, t("job.lightbox_before"));
    const dialog = made("dialog", { class: "lightbox", "aria-label": this.sheet.title },
      made("div", { class: "stage-of-one" }, button("before", t("job.lightbox_previous"), () => this.go(this.n - 1)), this.image, button("after", t("job.lightbox_next"), () => this.go(this.n + 1))),
      made("div", { class: "under" }, this.told, this.pick, this.original, this.save), button("close", t("words.close"), () => dialog.close()));
    dialog.addEventListener("keydown", (event) => this.key(event));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (this.sheet.element.isConnected) this.sheet.grid.focus(this.n);
    });
    return dialog;
  }

  key(event) {
    const ways = { ArrowLeft: -1, ArrowRight: 1 };
    if (ways[event.key]) this.go(this.n + ways[event.key]);
    else if (event.key === "Home") this.go(0);
    else if (event.key === "End") this.go(this.sheet.source.count - 1);
    else if (event.key === " " && !event.target.matches("button")) this.toggle();
    else return;
    event.preventDefault();
  }

  async go(n) {
    const { source } = this.sheet;
    if (n < 0 || (n >= source.count && source.whole)) return;
    this.going = n;
    let item;
    try {
      item = await source.at(n);
    } catch (problem) {
      if (this.going === n) this.told.textContent = problem.message;
    }
    if (!item || this.going !== n) return;
    Object.assign(this, { n, item });
    this.image.onerror = null;
    this.image.src = item.shown;
    this.image.alt = this.sheet.label(n, item);
    this.save.href = item.url;
    this.save.download = item.name;
    this.original.hidden = !item.input;
    this.original.setAttribute("aria-pressed", "false");
    const time = item.time === null ? "" : ` · ${placeText(item.time)}`;
    this.told.textContent = `${t("job.lightbox_place", { number: n + 1, count: source.count })}${time} · ${item.name} · ${size(item.size)}`;
    this.dialog.querySelector(".before").setAttribute("aria-disabled", String(n === 0)); // it keeps the focus
    this.dialog.querySelector(".after").setAttribute("aria-disabled", String(source.whole && n === source.count - 1));
    this.tend();
    if (n + 1 < source.count) source.at(n + 1).then((next) => { if (next?.picture) new Image().src = next.shown; }).catch(() => {});
  }

  // The input in the place of the result, to see what was done to it.
  compare() {
    const on = this.original.getAttribute("aria-pressed") === "false";
    this.original.setAttribute("aria-pressed", String(on));
    const back = () => Object.assign(this.image, { onerror: null, src: this.item.shown });
    if (!on) back();
    else {
      this.image.onerror = () => { this.original.hidden = true; back(); };
      this.image.src = shownAt(`/v1/files/${this.item.input}/content`);
    }
  }

  toggle() {
    this.sheet.grid.choice.toggle(this.n);
    this.tend();
  }

  tend() {
    this.pick.setAttribute("aria-pressed", String(this.sheet.grid.choice.has(this.sheet.source.id(this.n))));
  }
}
