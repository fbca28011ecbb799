// A contact sheet: a title, and a grid of pictures that can be looked at and picked.
import { size } from "../api.js";
import { Choosing } from "../choosing.js";
import { made } from "../dataset.js";
import { Grid } from "../grid.js";
import { Lightbox } from "./lightbox.js";
import { place as placeText } from "./words.js";
import { t } from "../texts.js";

export class Sheet {
  // `bytes` is the size of all of it, `note` what is to be said of it.
  constructor(source, { title, bytes = null, note = "" }) {
    Object.assign(this, { source, title, bytes });
    this.told = made("span", { class: "muted" });
    this.list = made("ul", { class: "gallery contact", "aria-label": t("job.pictures_of", { name: title }) });
    const head = made("div", { class: "heading" }, made("h2", {}, title), this.told);
    this.element = made("section", { class: "card sheet", "aria-label": t("job.pictures_of", { name: title }) },
      head, note ? made("p", { class: "muted", role: "note" }, note) : null, this.list);
    this.lightbox = new Lightbox(this);
    this.life = new AbortController();
  }

  // It goes: nothing of the page listens for it any more.
  end() {
    this.life.abort();
    this.element.remove();
    this.lightbox.dialog?.close();
  }

  // Once it stands in the page: how wide it is decides what is drawn. `picked` hears what is picked.
  begin(picked) {
    this.grid = new Grid(this.list, { source: this.source, cell: (id, item, calm) => this.cell(id, item, calm), shape, signal: this.life.signal, changed: () => { this.tell(); picked(); } });
    const hands = new Choosing(this.grid);
    this.list.addEventListener("click", (event) => {
      const link = event.target.closest("[data-focus]");
      if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey) return;
      const n = hands.at(link);
      if (!this.source.item(n)?.picture) return;
      event.preventDefault();
      this.lightbox.show(n);
    });
    this.tell();
    this.grid.later();
  }

  tell() {
    const { count } = this.source;
    const bytes = this.bytes === null ? "" : ` · ${size(this.bytes)}`;
    this.told.textContent = `${this.source.whole ? t("job.pictures", { count }) : t("job.pictures_so_far", { count })}${bytes}`;
  }

  label(n, item) {
    return item?.time === null || !item ? item?.name || t("job.picture", { number: n + 1 }) : t("job.frame_at", { number: n + 1, time: placeText(item.time) });
  }

  cell(id, item, calm) {
    const n = this.source.place(id);
    const label = this.label(n, item);
    const picture = item?.picture && calm ? made("img", { src: item.shown, alt: "", decoding: "async" }) : item && !item.picture ? made("span", {}, item.name.split(".").at(-1)) : "";
    const link = made("a", { class: "picture", "data-focus": "", "aria-label": label }, picture);
    if (item) link.href = item.url;
    const box = made("input", { type: "checkbox", tabIndex: -1, "aria-label": t("job.pick", { name: label }) });
    const told = made("span", { class: "name" }, item ? (item.time === null ? item.name : placeText(item.time)) : "");
    return [link, made("label", { class: "caption" }, box, told)];
  }
}

function shape(width) {
  const gap = 8;
  const columns = Math.max(2, Math.floor((width + gap) / (160 + gap)));
  const wide = (width - gap * (columns - 1)) / columns;
  return { columns, gap, wide, line: Math.round(wide * 9 / 16) + 30 + gap };
}
