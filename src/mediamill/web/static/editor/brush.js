// Paint masks, pixel by pixel: by pointer, finger or keyboard. The one that is chosen is shown on a
// canvas over the stage while it is painted; each stroke is one step back.
import { t } from "../texts.js";
import { areaOf, bitsOf, boxOf, maskOf } from "./mask.js";
import { clamp } from "./shapes.js";

const TOOLS = new Set(["brush", "erase"]);

export class Brush {
  constructor(canvas, editor) {
    Object.assign(this, { canvas, editor, at: null, last: null, bits: null, counts: "", picture: null, due: 0 });
    this.field = document.getElementById("brush-size");
    this.field.addEventListener("input", () => this.resized());
    editor.stage.looked = () => this.show();
  }

  get on() {
    return TOOLS.has(this.editor.tool);
  }

  get size() {
    return Number(this.field.value);
  }

  // A picture is opened: the brush is a twentieth of it, at its middle.
  open({ width, height }) {
    const least = Math.min(width, height);
    this.field.max = Math.max(20, Math.round(least / 2));
    this.field.value = Math.max(2, Math.round(least / 20));
    this.at = { x: width / 2, y: height / 2 };
    this.bits = this.picture = this.last = null;
    this.counts = "";
    this.resized();
  }

  resized() {
    document.getElementById("brush-told").textContent = t("annotate.brush_px", { size: this.size });
    this.field.setAttribute("aria-valuetext", t("annotate.brush_pixels", { count: this.size }));
    this.show();
  }

  grow(factor) {
    this.field.value = factor > 1 ? Math.max(this.size + 1, Math.round(this.size * factor)) : Math.min(this.size - 1, Math.round(this.size * factor));
    this.resized();
    this.editor.say(t("annotate.brush_told", { count: this.size }));
  }

  // What is drawn has changed, by a step back or by another choice: show the mask as it is now.
  follow() {
    document.getElementById("brush").hidden = !this.on;
    document.getElementById("another").disabled = !this.mask;
    if (this.last) return;
    const counts = this.on && this.mask ? this.mask.counts : "";
    if (counts !== this.counts || (this.bits && !this.on)) {
      this.bits = counts ? bitsOf(this.mask) : null;
      this.counts = counts;
      this.picture = null;
      if (this.bits) this.copy(boxOf(this.mask));
    }
    this.show();
  }

  get mask() {
    return this.editor.one?.mask || null;
  }

  // -- strokes -----------------------------------------------------------------------------------

  begin(place) {
    const { editor } = this;
    const missing = editor.tool === "erase"
      ? !this.mask && t("annotate.mask_first")
      : !editor.classes.current && t("annotate.no_class");
    if (missing) {
      editor.say(missing);
      return false;
    }
    const { width, height } = editor.drawing.size;
    this.bits ||= new Uint8Array(width * height);
    this.last = place;
    this.line(place);
    return true;
  }

  // Discs from the last place to this one, so near each other that their edge is a line.
  line(place) {
    const { last, size } = this;
    const steps = Math.max(1, Math.ceil(Math.hypot(place.x - last.x, place.y - last.y) / Math.max(0.5, size / 16)));
    for (let n = 0; n <= steps; n += 1) this.disc(last.x + ((place.x - last.x) * n) / steps, last.y + ((place.y - last.y) * n) / steps);
    const [left, right] = [Math.min(last.x, place.x), Math.max(last.x, place.x)];
    const [top, bottom] = [Math.min(last.y, place.y), Math.max(last.y, place.y)];
    this.copy([left - size, top - size, right - left + 2 * size, bottom - top + 2 * size]);
    this.last = this.at = place;
    this.show();
  }

  // All pixels whose middles are in it; its own middle is that of a pixel, or a corner where its size is even.
  disc(x, y) {
    const { width, height } = this.editor.drawing.size;
    const radius = this.size / 2;
    const snap = this.size % 2 ? (value) => Math.floor(value) + 0.5 : Math.round;
    const value = this.editor.tool === "erase" ? 0 : 1;
    [x, y] = [snap(x), snap(y)];
    const most = Math.min(width - 1, Math.floor(x + radius - 0.5));
    for (let column = Math.max(0, Math.ceil(x - radius - 0.5)); column <= most; column += 1) {
      const half = Math.sqrt(radius ** 2 - (column + 0.5 - x) ** 2);
      const first = clamp(Math.ceil(y - half - 0.5), 0, height);
      const end = clamp(Math.floor(y + half - 0.5) + 1, first, height);
      this.bits.fill(value, column * height + first, column * height + end);
    }
  }

  end(name = "") {
    const { editor } = this;
    this.last = null;
    const mask = maskOf(this.bits, editor.drawing.size);
    this.counts = mask ? mask.counts : "";
    const shape = mask && { mask, box: boxOf(mask), polygons: [], area: null };
    const { one } = editor;
    if (one?.mask && !mask) editor.say(t("annotate.mask_gone"));
    else if (mask) editor.say(t("annotate.mask_area", { name: one?.class || editor.classes.current, count: areaOf(mask) }));
    if (!one?.mask && mask) editor.add(shape);
    else if (one?.mask && mask?.counts !== one.mask.counts) editor.replace(shape && { ...one, ...shape }, name);
    if (!mask) this.bits = this.picture = null;
    this.show();
  }

  // As it was before this stroke.
  cancel() {
    this.last = null;
    this.counts = null;
    this.follow();
  }

  // By keyboard: a dab where the brush is, and the brush elsewhere, with a line or without.
  dab() {
    if (this.begin(this.at)) this.end();
  }

  step(dx, dy, draws) {
    const { width, height } = this.editor.drawing.size;
    const next = { x: clamp(this.at.x + dx, 0, width), y: clamp(this.at.y + dy, 0, height) };
    if (draws && this.begin(this.at)) {
      this.line(next);
      this.end("stroke");
    }
    this.hover(next);
  }

  hover(place) {
    this.at = place;
    if (this.on) this.show();
  }

  // -- what is seen --------------------------------------------------------------------------------

  // Bring a part of the bytes onto a canvas of the picture’s size.
  copy([left, top, across, down]) {
    const { width, height } = this.editor.drawing.size;
    const [x, y] = [clamp(Math.floor(left), 0, width), clamp(Math.floor(top), 0, height)];
    const [w, h] = [clamp(Math.ceil(left + across), x, width) - x, clamp(Math.ceil(top + down), y, height) - y];
    if (!this.picture) {
      this.picture = document.createElement("canvas");
      Object.assign(this.picture, { width, height });
    }
    if (!w || !h) return;
    const image = new ImageData(w, h);
    const pixels = new Uint32Array(image.data.buffer);
    for (let column = 0; column < w; column += 1) {
      const start = (x + column) * height + y;
      for (let row = 0; row < h; row += 1) if (this.bits[start + row]) pixels[row * w + column] = 0xffffffff;
    }
    this.picture.getContext("2d").putImageData(image, x, y);
  }

  show() {
    this.due ||= requestAnimationFrame(() => {
      this.due = 0;
      this.draw();
    });
  }

  draw() {
    const { canvas, editor } = this;
    const sharp = devicePixelRatio;
    canvas.hidden = !this.on;
    if (!this.on || !editor.drawing) return;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((length) => Math.round(length * sharp));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    const { x, y, scale } = editor.stage.view;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    if (this.picture) {
      context.imageSmoothingEnabled = false;
      context.setTransform(sharp * scale, 0, 0, sharp * scale, -x * scale * sharp, -y * scale * sharp);
      context.drawImage(this.picture, 0, 0);
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.globalCompositeOperation = "source-in";
      context.globalAlpha = 0.6;
      context.fillStyle = editor.stage.colour(editor.one?.class || editor.classes.current);
      context.fillRect(0, 0, width, height);
      context.globalCompositeOperation = "source-over";
      context.globalAlpha = 1;
    }
    this.ring(context, sharp);
  }

  ring(context, sharp) {
    const { x, y, scale } = this.editor.stage.view;
    const place = [(this.at.x - x) * scale * sharp, (this.at.y - y) * scale * sharp];
    for (const [colour, wide, dash] of [["#000", 3, []], ["#fff", 1.5, this.editor.tool === "erase" ? [4, 4] : []]]) {
      context.beginPath();
      context.setLineDash(dash.map((length) => length * sharp));
      context.arc(...place, Math.max(2, (this.size / 2) * scale * sharp), 0, 2 * Math.PI);
      context.lineWidth = wide * sharp;
      context.strokeStyle = colour;
      context.stroke();
    }
  }
}
