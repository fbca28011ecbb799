// Hands on a grid: clicks, keys and long presses that choose, and arrows that go from one to the next.

const LONG = 450; // milliseconds of a touch that chooses
const STILL = 10; // pixels that a finger may stray

const MOVES = {
  ArrowLeft: () => -1,
  ArrowRight: () => 1,
  ArrowUp: ({ columns }) => -columns,
  ArrowDown: ({ columns }) => columns,
  PageUp: ({ columns, line }) => -columns * Math.max(1, Math.floor(innerHeight / line) - 1),
  PageDown: ({ columns, line }) => columns * Math.max(1, Math.floor(innerHeight / line) - 1),
  Home: () => -Infinity,
  End: () => Infinity,
};

export class Choosing {
  // `all` chooses everything; `keys` are what keys do with what is chosen, or has the focus.
  constructor(grid, { all = () => grid.choice.all(), keys = {} } = {}) {
    Object.assign(this, { grid, choice: grid.choice, all, keys, press: null, pressed: false });
    const { place } = grid;
    place.addEventListener("click", (event) => this.click(event));
    place.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("keydown", (event) => this.anywhere(event), { signal: grid.signal });
    place.addEventListener("pointerdown", (event) => this.touched(event));
    for (const kind of ["pointerup", "pointercancel", "pointermove"]) place.addEventListener(kind, (event) => this.lifted(event));
    place.addEventListener("contextmenu", (event) => {
      if (this.pressed || this.press) event.preventDefault();
    });
  }

  at(element) {
    const id = element.closest("li")?.dataset.file;
    return id === undefined ? undefined : this.grid.source.place(id);
  }

  // Once something is chosen a click chooses more; the Enter key opens all the same.
  click(event) {
    const n = this.at(event.target);
    if (n === undefined) return;
    const box = event.target.closest("input[type=checkbox]");
    const link = event.target.closest("[data-focus]");
    if (event.target.closest("label")?.contains(event.target) && !box) return; // the click on its box comes next
    const choosing = box || (link && (event.shiftKey || event.ctrlKey || event.metaKey || (this.choice.size && event.detail)));
    if (this.pressed || (choosing && !box)) event.preventDefault();
    if (this.pressed) this.pressed = false;
    else if (choosing && event.shiftKey) this.choice.extend(n, box ? box.checked : true);
    else if (choosing) this.choice.toggle(n);
  }

  key(event) {
    const { grid, choice } = this;
    const n = this.at(event.target);
    if (n === undefined || event.altKey || !event.target.matches("[data-focus], input")) return;
    const move = MOVES[event.key];
    if (move) {
      event.preventDefault();
      const to = Math.max(0, Math.min(grid.source.count - 1, n + move(grid.measures)));
      if (event.shiftKey && choice.anchor === null) choice.toggle(n, true);
      grid.focus(to);
      if (event.shiftKey) choice.extend(to);
    } else if (event.key === " ") {
      event.preventDefault();
      if (event.shiftKey) choice.extend(n);
      else choice.toggle(n);
    }
  }

  // Where nobody writes a text and no dialog is open.
  anywhere(event) {
    const { target } = event;
    if (event.defaultPrevented || target.closest?.("input:not([type=checkbox], [type=radio]), select, textarea, dialog, details[open]")) return;
    if (document.querySelector("dialog[open]")) return;
    const held = event.ctrlKey || event.metaKey || event.altKey;
    if (event.key === "a" && held && !event.altKey) {
      event.preventDefault();
      this.all();
    } else if (event.key === "Escape" && this.choice.size) this.choice.clear();
    else if (!held && !event.repeat && Object.hasOwn(this.keys, event.key) && (this.choice.size || this.grid.focused())) this.keys[event.key]();
  }

  touched(event) {
    const n = this.at(event.target);
    this.pressed = false;
    if (event.pointerType !== "touch" || n === undefined) return;
    const timer = setTimeout(() => {
      this.press = null;
      this.pressed = true; // the click that may follow is part of it
      this.choice.toggle(n);
    }, LONG);
    this.press = { timer, x: event.clientX, y: event.clientY };
  }

  lifted(event) {
    if (!this.press) return;
    const strayed = Math.hypot(event.clientX - this.press.x, event.clientY - this.press.y) > STILL;
    if (event.type === "pointermove" && !strayed) return;
    clearTimeout(this.press.timer);
    this.press = null;
  }
}
