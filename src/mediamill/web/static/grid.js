// A grid of very many things: only those in sight are elements; a source knows what stands where.
//
// A source has `count`, `id(n)`, `item(n)` (undefined until it is known), `place(id)`, `want(first, last)`
// which sees to it that those are known, and tells of news by calling `changed`. A `cell` makes what is
// in the element of an item; in it stands what takes the focus, marked `data-focus`, and a checkbox.
// A grid that goes before its page does is let go by `signal`.
import { Choice } from "./choice.js";
import { made } from "./dataset.js";
import { t } from "./texts.js";

const AHEAD = 400; // pixels above and below what is seen
const CALM = 120; // milliseconds without scrolling until pictures are asked for again

export class Grid {
  constructor(place, { source, cell, shape = tiles, head = () => 0, changed = () => {}, signal = new AbortController().signal }) {
    Object.assign(this, { place, source, cell, shape, head, signal, cells: new Map(), active: null, seen: scrollY, calm: true });
    this.choice = new Choice(source, () => {
      this.mark();
      changed();
    });
    source.changed = () => {
      changed();
      this.later();
    };
    addEventListener("scroll", () => this.scrolled(), { passive: true, signal });
    addEventListener("resize", () => this.later(), { passive: true, signal });
    const sizes = new ResizeObserver(() => this.later());
    sizes.observe(place);
    signal.addEventListener("abort", () => sizes.disconnect());
    place.addEventListener("focusin", (event) => this.entered(event.target.closest("li")));
  }

  // Pictures on the way of a fast drag would only keep those from coming that are wanted.
  scrolled() {
    const far = Math.abs(scrollY - this.seen) > innerHeight;
    this.seen = scrollY;
    this.calm = this.calm && !far;
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      this.calm = true;
      this.later();
    }, CALM);
    this.later();
  }

  later() {
    if (!this.signal.aborted) this.frame ||= requestAnimationFrame(() => this.draw());
  }

  get measures() {
    return this.shape(this.place.clientWidth);
  }

  // The places in sight, with so many pixels around: from the first to before the last.
  sight(ahead = 0) {
    const { columns, line } = this.measures;
    const top = this.place.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor((-top - ahead) / line)) * columns;
    return [first, Math.max(0, Math.min(this.source.count, Math.ceil((innerHeight - top + ahead) / line) * columns))];
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    const { source } = this;
    const measures = this.measures;
    this.place.style.height = `${Math.ceil(source.count / measures.columns) * measures.line}px`;
    const [first, last] = this.sight(AHEAD);
    const wanted = [];
    for (let n = first; n < last; n += 1) wanted.push(n);
    const focused = this.focused();
    if (focused === null && !(source.place(this.active) >= first && source.place(this.active) < last)) this.active = null;
    this.active ??= source.count ? source.id(Math.min(this.sight()[0], source.count - 1)) : null;
    const kept = focused === null ? -1 : source.place(focused);
    if (kept >= 0 && kept < first) wanted.unshift(kept);
    if (kept >= last) wanted.push(kept);
    this.clear(new Set(wanted.map((n) => source.id(n))));
    let next = this.place.firstElementChild;
    for (const n of wanted) {
      const element = this.put(n, measures);
      if (element === next) next = next.nextElementSibling;
      else this.place.insertBefore(element, next);
    }
    source.want(first, last);
  }

  clear(wanted) {
    for (const [id, { element }] of this.cells) {
      if (wanted.has(id)) continue;
      for (const image of element.querySelectorAll("img")) if (!image.complete) image.removeAttribute("src");
      element.remove();
      this.cells.delete(id);
    }
  }

  put(n, { columns, gap, wide, line }) {
    const id = this.source.id(n);
    const item = this.source.item(n);
    let one = this.cells.get(id);
    if (!one) this.cells.set(id, one = { element: made("li", { "data-file": id }), item: null });
    if (one.item !== item || (this.calm && !one.calm)) this.fill(one, id, item);
    const { element } = one;
    element.style.transform = `translate(${(n % columns) * (wide + gap)}px, ${Math.floor(n / columns) * line}px)`;
    element.style.width = `${wide}px`;
    element.style.height = `${line - gap}px`;
    element.setAttribute("aria-posinset", n + 1);
    element.setAttribute("aria-setsize", this.source.whole ? this.source.count : -1);
    this.tend(element, id);
    return element;
  }

  fill(one, id, item) {
    const focus = one.element.contains(document.activeElement) && document.activeElement.matches("[data-focus]");
    one.element.classList.toggle("coming", !item);
    one.element.replaceChildren(...this.cell(id, item, this.calm));
    Object.assign(one, { item, calm: this.calm });
    if (focus) one.element.querySelector("[data-focus]").focus({ preventScroll: true });
  }

  // What is ticked, and which one Tab leads to.
  tend(element, id) {
    const box = element.querySelector("input[type=checkbox]");
    const picked = this.choice.has(id);
    element.classList.toggle("picked", picked);
    if (box) box.checked = picked;
    const focus = element.querySelector("[data-focus]");
    if (!focus) return;
    focus.tabIndex = id === this.active ? 0 : -1;
    if (focus === box || picked === focus.hasAttribute("aria-describedby")) return;
    if (picked) focus.setAttribute("aria-describedby", selected());
    else focus.removeAttribute("aria-describedby");
  }

  mark() {
    for (const [id, { element }] of this.cells) this.tend(element, id);
  }

  // -- by keyboard ---------------------------------------------------------------------------------

  focused() {
    const { activeElement } = document;
    return this.place.contains(activeElement) ? activeElement.closest("li").dataset.file : null;
  }

  entered(element) {
    if (!element || element.dataset.file === this.active) return;
    this.active = element.dataset.file;
    this.mark();
  }

  // Goes to a place: what is there may still be coming.
  focus(n) {
    if (!this.source.count) return;
    const place = Math.max(0, Math.min(n, this.source.count - 1));
    this.reveal(place);
    this.active = this.source.id(place);
    this.draw();
    this.cells.get(this.active).element.querySelector("[data-focus]").focus({ preventScroll: true });
    this.mark();
  }

  reveal(n) {
    const { columns, line } = this.measures;
    const top = this.place.getBoundingClientRect().top + Math.floor(n / columns) * line;
    const head = this.head();
    if (top < head) scrollBy({ top: top - head - 8, behavior: "instant" });
    else if (top + line > innerHeight) scrollBy({ top: top + line - innerHeight + 8, behavior: "instant" });
  }
}

// What a screen reader says of one that is chosen: it goes from link to link, past the boxes.
function selected() {
  const id = "is-selected";
  if (!document.getElementById(id)) document.body.append(made("span", { id, hidden: true }, t("words.selected")));
  return id;
}

// Cells as wide as about 150 pixels, three quarters as high and a line for the name.
export function tiles(width) {
  const gap = 8;
  const columns = Math.max(2, Math.floor((width + gap) / (150 + gap)));
  const wide = (width - gap * (columns - 1)) / columns;
  return { columns, gap, wide, line: Math.round(wide * 0.75) + 30 + gap };
}
