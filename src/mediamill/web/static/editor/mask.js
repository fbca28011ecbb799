// Masks as COCO writes them: runs down the columns, the first outside, as numbers or as text.

export function runs(counts) {
  if (Array.isArray(counts)) return counts;
  const found = [];
  for (let at = 0; at < counts.length;) {
    let value = 0;
    let shift = 0;
    let byte;
    do {
      byte = counts.charCodeAt(at) - 48;
      value += (byte & 31) * 2 ** shift;
      shift += 5;
      at += 1;
    } while (byte & 32);
    if (byte & 16) value -= 2 ** shift;
    found.push(found.length > 2 ? value + found[found.length - 2] : value);
  }
  return found;
}

// Runs as text: differences to the run before the last, five bits a character, as pycocotools has them.
export function packed(lengths) {
  let text = "";
  lengths.forEach((length, n) => {
    let value = n > 2 ? length - lengths[n - 2] : length;
    for (let more = true; more;) {
      const bits = value & 31;
      value >>= 5;
      more = bits & 16 ? value !== -1 : value !== 0;
      text += String.fromCharCode((more ? bits | 32 : bits) + 48);
    }
  });
  return text;
}

// A byte for each pixel, 1 inside, down the columns.
export function bitsOf({ width, height, counts }) {
  const bits = new Uint8Array(width * height);
  inside(runs(counts), (from, to) => bits.fill(1, from, to));
  return bits;
}

// The mask of such bytes; null where nothing is inside.
export function maskOf(bits, { width, height }) {
  const lengths = [];
  for (let at = 0, value = 1; at < bits.length; value = 1 - value) {
    const next = bits.indexOf(value, at);
    lengths.push((next < 0 ? bits.length : next) - at);
    at += lengths.at(-1);
  }
  return lengths.length > 1 ? { width, height, counts: packed(lengths) } : null;
}

// The smallest box around a mask: left, top, width, height.
export function boxOf({ width, height, counts }) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  inside(runs(counts), (from, to) => {
    const [first, last] = [Math.floor(from / height), Math.floor((to - 1) / height)];
    left = Math.min(left, first);
    right = Math.max(right, last + 1);
    top = first === last ? Math.min(top, from % height) : 0;
    bottom = first === last ? Math.max(bottom, ((to - 1) % height) + 1) : height;
  });
  return right ? [left, top, right - left, bottom - top] : [0, 0, width, height];
}

export function areaOf({ counts }) {
  return runs(counts).reduce((sum, length, n) => sum + (n % 2 ? length : 0), 0);
}

function inside(lengths, visit) {
  let at = 0;
  lengths.forEach((length, n) => {
    if (n % 2 && length) visit(at, at + length);
    at += length;
  });
}

// The address of a picture of what is in the mask’s box, in a colour; whoever shows it gives it back.
export async function pictured(mask, colour) {
  const [left, top, width, height] = boxOf(mask);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const [red, green, blue] = [1, 3, 5].map((n) => parseInt(colour.slice(n, n + 2), 16));
  new Uint8Array(image.data.buffer, 0, 4).set([red, green, blue, 140]);
  const [ink] = pixels;
  pixels[0] = 0;
  inside(runs(mask.counts), (from, to) => {
    for (let k = from; k < to; k += 1) pixels[((k % mask.height) - top) * width + Math.floor(k / mask.height) - left] = ink;
  });
  context.putImageData(image, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve));
  return URL.createObjectURL(blob);
}
