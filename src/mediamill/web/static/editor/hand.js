// What pointers do on the stage: choose, draw, move and reshape; two fingers move and zoom.
import { t } from "../texts.js";
import { bounds, clamp, moved, reshaped, round, withCorner } from "./shapes.js";

const NEAR = 12; // pixels of the screen
const LEAST = 4;

export class Hand {
  constructor(svg, editor) {
    Object.assign(this, { svg, editor, pointers: new Map(), act: null });
    svg.addEventListener("pointerdown", (event) => this.down(event));
    svg.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, (event) => this.up(event));
    svg.addEventListener("dblclick", () => this.editor.pending?.corners && this.enter());
    svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      editor.stage.zoom(1.0015 ** -event.deltaY, editor.stage.place(event));
    }, { passive: false });
  }

  inside(event) {
    const { x, y } = this.editor.stage.place(event);
    const { width, height } = this.editor.drawing.size;
    return { x: round(clamp(x, 0, width)), y: round(clamp(y, 0, height)) };
  }

  down(event) {
    this.svg.focus();
    this.svg.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (this.pointers.size === 2) return this.cancel("pinch");
    if (event.button === 1 || this.editor.tool === "pan" || this.editor.readOnly) this.pick(event, false);
    else if (event.button === 0) this.begin(event);
    return undefined;
  }

  // What a press begins: the chosen shape’s points go before a new shape.
  begin(event) {
    const { editor } = this;
    const { handle, insert } = event.target;
    const at = this.inside(event);
    if (editor.brush.on) this.stroke(event);
    else if (handle) {
      editor.choose(editor.chosen, handle);
      this.act = { kind: "reshape", handle, before: editor.drawing.now };
    } else if (insert) {
      editor.replace(withCorner(editor.one, insert.ring, insert.n, at.x, at.y));
      const added = { ring: insert.ring, n: insert.n + 1 };
      this.act = { kind: "reshape", handle: added, before: editor.drawing.past.at(-1) };
      editor.choose(editor.chosen, added);
    } else if (editor.tool === "select") this.pick(event, true);
    else if (!editor.classes.current) editor.say(t("annotate.no_class"));
    else if (editor.tool === "box") this.act = { kind: "box", from: at };
    else if (editor.tool === "polygon") {
      this.act = { kind: "corner" };
      this.corner(at);
    } else if (editor.tool === "points") this.point(at, event.shiftKey);
  }

  stroke(event) {
    if (this.editor.brush.begin(this.editor.stage.place(event))) this.act = { kind: "paint" };
  }

  pick(event, moves) {
    const key = event.target.closest?.("[data-key]")?.dataset.key || null;
    const tool = this.editor.tool;
    if (tool !== "pan") this.editor.choose(key);
    if (key && moves && tool !== "pan") this.act = { kind: "move", from: this.inside(event), one: this.editor.one, before: this.editor.drawing.now };
    else this.act = { kind: "pan", last: event };
  }

  move(event) {
    const { act, editor } = this;
    if (act?.kind !== "paint" && event.pointerType !== "touch") editor.brush.hover(editor.stage.place(event));
    if (!this.pointers.has(event.pointerId)) return;
    const before = this.pointers.get(event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (this.pointers.size === 2) this.pinch(event, before);
    else if (act?.kind === "paint") editor.brush.line(editor.stage.place(event));
    else if (act?.kind === "pan") editor.stage.pan(event.clientX - before.clientX, event.clientY - before.clientY);
    else if (act?.kind === "box") editor.wait({ box: boxed(act.from, this.inside(event)) });
    else if (act?.kind === "reshape") {
      const { x, y } = this.inside(event);
      editor.replace(reshaped(editor.one, act.handle, x, y, editor.drawing.size), "drag");
    } else if (act?.kind === "move") {
      const { x, y } = this.inside(event);
      const next = moved(act.one, x - act.from.x, y - act.from.y, editor.drawing.size);
      if (next !== act.one) editor.replace(next, "drag");
    }
  }

  pinch(event, before) {
    const other = [...this.pointers.values()].find((one) => one.pointerId !== event.pointerId);
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
    const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
    this.editor.stage.pan((event.clientX - before.clientX) / 2, (event.clientY - before.clientY) / 2);
    this.editor.stage.zoom(apart(event) / apart(before), this.editor.stage.place(middle));
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    const { act, editor } = this;
    if (act?.kind === "box" && editor.pending?.box && event.type === "pointerup") {
      const { box } = editor.pending;
      const scale = editor.stage.view.scale;
      if (box[2] * scale >= LEAST && box[3] * scale >= LEAST) editor.add({ box });
      else editor.wait(null);
    }
    if (act?.kind === "paint") editor.brush[event.type === "pointerup" ? "end" : "cancel"]();
    if (act && act.kind !== "pan") editor.drawing.last = "";
    if (!this.pointers.size || act?.kind !== "pinch") this.act = null;
  }

  // A second finger is no drawing: what the first one began is taken back.
  cancel(kind = null) {
    const { act, editor } = this;
    if (act?.before && editor.drawing.now !== act.before) {
      editor.drawing.undo();
      editor.choose(editor.chosen);
    }
    if (act?.kind === "box") editor.wait(null);
    if (act?.kind === "corner") this.back();
    if (act?.kind === "paint") editor.brush.cancel();
    this.act = kind && { kind };
  }

  corner({ x, y }) {
    const corners = this.editor.pending?.corners || [];
    const { scale } = this.editor.stage.view;
    const [first] = corners;
    if (corners.length > 2 && Math.hypot(first[0] - x, first[1] - y) * scale < NEAR) return this.enter();
    const last = corners.at(-1);
    if (last && Math.hypot(last[0] - x, last[1] - y) * scale < 2) return undefined;
    return this.editor.wait({ corners: [...corners, [x, y]] });
  }

  point({ x, y }, hidden) {
    const { editor } = this;
    const names = this.names();
    if (!names.length) return;
    const keypoints = [...(editor.pending?.keypoints || []), [x, y, hidden ? 1 : 2]];
    editor.wait({ keypoints });
    if (keypoints.length === names.length) this.enter();
    else editor.say(t("annotate.point_next", { name: names[keypoints.length] }));
  }

  names() {
    const { editor } = this;
    const names = editor.classes.byName.get(editor.classes.current)?.keypoints || [];
    if (!names.length) editor.say(t("annotate.no_points", { name: editor.classes.current }));
    return names;
  }

  // End what was begun; with nothing begun, draw a shape in the middle of what is seen.
  enter() {
    const { editor } = this;
    const { corners, keypoints } = editor.pending || {};
    if (editor.brush.on) editor.brush.dab();
    else if (corners) {
      if (corners.length > 2) editor.add({ polygons: [corners.flat()] });
      else editor.say(t("annotate.few_corners"));
    } else if (keypoints) {
      const missing = this.names().length - keypoints.length;
      editor.add({ keypoints: [...keypoints.flat(), ...new Array(Math.max(0, missing) * 3).fill(0)] });
    } else if (!editor.pending && !editor.readOnly) this.middle();
  }

  middle() {
    const { editor } = this;
    const { x, y } = editor.stage.centre();
    const { width, height } = editor.drawing.size;
    const half = Math.min(width, height) / 8;
    const at = (dx, dy) => [round(clamp(x + dx * half, 0, width)), round(clamp(y + dy * half, 0, height))];
    if (editor.tool === "box") {
      const [[left, top], [right, bottom]] = [at(-1, -1), at(1, 1)];
      editor.add({ box: [left, top, round(right - left), round(bottom - top)] });
    } else if (editor.tool === "polygon") editor.add({ polygons: [[at(0, -1), at(1, 0), at(0, 1), at(-1, 0)].flat()] });
    else if (editor.tool === "points") {
      const names = this.names();
      const spread = (n) => (names.length > 1 ? (2 * n) / (names.length - 1) - 1 : 0);
      if (names.length) editor.add({ keypoints: names.flatMap((_, n) => [...at(spread(n), 0), 2]) });
    } else return;
    const [left, top] = bounds(editor.one || { box: [0, 0] });
    if (editor.one) editor.say(t("annotate.drawn", { x: Math.round(left), y: Math.round(top) }));
  }

  back() {
    const { corners, keypoints } = this.editor.pending || {};
    const left = (corners || keypoints || []).slice(0, -1);
    this.editor.wait(left.length ? { [corners ? "corners" : "keypoints"]: left } : null);
  }

  escape() {
    const { act, editor } = this;
    if (act?.kind === "paint") editor.brush.cancel();
    else if (editor.pending) editor.wait(null);
    else if (editor.active) editor.choose(editor.chosen);
    else editor.choose(null);
    this.act = null;
  }
}

function boxed(from, to) {
  const [left, top] = [Math.min(from.x, to.x), Math.min(from.y, to.y)];
  return [left, top, round(Math.abs(to.x - from.x)), round(Math.abs(to.y - from.y))];
}
