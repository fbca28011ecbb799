// The icon of the tab as a ring that fills, while a job goes on.
const ROUND = 2 * Math.PI * 12;
const COLOURS = { failed: "#b42318", expired: "#b42318", partial: "#a15c07", cancelled: "#a15c07" };
const link = document.querySelector('link[rel="icon"]');
let shown = "";
let address = "";

// Draw how far it is: 0 to 1, and how it ended, if it has.
export function icon(fraction, state) {
  const part = Math.round(fraction * 20) / 20; // a new picture for each twentieth
  if (shown === `${part} ${state}`) return;
  shown = `${part} ${state}`;
  const ring = `<circle cx="16" cy="16" r="12" fill="none" stroke-width="7"`;
  const turned = `stroke="${COLOURS[state] || "#0f9488"}" stroke-dasharray="${ROUND * part} ${ROUND}" transform="rotate(-90 16 16)"/>`;
  const picture = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${ring} stroke="#98a2b3"/>${ring} ${turned}</svg>`;
  const before = address;
  address = URL.createObjectURL(new Blob([picture], { type: "image/svg+xml" }));
  link.href = address;
  if (before) URL.revokeObjectURL(before);
}
