// The trash: deleted files in the same grid, brought back or removed for good.
import { call, clearProblem, showProblem, size } from "../api.js";
import { asked } from "../asking.js";
import { Choosing } from "../choosing.js";
import { made, tried } from "../dataset.js";
import { Grid } from "../grid.js";
import { t } from "../texts.js";
import { toast } from "../toast.js";
import { destroy, restore } from "./actions.js";
import { picture, shapes } from "./cells.js";
import { Files } from "./source.js";

const HOUR = 3_600_000;
const MINUTE = 60_000;
const get = (name) => document.getElementById(name);
const [bar, head, page, place] = ["bar", "head", "trash", "grid"].map(get);

const source = new Files(() => new URLSearchParams({ state: "trashed" }));
const grid = new Grid(place, { source, cell, shape: shapes("list"), head: () => head.offsetHeight, changed: shown });
const { choice } = grid;
let loaded = false;

source.failed = (problem) => toast(problem.message, { error: true });

function left(time) {
  const rest = new Date(time) - Date.now();
  if (rest < MINUTE) return t("trash.goes_now");
  return rest < HOUR ? t("trash.goes_in_minutes", { count: Math.floor(rest / MINUTE) }) : t("trash.goes_in_hours", { count: Math.floor(rest / HOUR) });
}

function cell(id, item, calm) {
  const box = made("input", { type: "checkbox", "data-focus": "", "aria-label": item ? t("files.select_one", { name: item.name }) : t("files.coming") });
  if (!item) return [made("label", { class: "pick" }, box), made("div", { class: "about" }, made("span", { class: "bone" }))];
  return [
    made("label", { class: "pick" }, box),
    made("span", { class: "picture" }, ...picture(item, calm)),
    made("div", { class: "about" },
      made("span", { class: "name", title: item.name }, item.name),
      made("span", { class: "facts" }, made("span", {}, size(item.size)), made("span", {}, left(item.purge_at)))),
  ];
}

function shown() {
  const { count, whole } = source;
  get("count").textContent = !loaded || !count ? "" : whole ? t("words.files", { count }) : t("trash.count_at_least", { count });
  get("empty").hidden = !(loaded && whole && !count);
  get("empty-it").hidden = !count;
  bar.hidden = !choice.size;
  head.classList.toggle("choosing", choice.size > 0);
  get("chosen").textContent = choice.size ? t("files.selected", { count: choice.size }) : "";
  get("all").hidden = whole && choice.size >= count;
}

async function load() {
  clearProblem(page);
  try {
    await source.reload(source.count);
    loaded = true;
    shown();
  } catch (problem) {
    showProblem(page, problem);
  }
}

function hide(ids, moving) {
  const inside = bar.contains(document.activeElement) || grid.focused() !== null;
  const at = source.first(ids);
  source.leave(ids, moving);
  choice.without(ids);
  grid.draw();
  if (inside) grid.focus(at);
}

function all() {
  return tried(null, async () => {
    await source.rest();
    choice.all();
  }, source.failed);
}

const ways = { hide, back: load };
const chosen = () => (choice.size ? choice.list : [grid.focused()]);

new Choosing(grid, { all, keys: { Delete: () => destroy(chosen(), ways) } });
get("leave").addEventListener("click", () => {
  choice.clear();
  grid.focus(source.place(grid.active) ?? 0);
});
get("all").addEventListener("click", all);
get("restore").addEventListener("click", () => restore(chosen(), ways));
get("destroy").addEventListener("click", () => destroy(chosen(), ways));
get("empty-it").addEventListener("click", async (event) => {
  if (!await asked(t("trash.empty_title"), t("trash.empty_text"), t("trash.empty_it"))) return;
  event.target.disabled = true;
  try {
    let count = 0;
    for (let more = true; more;) {
      const emptied = await call("DELETE", "/v1/trash");
      count += emptied.removed;
      more = emptied.has_more;
    }
    toast(t("trash.emptied", { count }));
  } catch (problem) {
    toast(problem.message, { error: true });
  }
  event.target.disabled = false;
  choice.clear();
  await load();
});

await load();
