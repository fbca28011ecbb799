// A cell of a project’s grid: a picture that leads to the editor, its name and its split.
import { made } from "./dataset.js";
import { t } from "./texts.js";

export function cell(item, link) {
  const thumbnail = item.links.thumbnail;
  const picture = thumbnail ? made("img", { src: thumbnail, alt: "", loading: "lazy", decoding: "async", "data-retry": "" }) : made("span", {}, item.media_type.split("/").at(-1));
  const box = made("input", { type: "checkbox", tabIndex: -1, "aria-label": t("files.select_one", { name: item.name }) });
  const split = item.split ? made("span", { class: `split ${item.split}`, title: t("project.split", { which: item.split }) }, t("project.split_short", { which: item.split })) : null;
  const name = item.split ? t("files.annotate_of", { name: item.name, split: t("project.split", { which: item.split }) }) : t("files.annotate", { name: item.name });
  return [
    made("a", { href: link, class: "picture", "data-focus": "", "aria-label": name }, picture),
    made("label", { class: "caption" }, box, made("span", { class: "name" }, item.name), split),
  ];
}
