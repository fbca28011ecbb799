// What an annotation is made of, in pixels of its picture: points that move one by one, or all.
import { boxOf } from "./mask.js";

export const SIDES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];

// The points by which it is changed; one of a ring or a key point says which.
export function handles(one) {
  const found = [];
  if (one.polygons.length) {
    one.polygons.forEach((ring, r) => pairs(ring).forEach(([x, y], n) => found.push({ ring: r, n, x, y })));
  } else if (one.box && !one.mask) {
    const [left, top, width, height] = one.box;
    for (const side of SIDES) {
      const x = side.includes("w") ? left : side.includes("e") ? left + width : left + width / 2;
      const y = side.startsWith("n") ? top : side.startsWith("s") ? top + height : top + height / 2;
      found.push({ side, x, y });
    }
  }
  for (let n = 0; n < one.keypoints.length; n += 3) {
    const [x, y, seen] = one.keypoints.slice(n, n + 3);
    if (seen) found.push({ point: n / 3, x, y, seen });
  }
  return found;
}

export function same(a, b) {
  return Boolean(a && b) && a.side === b.side && a.ring === b.ring && a.n === b.n && a.point === b.point;
}

export function pairs(ring) {
  const found = [];
  for (let n = 0; n < ring.length; n += 2) found.push([ring[n], ring[n + 1]]);
  return found;
}

export function bounds(one) {
  if (one.box) return one.box;
  const xs = [];
  const ys = [];
  for (const ring of one.polygons) for (const [x, y] of pairs(ring)) { xs.push(x); ys.push(y); }
  for (let n = 0; n < one.keypoints.length; n += 3) {
    if (one.keypoints[n + 2]) { xs.push(one.keypoints[n]); ys.push(one.keypoints[n + 1]); }
  }
  if (!xs.length) return one.mask ? boxOf(one.mask) : [0, 0, 0, 0];
  return around(xs, ys);
}

function around(xs, ys) {
  const left = Math.min(...xs);
  const top = Math.min(...ys);
  return [left, top, round(Math.max(...xs) - left), round(Math.max(...ys) - top)];
}

// With one of its points elsewhere; the picture’s edges hold it.
export function reshaped(one, handle, x, y, size) {
  x = round(clamp(x, 0, size.width));
  y = round(clamp(y, 0, size.height));
  if (handle.side) return changed(one, { box: stretched(one.box, handle.side, x, y) });
  if (handle.point !== undefined) {
    const keypoints = [...one.keypoints];
    keypoints.splice(handle.point * 3, 2, x, y);
    return changed(one, { keypoints });
  }
  const polygons = one.polygons.map((ring, r) => {
    if (r !== handle.ring) return ring;
    const moved = [...ring];
    moved.splice(handle.n * 2, 2, x, y);
    return moved;
  });
  return changed(one, { polygons });
}

function stretched([left, top, width, height], side, x, y) {
  let [right, bottom] = [left + width, top + height];
  if (side.includes("w")) left = Math.min(x, right - 1);
  if (side.includes("e")) right = Math.max(x, left + 1);
  if (side.startsWith("n")) top = Math.min(y, bottom - 1);
  if (side.startsWith("s")) bottom = Math.max(y, top + 1);
  return [left, top, round(right - left), round(bottom - top)];
}

// All of it elsewhere, as far as the picture goes; a mask stays where it is.
export function moved(one, dx, dy, size) {
  if (one.mask) return one;
  const [left, top, width, height] = bounds(one);
  dx = clamp(dx, -left, Math.max(-left, size.width - left - width));
  dy = clamp(dy, -top, Math.max(-top, size.height - top - height));
  const shift = (value, n) => round(value + (n % 2 ? dy : dx));
  return changed(one, {
    box: one.box && [round(one.box[0] + dx), round(one.box[1] + dy), one.box[2], one.box[3]],
    polygons: one.polygons.map((ring) => ring.map(shift)),
    keypoints: one.keypoints.map((value, n) => (n % 3 === 2 || !one.keypoints[n - (n % 3) + 2] ? value : shift(value, n % 3))),
  });
}

export function withCorner(one, ring, after, x, y) {
  const polygons = one.polygons.map((corners, r) => (r === ring ? corners.toSpliced(after * 2 + 2, 0, round(x), round(y)) : corners));
  return changed(one, { polygons });
}

// Without a corner; a ring of less than three goes, and null says that nothing is left.
export function withoutCorner(one, handle) {
  const polygons = one.polygons
    .map((ring, r) => (r === handle.ring ? ring.toSpliced(handle.n * 2, 2) : ring))
    .filter((ring) => ring.length >= 6);
  return polygons.length ? changed(one, { polygons }) : null;
}

// A key point as seen, hidden, or not there.
export function marked(one, point, seen) {
  const keypoints = [...one.keypoints];
  if (seen) keypoints[point * 3 + 2] = seen;
  else keypoints.splice(point * 3, 3, 0, 0, 0);
  return changed(one, { keypoints });
}

export function fresh(category, shape) {
  const made = {
    id: null, class: category, box: null, polygons: [], mask: null, keypoints: [], crowd: false, area: null, extra: {}, ...shape,
  };
  return made.polygons.length ? { ...made, box: bounds({ ...made, box: null }) } : made;
}

// Its area and the number of its key points are no longer what was said; the box of polygons is that around them.
function changed(one, fields) {
  const { num_keypoints: _, ...extra } = one.extra;
  const next = { ...one, extra, ...fields, area: null };
  if (next.polygons.length) next.box = bounds({ ...next, box: null, keypoints: [] });
  return next;
}

export function round(value) {
  return Math.round(value * 100) / 100;
}

export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
