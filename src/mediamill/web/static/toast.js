// Short notices at the foot of the page, read out politely, with an Undo where there is one.
import { t } from "./texts.js";

// Where letters are written: keys that mean something elsewhere are letters there.
export const WRITING = "input:not([type=checkbox], [type=radio], [type=button], [type=range]), textarea, select, [contenteditable]";

const MOST = 3; // notices at once; twice as many where none can be spared
const SECONDS = { told: 6, undo: 12, done: 4 };
let turns = 0;

// Say something. `undo` takes back what was done, and is offered for as long as the notice stands;
// an error stands until it is dismissed. Returns a function that takes the notice away.
export function toast(text, { undo = null, error = false } = {}) {
  const notice = put(text, undo, error);
  if (!error) standFor(notice, undo ? SECONDS.undo : SECONDS.told);
  return () => leave(notice);
}

// Say that something is done to so many; `words` makes a text of the number. Done again while that
// still stands it is one notice, whose Undo takes all of it back. Returns a function that is told
// of how many it was done to at last: until then the notice stands, and with none it goes.
export function did(words, count, undo) {
  const act = { count, undo, settled: false };
  const standing = all().find((one) => one.deed?.words === words && one.matches(":not(.failed):has(.undo:enabled)"));
  const deed = standing?.deed || { words, acts: [] };
  deed.acts.push(act);
  const notice = standing || put("", () => undone(deed), false);
  clearTimeout(notice.timer);
  notice.deed = deed;
  tell(notice);
  return (right) => {
    Object.assign(act, { count: right, settled: true });
    tell(notice);
  };
}

function tell(notice) {
  const { words, acts } = notice.deed;
  if (!notice.querySelector(".undo:enabled")) return; // taken back, or about to be
  const count = acts.reduce((sum, act) => sum + act.count, 0);
  if (!count) return leave(notice);
  notice.querySelector("p").textContent = words(count);
  notice.turn = turns += 1;
  if (acts.every((act) => act.settled)) standFor(notice, SECONDS.undo);
}

// The last first; where one fails, what is left can be tried again.
async function undone({ acts }) {
  for (; acts.length; acts.pop()) await acts.at(-1).undo();
}

const place = () => document.querySelector("[data-toasts]");
const all = () => [...place().children];

function put(text, undo, error) {
  const same = error && all().find((one) => one.matches(".failed:not(:has(.undo))") && one.firstElementChild.textContent === text);
  if (same) return same;
  makeRoom();
  const notice = document.createElement("div");
  notice.className = error ? "toast failed" : "toast";
  notice.turn = turns += 1;
  const line = document.createElement("p");
  line.textContent = text;
  notice.append(line);
  if (undo) notice.append(button(t("words.undo"), "undo", () => takeBack(notice, line, undo)));
  notice.append(button("×", "dismiss", () => leave(notice), t("words.dismiss")));
  place().append(notice);
  return notice;
}

// What has no Undo and is no error gives way first, and never what somebody stands on or waits for.
function makeRoom() {
  const free = all().filter((one) => !one.matches(":focus-within, :has(.undo:disabled)"));
  const plain = free.filter((one) => !one.matches(".failed, :has(.undo)"));
  while (place().children.length >= MOST && plain.length) plain.shift().remove();
  while (place().children.length >= 2 * MOST && free.length) free.shift().remove();
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
  if (!undoing || event.defaultPrevented || event.target.closest(WRITING)) return;
  const last = all().filter((one) => one.querySelector(".undo:enabled")).sort((one, other) => one.turn - other.turn).at(-1);
  if (!last) return;
  event.preventDefault();
  last.querySelector(".undo").click();
});
