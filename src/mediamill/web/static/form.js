// A form made of an operation's schema: which controls show, what they send, and filling them in.
import { t } from "./texts.js";

// What is no number is sent as something that is none, for the service to say so.
export const NO_NUMBER = "?";

// Show what the choices that are made ask for; `fields` holds the controls of one operation.
export function show(fields) {
  for (const field of fields.querySelectorAll("[data-when]")) {
    field.hidden = !chosen(fields, field.dataset.when).includes(field.dataset.is);
  }
}

// What is chosen in a field of which one or several can be.
export function chosen(fields, name) {
  const several = fields.querySelector(`[data-kind="choices"][data-name="${CSS.escape(name)}"]`);
  return several ? picked(several) : [fields.querySelector(`[name="${CSS.escape(name)}"]`).value];
}

// What differs from the default, so that what a person left alone stays the operation's business.
export function parameters(fields) {
  const found = {};
  for (const control of fields.querySelectorAll("[data-kind]")) {
    if (control.closest("[hidden]:not(fieldset)")) continue;
    const { kind, name = control.name } = control.dataset;
    if (kind === "boolean") {
      if (control.checked !== control.defaultChecked) found[name] = control.checked;
    } else if (kind === "choices" || kind === "pair") {
      const now = kind === "pair" ? ends(control) : picked(control);
      const before = JSON.parse(control.dataset.default);
      if (JSON.stringify(now) !== JSON.stringify(before) && (now.length || before)) found[name] = now;
    } else if (control.validity.badInput) found[name] = NO_NUMBER;
    else if (control.value.trim() !== (control.dataset.default || defaultOf(control))) found[name] = value(kind, control.value.trim());
  }
  return found;
}

// The fields that are still to be filled in, as far as the schema tells.
export function missing(fields) {
  const given = parameters(fields);
  return [...fields.querySelectorAll("[data-needed]")].filter((field) => {
    const names = field.dataset.needed.split(" ");
    return !field.closest("[hidden]:not(fieldset)") && names.every((name) => (given[name] ?? null) === null);
  });
}

// Put values into the controls, as a request has them; what is not named stays as it is.
export function fill(fields, values) {
  for (const control of fields.querySelectorAll("[data-kind]")) {
    const { kind, name = control.name } = control.dataset;
    if (!(name in values)) continue;
    const wanted = values[name];
    if (kind === "boolean") control.checked = wanted === true;
    else if (kind === "choices") tick(control, wanted ?? []);
    else if (kind === "pair") [0, 1].forEach((end) => set(control, String(end), wanted[end]));
    else control.value = text(kind, wanted) || defaultOf(control);
  }
  show(fields);
}

// A colour is never empty: where none is named it is the one that it begins with.
const defaultOf = (control) => (control.type === "color" ? control.defaultValue : "");

function text(kind, wanted) {
  if (wanted === null || wanted === undefined) return "";
  if (kind === "list") return wanted.join(", ");
  if (kind === "map") return Object.entries(wanted).map(([name, part]) => `${name}=${part}`).join(", ");
  return kind === "json" ? JSON.stringify(wanted, null, 1) : String(wanted);
}

function tick(group, names) {
  for (const box of group.querySelectorAll("input")) {
    box.checked = names.includes(box.value);
    box.dataset.turn = names.indexOf(box.value) - names.length;
  }
  arrange(group);
}

// In the order in which they were ticked; those that were so at first come first.
function picked(control) {
  const boxes = [...control.querySelectorAll("input:checked")];
  return boxes.sort((a, b) => Number(a.dataset.turn || 0) - Number(b.dataset.turn || 0)).map((box) => box.value);
}

function ends(control) {
  return [...control.querySelectorAll("input[type=number]")].map((input) => (input.value === "" ? NO_NUMBER : Number(input.value)));
}

let turns = 0;

// Keep a slider and its number the same, and the low end below the high one.
document.addEventListener("input", (event) => {
  const pair = event.target.closest(".pair");
  if (!pair) return;
  const { end } = event.target.dataset;
  set(pair, end, event.target.value, event.target);
  const [low, high] = [0, 1].map((n) => Number(pair.querySelector(`input[type=number][data-end="${n}"]`).value));
  if (low > high) set(pair, end === "0" ? 1 : 0, event.target.value);
});
document.addEventListener("change", (event) => {
  const group = event.target.closest(".choices");
  if (!group) return;
  turns += 1;
  event.target.dataset.turn = turns;
  arrange(group);
});
for (const group of document.querySelectorAll(".choices")) arrange(group);

// Where the order of what is chosen matters it is shown, and one can be moved up or down.
function arrange(group) {
  const list = group.parentElement.querySelector("[data-order]");
  if (!list) return;
  const names = picked(group);
  list.hidden = names.length < 2;
  list.replaceChildren(...names.map((name, n) => {
    const line = document.createElement("li");
    const button = (label, sign, by) => {
      const one = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: sign, disabled: names[n + by] === undefined });
      one.setAttribute("aria-label", label);
      one.addEventListener("click", () => move(group, list, n, by));
      return one;
    };
    line.append(Object.assign(document.createElement("span"), { textContent: name }),
      button(t("forms.move_up", { name }), "↑", -1), button(t("forms.move_down", { name }), "↓", 1));
    return line;
  }));
}

function move(group, list, at, by) {
  const names = picked(group);
  [names[at], names[at + by]] = [names[at + by], names[at]];
  for (const name of names) {
    turns += 1;
    group.querySelector(`input[value="${CSS.escape(name)}"]`).dataset.turn = turns;
  }
  arrange(group);
  const moved = list.children[at + by].querySelectorAll("button");
  (moved[by < 0 ? 0 : 1].disabled ? moved[by < 0 ? 1 : 0] : moved[by < 0 ? 0 : 1]).focus();
  list.dispatchEvent(new Event("change", { bubbles: true }));
}

function set(pair, end, wanted, except = null) {
  for (const input of pair.querySelectorAll(`[data-end="${end}"]`)) if (input !== except) input.value = wanted;
}

function value(kind, said) {
  if (said === "") return kind === "map" ? {} : null;
  if (kind === "map") {
    return Object.fromEntries(said.split(",").map((pair) => pair.split("=").map((part) => part.trim())).map(([name, part]) => [name, number(part ?? "")]));
  }
  if (kind === "json") return json(said);
  if (kind === "list") return said.split(",").map((item) => item.trim()).filter(Boolean).map(number);
  return kind === "text" || kind === "choice" ? said : number(said);
}

// What is no JSON is sent as it is, for the server to say so.
function json(said) {
  try {
    return JSON.parse(said);
  } catch {
    return said;
  }
}

function number(said) {
  const parsed = Number(said);
  return said === "" || Number.isNaN(parsed) ? said : parsed;
}
