// Captions beside their pictures, judged by keys or buttons, one after the other or many at once.
import { call, clearProblem, showProblem } from "./api.js";
import { Cards, act, asked, listen, update } from "./captioned.js";
import { t } from "./texts.js";
import { toast } from "./toast.js";

const page = document.getElementById("review");
const element = (name) => document.getElementById(name);
const form = element("filters");
const list = element("cards");
const all = element("all");

const boxes = () => [...list.querySelectorAll("[data-select]")];
const chosen = () => boxes().filter((box) => box.checked).map((box) => box.closest(".captioned"));

function changed() {
  const picked = chosen().length;
  all.checked = picked > 0 && picked === boxes().length;
  all.indeterminate = picked > 0 && picked < boxes().length;
  element("chosen").textContent = picked ? t("captions.selected", { count: picked }) : t("words.select_all");
  for (const name of ["approve", "reject"]) element(name).disabled = !picked;
  const first = list.querySelector(".captioned");
  if (first && !list.querySelector('.captioned[tabindex="0"]')) first.tabIndex = 0;
}

const tools = ["select", "approve", "reject", "edit", "undo", "copy"];
const cards = new Cards(list, form, { job: page.dataset.job, tools, changed, size: 24 });
listen(list);
list.addEventListener("change", changed);
all.addEventListener("change", () => {
  for (const box of boxes()) box.checked = all.checked;
  changed();
});

// -- many at once -----------------------------------------------------------------------------------
for (const [name, state] of [["approve", "approved"], ["reject", "rejected"]]) {
  element(name).addEventListener("click", async () => {
    const picked = chosen();
    const done = [];
    try {
      for (let n = 0; n < picked.length; n += 100) {
        const some = picked.slice(n, n + 100);
        const told = await call("POST", "/v1/captions/review", { captions: some.map((one) => one.dataset.caption), state });
        for (const one of told) {
          const card = some.find((each) => each.dataset.caption === one.id);
          card.querySelector("[data-select]").checked = false;
          if (!one.caption) continue;
          update(card, one.caption);
          done.push(card);
        }
      }
      const left = picked.length - done.length;
      const said = [t("captions.reviewed", { which: state, count: done.length })];
      if (left) said.push(t("captions.changed_meanwhile", { count: left }));
      toast(said.join(" "), { undo: done.length ? () => back(done) : null });
    } catch (problem) {
      page.querySelector(":scope > [data-error]").textContent = problem.message;
    }
    changed();
  });
}

async function back(cards) {
  for (const card of cards) update(card, await call("POST", `/v1/captions/${card.dataset.caption}/undo`));
  changed();
}

// -- asking again -----------------------------------------------------------------------------------
const dialog = element("again-dialog");
const again = element("again-form");
element("again").addEventListener("click", () => {
  clearProblem(again);
  dialog.showModal();
});
dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
again.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearProblem(again);
  const provider = again.elements.provider.value;
  const query = asked(form, page.dataset.job);
  const body = { job: page.dataset.job, query: query.get("query") || "", ...(provider && { providers: [provider] }) };
  const button = again.querySelector("button[type=submit]");
  button.disabled = true;
  try {
    const told = await call("POST", "/v1/captions/rerun", body);
    dialog.close();
    if (told.jobs.length === 1 && !told.failed.length) {
      location.assign(`/captions?job=${told.jobs[0]}`);
      return;
    }
    const said = [t("captions.again_done", { count: told.jobs.length })];
    if (told.failed.length) said.push(t("captions.again_failed", { count: told.failed.length, message: told.failed[0].message }));
    if (told.has_more) said.push(t("captions.again_more"));
    element("status").textContent = said.join(" ");
    await cards.begin();
  } catch (problem) {
    showProblem(again, problem);
  } finally {
    button.disabled = false;
  }
});

// -- keys -------------------------------------------------------------------------------------------
const KEYS = { a: "approve", r: "reject", e: "edit", u: "undo", c: "text" };

function go(from, by) {
  const every = [...list.querySelectorAll(".captioned")];
  const to = every[every.indexOf(from) + by];
  if (to) stand(to);
  else if (by > 0 && cards.after !== null) cards.more().then(() => from.nextElementSibling && stand(from.nextElementSibling));
}

function stand(card) {
  for (const one of list.querySelectorAll('.captioned[tabindex="0"]')) one.tabIndex = -1;
  card.tabIndex = 0;
  card.focus();
  card.scrollIntoView({ block: "nearest" });
}

list.addEventListener("focusin", (event) => {
  const card = event.target.closest(".captioned");
  for (const one of list.querySelectorAll('.captioned[tabindex="0"]')) if (one !== card) one.tabIndex = -1;
  if (card) card.tabIndex = 0;
});

document.addEventListener("keydown", async (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
  if (event.target.closest("input:not([type=checkbox]), textarea, select, dialog")) return;
  const focused = document.activeElement.closest(".captioned");
  const card = focused || list.querySelector('.captioned[tabindex="0"]');
  if (!card) return;
  const key = event.key.toLowerCase();
  if (["j", "arrowright"].includes(key)) go(card, focused ? 1 : 0);
  else if (["k", "arrowleft"].includes(key)) go(card, -1);
  else if (key === "x") {
    const box = card.querySelector("[data-select]");
    box.checked = !box.checked;
    changed();
  } else if (KEYS[key] && card.querySelector(`[data-do="${KEYS[key]}"]`)) {
    event.preventDefault();
    const done = await act(card, KEYS[key]);
    if (done && ["a", "r"].includes(key)) go(card, 1);
    return;
  } else return;
  event.preventDefault();
});

await cards.begin();
