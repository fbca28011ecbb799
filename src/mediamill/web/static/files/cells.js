// What stands in the cells of a grid of files: a picture, the name, and what kind of file it is.
import { size } from "../api.js";
import { made } from "../dataset.js";
import { tiles } from "../grid.js";
import { t } from "../texts.js";
import { day } from "../times.js";

const ROW = 56;

export function duration(seconds) {
  if (seconds < 1) return t("files.seconds", { seconds: seconds.toFixed(1) });
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

// Short words for a media type: JPEG, MP4, ZIP.
export function kind(mediaType) {
  const form = mediaType.split("/")[1] || mediaType;
  const office = { "wordprocessingml.document": "DOCX", "spreadsheetml.sheet": "XLSX", "presentationml.presentation": "PPTX" };
  const known = Object.entries(office).find(([end]) => form.endsWith(end));
  return known ? known[1] : form.replace(/^x-/, "").replace("quicktime", "mov").replace("matroska", "mkv").replace("octet-stream", "file").replace("svg+xml", "svg").toUpperCase().slice(0, 8);
}

// One line to look at things as a list, else tiles.
export function shapes(mode) {
  const rows = (width) => ({ columns: 1, gap: 0, wide: width, line: ROW });
  return mode === "list" ? rows : larger;
}

function larger(width) {
  if (width < 560) return tiles(width);
  const gap = 10;
  const columns = Math.max(3, Math.floor((width + gap) / (184 + gap)));
  const wide = (width - gap * (columns - 1)) / columns;
  return { columns, gap, wide, line: Math.round(wide * 0.72) + 52 + gap };
}

function state(item) {
  if (item.state === "rejected") return made("span", { class: "badge failed", title: item.error }, t("files.rejected"));
  if (item.state === "receiving") {
    const percent = item.size ? Math.floor((100 * item.received) / item.size) : 0;
    return made("span", { class: "badge running" }, t("files.receiving", { percent }));
  }
  return item.state === "checking" ? made("span", { class: "badge running" }, t("files.checking")) : null;
}

// What lies on its kind once there is one: asked for earlier, it would be asked for in vain.
export function picture(item, calm) {
  const box = made("span", { class: "kind", "aria-hidden": "true" }, kind(item.media_type));
  if (item.thumbnail !== "made" || !calm) return [box];
  return [box, made("img", { src: item.links.thumbnail, alt: "", decoding: "async", "data-retry": "" })];
}

// Pictures come when the grid is calm: those that are dragged past would be asked for in vain.
export function cell(id, item, calm) {
  const address = `/files/${id}`;
  if (!item) {
    return [
      made("a", { href: address, class: "picture", "data-focus": "", "aria-label": t("files.coming") }),
      made("div", { class: "about" }, made("span", { class: "bone" })),
    ];
  }
  const long = item.duration ? made("span", { class: "length" }, duration(item.duration)) : null;
  return [
    made("a", { href: address, class: "picture", "data-focus": "", "aria-label": item.name, title: item.name }, ...picture(item, calm), long),
    made("label", { class: "pick" }, made("input", { type: "checkbox", tabIndex: -1, "aria-label": t("files.select_one", { name: item.name }) })),
    made("div", { class: "about" },
      made("span", { class: "name", "aria-hidden": "true" }, item.name),
      made("span", { class: "facts" }, state(item) || made("span", {}, kind(item.media_type)),
        made("span", {}, size(item.size)),
        made("span", { class: "only-wide" }, item.width ? t("files.pixels", { width: String(item.width), height: String(item.height) }) : ""),
        made("span", { class: "only-wide" }, item.duration ? duration(item.duration) : ""),
        made("span", { class: "only-wide" }, day(item.created_at)))),
  ];
}
