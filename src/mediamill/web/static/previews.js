// Pictures of what a form's parameters do to an image: all of them, before and after with a slider
// between, and each method or number alone at the ends and in the middle of its range.
import { call } from "./api.js";
import { made } from "./dataset.js";
import { chosen, parameters } from "./form.js";
import { latest } from "./latest.js";
import { t } from "./texts.js";

const COMMON = ["fill", "border", "interpolation"]; // parameters of all methods of augment

export class Previews {
  // `file` gives the image that is shown, or null; `seed` a number. `reference` says with what an
  // image is compared, as { id, told }: the set is not looked at for a preview.
  constructor({ file, seed, reference }) {
    Object.assign(this, { file, seed, reference });
  }

  ask(name, parts, whole = false) {
    return call("POST", `/v1/operations/${name}/preview`, { file: this.file().id, parameters: parts, seed: this.seed(), whole });
  }

  // All that there is room for in the fields of an operation, or one method's alone.
  show(fieldset, only = null) {
    if (!this.file()) return;
    for (const section of only ? [only] : fieldset.querySelectorAll(".one-method:not([hidden])")) if (section.querySelector("[data-shots]")) this.method(section);
    for (const place of fieldset.querySelectorAll("[data-compare]")) this.compare(place);
    for (const place of fieldset.querySelectorAll("[data-rows]")) this.vary(place);
  }

  // A method, alone, at both ends and in the middle of its ranges.
  method(section) {
    const fieldset = section.closest("fieldset");
    const own = new Set([...section.querySelectorAll("[data-name], [name]")].map((one) => one.dataset.name || one.name));
    const parts = Object.fromEntries(Object.entries(parameters(fieldset)).filter(([one]) => own.has(one) || COMMON.includes(one)));
    const error = section.querySelector("[data-shots-error]");
    latest(section, async () => {
      const { data: [before, ...rest] } = await this.ask(fieldset.dataset.operation, { ...parts, methods: [section.dataset.is] });
      error.textContent = "";
      replace(section.querySelector("[data-shots]"), rows(rest, (several, title) => [...(several ? [title] : []), shot(before)]));
    }, (problem) => { error.textContent = problem.message; });
  }

  compare(place) {
    const fieldset = place.closest("fieldset");
    const [pictures, slider, error] = [".pictures", "input", "[data-shots-error]"].map((one) => place.querySelector(one));
    const say = (told, wrong = "") => {
      pictures.hidden = slider.hidden = !told;
      place.querySelector("[data-told]").textContent = told;
      error.textContent = wrong;
    };
    const drawn = Boolean(place.dataset.compare);
    if (drawn && !chosen(fieldset, place.dataset.compare).length) {
      say("");
      return;
    }
    latest(place, async () => {
      const other = this.other(fieldset);
      const { data: [before, after] } = await this.ask(fieldset.dataset.operation, this.compared(fieldset, other), true);
      const [over, under] = [place.querySelector(".before"), place.querySelector(".after")];
      for (const [image, one] of [[over, before], [under, after]]) {
        if (image.src) URL.revokeObjectURL(image.src);
        image.src = pictured(one.image);
      }
      pictures.style.aspectRatio = `${before.width} / ${before.height}`;
      say([drawn ? t("previews.sides_drawn") : t("previews.sides"), other?.told].filter(Boolean).join(" "));
    }, (problem) => say("", problem.message));
  }

  // What the numbers that its methods go by do, each from the least to the most.
  vary(place) {
    const fieldset = place.closest("fieldset");
    latest(place, async () => {
      const { data } = await this.ask(fieldset.dataset.operation, this.compared(fieldset, this.other(fieldset)));
      replace(place, rows(data.filter((one) => one.parameter), (_, title) => [title]));
    }, () => replace(place, []));
  }

  other(fieldset) {
    const field = fieldset.querySelector("[name=reference]");
    return field ? this.reference(field.value.trim()) : undefined;
  }

  compared(fieldset, other) {
    return { ...parameters(fieldset), ...(other && { reference: other.id }) };
  }
}

// A line of pictures for each parameter, with something at its head.
function rows(list, head) {
  const found = new Map();
  for (const one of list) found.set(one.parameter, [...(found.get(one.parameter) || []), one]);
  return [...found].map(([name, shown]) => made("div", { class: "shot-row" },
    ...head(found.size > 1, made("h4", {}, name.replaceAll("_", " "))), ...shown.map(shot)));
}

function shot(one) {
  const value = one.value === null ? "" : String(Number(one.value.toPrecision(3)));
  const told = t("previews.place", { which: one.place, value });
  return made("figure", {}, made("img", { src: pictured(one.image), alt: told, width: one.width, height: one.height }), made("figcaption", {}, told));
}

// Previews come as data URLs, which the page's policy does not show.
function pictured(address) {
  const bytes = Uint8Array.from(atob(address.slice(address.indexOf(",") + 1)), (letter) => letter.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
}

function replace(place, lines) {
  for (const image of place.querySelectorAll("img")) URL.revokeObjectURL(image.src);
  place.replaceChildren(...lines);
}

// The slider between before and after, by keys, mouse and finger.
function part(pictures, percent) {
  pictures.style.setProperty("--part", `${percent}%`);
  pictures.parentElement.querySelector("input").value = percent;
}

document.addEventListener("input", (event) => {
  const pictures = event.target.closest("[data-compare]")?.querySelector(".pictures");
  if (pictures) part(pictures, event.target.value);
});
for (const kind of ["pointerdown", "pointermove"]) {
  document.addEventListener(kind, (event) => {
    const pictures = event.target.closest?.(".compare .pictures");
    if (!pictures || event.buttons !== 1) return;
    const { left, width } = pictures.getBoundingClientRect();
    part(pictures, Math.round(Math.min(1, Math.max(0, (event.clientX - left) / width)) * 100));
    event.preventDefault();
  });
}
