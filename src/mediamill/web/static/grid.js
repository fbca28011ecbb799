// A grid of very many pictures: only those in sight are elements, the rest is asked for on the way.
import { call } from "./api.js";
import { made } from "./dataset.js";

const GAP = 8;
const AHEAD = 400; // pixels above and below what is seen
const PAGE = 100;

const SHORT = { validation: "val" };

export class Grid {
  constructor(place, { address, link, changed }) {
    Object.assign(this, { place, address, link, changed, items: [], cells: new Map(), selected: new Set(), after: "", round: 0 });
    for (const kind of ["scroll", "resize"]) addEventListener(kind, () => this.later(), { passive: true });
    place.addEventListener("change", (event) => this.tick(event.target));
    place.addEventListener("click", (event) => { this.shift = event.shiftKey; });
  }

  // Begin anew, such as with another filter; what is selected stays selected.
  async reload() {
    this.round += 1;
    const keep = this.items.length;
    const before = this.items;
    Object.assign(this, { after: "", items: [], asking: null });
    const { round } = this;
    const fresh = [];
    do fresh.push(...await this.page()); while (round === this.round && this.after !== null && fresh.length < Math.min(keep, 300));
    if (round !== this.round) return;
    for (const cell of this.cells.values()) cell.remove();
    this.cells.clear();
    this.items = fresh;
    if (!before.length) scrollTo({ top: Math.min(scrollY, this.place.offsetTop) });
    this.draw();
    this.changed();
  }

  async page() {
    const { round } = this;
    const cursor = this.after ? `&after=${encodeURIComponent(this.after)}` : "";
    const page = await call("GET", `${this.address()}&limit=${PAGE}${cursor}`);
    if (round !== this.round) return [];
    this.after = page.has_more ? page.after : null;
    return page.data;
  }

  later() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  measures() {
    const width = this.place.clientWidth;
    const columns = Math.max(2, Math.floor((width + GAP) / (150 + GAP)));
    const cell = (width - GAP * (columns - 1)) / columns;
    return { columns, cell, line: Math.round(cell * 0.75) + 30 + GAP };
  }

  draw() {
    const { columns, cell, line } = this.measures();
    const rows = Math.ceil(this.items.length / columns);
    this.place.style.height = `${rows * line}px`;
    const top = this.place.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor((-top - AHEAD) / line)) * columns;
    const last = Math.min(this.items.length, Math.ceil((innerHeight - top + AHEAD) / line) * columns);
    const wanted = new Set();
    for (let n = first; n < last; n += 1) wanted.add(this.items[n].id);
    const focused = this.place.contains(document.activeElement) && document.activeElement.closest("li")?.dataset.file;
    for (const [id, old] of this.cells) {
      if (!wanted.has(id) && id !== focused) {
        old.remove();
        this.cells.delete(id);
      }
    }
    for (let n = first; n < last; n += 1) this.put(n, columns, cell, line);
    if (last >= this.items.length - columns * 2) this.ask();
  }

  // Cells stand in the order of the items, for who goes through them by keyboard.
  put(n, columns, cell, line) {
    const item = this.items[n];
    let element = this.cells.get(item.id);
    if (!element) {
      element = this.cell(item, n);
      this.cells.set(item.id, element);
      const next = this.items.slice(n + 1, n + 1 + this.cells.size).find((one) => this.cells.has(one.id));
      this.place.insertBefore(element, next ? this.cells.get(next.id) : null);
    }
    element.style.transform = `translate(${(n % columns) * (cell + GAP)}px, ${Math.floor(n / columns) * line}px)`;
    element.style.width = `${cell}px`;
    element.style.height = `${line - GAP}px`;
  }

  cell(item, n) {
    const thumbnail = item.links.thumbnail;
    const picture = thumbnail ? made("img", { src: thumbnail, alt: "", loading: "lazy", decoding: "async", "data-retry": "" }) : made("span", {}, item.media_type.split("/")[1] || "file");
    const box = made("input", { type: "checkbox", "aria-label": `Select ${item.name}`, checked: this.selected.has(item.id) });
    const split = item.split ? made("span", { class: `split ${item.split}`, title: item.split }, SHORT[item.split] || item.split) : null;
    const link = made("a", { href: this.link(item), class: "picture", "aria-label": `Annotate ${item.name}${item.split ? `, ${item.split}` : ""}` }, picture);
    const element = made("li", { "data-file": item.id }, link, made("label", { class: "caption" }, box, made("span", { class: "name" }, item.name), split));
    element.dataset.n = n;
    return element;
  }

  ask() {
    if (this.asking || this.after === null) return;
    const { round } = this;
    this.asking = this.page().then((found) => {
      if (round !== this.round) return;
      this.items.push(...found);
      this.asking = null;
      this.changed();
      this.draw();
    }).catch(() => { this.asking = null; });
  }

  // With Shift, all between it and the one ticked before.
  tick(box) {
    const id = box.closest("li").dataset.file;
    const n = this.items.findIndex((one) => one.id === id);
    const [from, to] = this.shift && this.before !== undefined ? [Math.min(n, this.before), Math.max(n, this.before)] : [n, n];
    for (const { id: each } of this.items.slice(from, to + 1)) this.mark(each, box.checked);
    this.before = n;
    this.changed();
  }

  mark(id, on) {
    if (on) this.selected.add(id);
    else this.selected.delete(id);
    const box = this.cells.get(id)?.querySelector("input");
    if (box) box.checked = on;
  }

  clear() {
    for (const id of [...this.selected]) this.mark(id, false);
    this.before = undefined;
    this.changed();
  }
}
