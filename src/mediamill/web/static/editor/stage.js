// A picture with shapes on it, as SVG: what is seen of it, and where a pointer is on it.
import { bounds, handles, pairs, same, clamp } from "./shapes.js";
import { boxOf, pictured } from "./mask.js";

const NAMESPACE = "http://www.w3.org/2000/svg";
const COARSE = matchMedia("(pointer: coarse)");

export function element(name, attributes = {}, parent = null) {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent?.append(made);
  return made;
}

export class Stage {
  constructor(svg, colour) {
    this.svg = svg;
    this.colour = colour;
    this.image = element("image", { preserveAspectRatio: "none" }, svg);
    this.shapes = element("g", {}, svg);
    this.over = element("g", {}, svg);
    this.drawn = new Map();
    this.size = { width: 1, height: 1 };
    this.view = { x: 0, y: 0, scale: 1 };
    this.looked = () => {}; // whoever draws over it draws again
    new ResizeObserver(() => this.fit()).observe(svg);
  }

  show(address, size) {
    this.size = size;
    this.image.setAttribute("width", size.width);
    this.image.setAttribute("height", size.height);
    this.image.setAttribute("href", address);
    for (const old of this.drawn.values()) this.forget(old);
    this.drawn.clear();
    this.fit();
  }

  // -- the view ------------------------------------------------------------------------------

  get room() {
    return { width: this.svg.clientWidth || 1, height: this.svg.clientHeight || 1 };
  }

  fit() {
    const room = this.room;
    const scale = Math.min(room.width / this.size.width, room.height / this.size.height);
    this.look((this.size.width - room.width / scale) / 2, (this.size.height - room.height / scale) / 2, scale);
  }

  look(x, y, scale) {
    const room = this.room;
    this.view = { x, y, scale };
    this.svg.setAttribute("viewBox", `${x} ${y} ${room.width / scale} ${room.height / scale}`);
    this.svg.dataset.scale = scale.toFixed(3);
    if (this.again) this.draw(...this.again);
    this.looked();
  }

  // Nearer or farther, with a place of the picture staying where it is.
  zoom(factor, at) {
    const room = this.room;
    const { x, y, scale } = this.view;
    at ||= { x: x + room.width / scale / 2, y: y + room.height / scale / 2 };
    const least = Math.min(room.width / this.size.width, room.height / this.size.height) / 2;
    const next = clamp(scale * factor, least, Math.max(40, least));
    this.look(at.x - ((at.x - x) * scale) / next, at.y - ((at.y - y) * scale) / next, next);
  }

  pan(dx, dy) {
    const { x, y, scale } = this.view;
    this.look(x - dx / scale, y - dy / scale, scale);
  }

  place(event) {
    const box = this.svg.getBoundingClientRect();
    const { x, y, scale } = this.view;
    return { x: x + (event.clientX - box.left) / scale, y: y + (event.clientY - box.top) / scale };
  }

  centre() {
    const room = this.room;
    const { x, y, scale } = this.view;
    return { x: clamp(x + room.width / scale / 2, 0, this.size.width), y: clamp(y + room.height / scale / 2, 0, this.size.height) };
  }

  // -- what is drawn ---------------------------------------------------------------------------

  draw(annotations, chosen, active, pending, classes) {
    this.again = [annotations, chosen, active, pending, classes];
    const keys = new Set(annotations.map((one) => one.key));
    for (const [key, old] of this.drawn) if (!keys.has(key)) { this.forget(old); this.drawn.delete(key); }
    for (const one of annotations) {
      let known = this.drawn.get(one.key);
      if (known?.one !== one) {
        const group = this.shape(one, classes);
        if (known) known.group.replaceWith(group);
        else this.shapes.append(group);
        if (known) this.forget(known);
        known = { one, group };
        this.drawn.set(one.key, known);
      }
      known.group.classList.toggle("chosen", one.key === chosen);
    }
    const picked = annotations.find((one) => one.key === chosen);
    this.over.replaceChildren();
    if (picked) this.handles(picked, active);
    if (pending) this.pending(pending);
  }

  forget({ group }) {
    const mask = group.querySelector("image");
    if (mask) URL.revokeObjectURL(mask.getAttribute("href"));
    group.remove();
  }

  shape(one, classes) {
    const colour = this.colour(one.class);
    const group = element("g", { class: "shape", "data-key": one.key, stroke: colour, fill: colour });
    const [x, y, width, height] = bounds(one);
    if (one.mask) {
      const [left, top, across, down] = boxOf(one.mask);
      const mask = element("image", { x: left, y: top, width: across, height: down, preserveAspectRatio: "none", class: "mask" }, group);
      pictured(one.mask, colour).then((address) => mask.setAttribute("href", address));
    }
    for (const ring of one.polygons) element("polygon", { points: pairs(ring).map((pair) => pair.join(",")).join(" ") }, group);
    if (!one.polygons.length && one.box) element("rect", { x, y, width, height }, group);
    this.bones(one, classes, group);
    return group;
  }

  bones(one, classes, group) {
    const at = (n) => one.keypoints.slice(n * 3, n * 3 + 3);
    for (const [a, b] of classes.get(one.class)?.skeleton || []) {
      const [[x1, y1, from], [x2, y2, to]] = [at(a - 1), at(b - 1)];
      if (from && to) element("line", { x1, y1, x2, y2 }, group);
    }
    for (let n = 0; n < one.keypoints.length / 3; n += 1) {
      const [x, y, seen] = at(n);
      if (seen) element("path", { d: `M${x} ${y}h.001`, class: seen === 1 ? "point hidden-point" : "point" }, group);
    }
  }

  handles(one, active) {
    const radius = (COARSE.matches ? 10 : 5) / this.view.scale;
    const colour = this.colour(one.class);
    // whatever colours it is on, the chosen one is seen
    for (const outline of this.drawn.get(one.key).group.querySelectorAll("rect, polygon")) {
      const ants = outline.cloneNode();
      ants.setAttribute("class", "ants");
      this.over.append(ants);
    }
    for (const handle of handles(one)) {
      const name = handle.side ? `side-${handle.side}` : "";
      const made = element("circle", { cx: handle.x, cy: handle.y, r: radius, class: `handle ${name}`, stroke: colour }, this.over);
      made.handle = handle;
      made.classList.toggle("active", same(handle, active));
    }
    one.polygons.forEach((ring, r) => {
      const corners = pairs(ring);
      corners.forEach(([x, y], n) => {
        const [nextX, nextY] = corners[(n + 1) % corners.length];
        const middle = { cx: (x + nextX) / 2, cy: (y + nextY) / 2, r: radius * 0.6, class: "handle middle", stroke: colour };
        element("circle", middle, this.over).insert = { ring: r, n };
      });
    });
  }

  pending({ category, box, corners, keypoints }) {
    const colour = this.colour(category);
    const group = element("g", { class: "shape chosen pending", stroke: colour, fill: colour }, this.over);
    if (box) element("rect", { x: box[0], y: box[1], width: box[2], height: box[3] }, group);
    if (corners) element("polyline", { points: corners.map((pair) => pair.join(",")).join(" "), class: "open" }, group);
    const radius = (COARSE.matches ? 10 : 5) / this.view.scale;
    for (const [x, y] of corners || []) element("circle", { cx: x, cy: y, r: radius, class: "handle" }, group);
    for (const [x, y] of keypoints || []) element("circle", { cx: x, cy: y, r: radius, class: "handle" }, group);
  }
}
