// Short notices at the foot of the page, read out politely, with an Undo where there is one.
import { t } from "./texts.js";

const MOST = 3;
const SECONDS = { told: 6, undo: 12, done: 4 };

// Say something. `undo` takes back what was done, and is offered for as long as the notice stands;
// an error stands until it is dismissed. Returns a function that takes the notice away.
export function toast(text, { undo = null, error = false } = {}) {
  const place = document.querySelector("[data-toasts]");
  while (place.children.length >= MOST) place.firstElementChild.remove();
  const notice = document.createElement("div");
  notice.className = error ? "toast failed" : "toast";
  const line = document.createElement("p");
  line.textContent = text;
  notice.append(line);
  if (undo) notice.append(button(t("words.undo"), "undo", () => takeBack(notice, line, undo)));
  notice.append(button("×", "dismiss", () => leave(notice), t("words.dismiss")));
  place.append(notice);
  if (!error) standFor(notice, undo ? SECONDS.undo : SECONDS.told);
  return () => leave(notice);
}

async function takeBack(notice, line, undo) {
  const pressed = notice.querySelector(".undo");
  if (pressed.disabled) return;
  pressed.disabled = true;
  clearTimeout(notice.timer);
  try {
    await undo();
    line.textContent = t("toast.undone");
    pressed.remove();
    standFor(notice, SECONDS.done);
  } catch (problem) {
    line.textContent = problem.message;
    notice.classList.add("failed");
    pressed.disabled = false;
  }
}

// Time runs only while nobody is reading the notice or on the way to its button.
function standFor(notice, seconds) {
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => {
    if (notice.matches(":hover, :focus-within")) standFor(notice, seconds);
    else leave(notice);
  }, seconds * 1000);
}

// Whoever stood on a notice that goes stands on the next one, or where the content begins.
function leave(notice) {
  clearTimeout(notice.timer);
  const held = notice.contains(document.activeElement);
  const next = notice.nextElementSibling || notice.previousElementSibling;
  notice.remove();
  if (held) (next?.querySelector("button") || document.querySelector("#main")).focus();
}

function button(text, name, press, label = text) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = name;
  made.textContent = text;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", press);
  return made;
}

// Ctrl+Z takes back what was done last, wherever the page itself has no use for it.
document.addEventListener("keydown", (event) => {
  const undoing = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z";
  if (!undoing || event.defaultPrevented || event.target.closest("input, textarea, select, [contenteditable]")) return;
  const pressed = [...document.querySelectorAll("[data-toasts] .undo")].at(-1);
  if (!pressed) return;
  event.preventDefault();
  pressed.click();
});
