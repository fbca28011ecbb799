// Small charts as HTML and SVG; each says its numbers as text too.
import { element } from "./editor/stage.js";
import { made } from "./dataset.js";
import { t } from "./texts.js";

// One bar of parts beside each other: {name, value, kind}.
export function stacked(title, parts) {
  const sum = parts.reduce((total, part) => total + part.value, 0) || 1;
  const told = parts.filter((part) => part.value).map((part) => `${part.name} ${part.text || part.value.toLocaleString("en")}`).join(", ");
  const bar = made("div", { class: "stacked", role: "img", "aria-label": `${title}: ${told || t("charts.nothing")}` });
  for (const part of parts) {
    const piece = made("span", { class: `piece ${part.kind}`, title: `${part.name}: ${part.text || part.value}` });
    piece.style.flexGrow = part.value / sum;
    if (part.value) bar.append(piece);
  }
  return made("div", { class: "bar-row" }, made("span", { class: "bar-name" }, title), bar, made("span", { class: "bar-told muted", "aria-hidden": "true" }, told));
}

// A histogram with what is unusual marked; its numbers are in a table below.
export function histogram(name, measure) {
  const { counts, edges } = measure.histogram;
  const [width, height] = [320, 90];
  const most = Math.max(...counts, 1);
  const median = short(measure.quantiles["0.5"]);
  const { low, high } = measure.outliers;
  const usual = (n) => (low === null || edges[n + 1] >= low) && (high === null || edges[n] <= high);
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", preserveAspectRatio: "none", class: "histogram",
    "aria-label": t("charts.spread", { name, least: short(measure.min), most: short(measure.max), median }) });
  const step = width / counts.length;
  counts.forEach((count, n) => {
    const tall = count ? Math.max(1.5, (count / most) * (height - 4)) : 0;
    const bar = element("rect", { x: n * step + 0.5, y: height - tall, width: Math.max(step - 1, 0.5), height: tall, class: usual(n) ? "" : "unusual" }, svg);
    element("title", {}, bar).textContent = t("charts.bar", { from: short(edges[n]), to: short(edges[n + 1]), count });
  });
  const axis = made("div", { class: "axis muted" }, made("span", {}, short(edges[0])), made("span", {}, t("charts.median", { value: median })), made("span", {}, short(edges.at(-1))));
  return made("figure", { class: "chart" }, svg, axis);
}

export function table(caption, heads, rows) {
  return made("table", {}, made("caption", {}, caption),
    made("thead", {}, made("tr", {}, ...heads.map((head) => made("th", { scope: "col" }, head)))),
    made("tbody", {}, ...rows.map(([first, ...rest]) => made("tr", {}, made("th", { scope: "row" }, String(first)), ...rest.map((cell) => made("td", {}, String(cell)))))));
}

export function short(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  return value.toLocaleString("en", { maximumFractionDigits: size >= 100 ? 0 : size >= 1 ? 1 : 3 });
}
