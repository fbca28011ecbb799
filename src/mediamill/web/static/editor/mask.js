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

// The address of a picture of a mask in a colour; whoever shows it gives it back.
export async function pictured({ width, height, counts }, colour) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const ink = [1, 3, 5].map((n) => parseInt(colour.slice(n, n + 2), 16));
  let at = 0;
  runs(counts).forEach((length, n) => {
    if (n % 2) for (let k = at; k < at + length; k += 1) image.data.set([...ink, 140], ((k % height) * width + Math.floor(k / height)) * 4);
    at += length;
  });
  context.putImageData(image, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve));
  return URL.createObjectURL(blob);
}
