// The page of files: a grid of all of them, what it shows, and what is done with those that are chosen.
import { clearProblem, showProblem } from "../api.js";
import { bundled, fetched } from "../bundle.js";
import { Choosing } from "../choosing.js";
import { pause, tried } from "../dataset.js";
import { placed, receive, shown as visible } from "../dropping.js";
import { Grid } from "../grid.js";
import { t } from "../texts.js";
import { toast } from "../toast.js";
import { upload } from "../upload.js";
import { newJob, remove } from "./actions.js";
import { cell, shapes } from "./cells.js";
import { dialogs } from "./dialogs.js";
import { Filters } from "./filters.js";
import { keep } from "./order.js";
import { Files } from "./source.js";
import { Thumb } from "./when.js";

const VIEW = "mediamill.view";
const MOST = 1_000; // files of one download
const SOON = 1_500; // milliseconds until what arrived is looked for among what a filter lets through
const get = (name) => document.getElementById(name);
const [bar, head, page, place] = ["bar", "head", "files", "grid"].map(get);

const source = new Files(() => filters.conditions);
const grid = new Grid(place, { source, cell, shape: shapes(localStorage.getItem(VIEW)), head: () => head.offsetHeight, changed: shown });
const { choice } = grid;
const filters = new Filters(get("filters"), get("chips"), { leaving: () => ({ top: scrollY }), changed: ({ top = 0 }) => load(top) });
const thumb = new Thumb(get("when"), grid);
let loaded = false;

source.failed = (problem) => toast(problem.message, { error: true });

// -- what is shown ---------------------------------------------------------------------------------

function shown() {
  if (!loaded) return;
  const { count, whole } = source;
  get("count").textContent = !count ? "" : whole ? t("words.files", { count }) : t("files.count_at_least", { count });
  get("empty").hidden = !(whole && !count && !filters.any);
  get("none").hidden = !(whole && !count && filters.any);
  head.hidden = !get("empty").hidden;
  get("drop").classList.toggle("slim", get("empty").hidden);
  const chosen = choice.size;
  bar.hidden = !chosen;
  head.classList.toggle("choosing", chosen > 0);
  get("filters").inert = chosen > 0;
  if (!chosen) return;
  get("chosen").textContent = t("files.selected", { count: chosen });
  get("all").hidden = whole && chosen >= count;
}

// As far down as it was; what is new since then stands above.
async function load(top = 0) {
  const { columns, line } = grid.measures;
  clearProblem(page);
  page.setAttribute("aria-busy", "true");
  try {
    await source.reload(Math.ceil(((top + innerHeight) / line) * columns));
    loaded = true;
    shown();
    grid.draw();
    if (top) scrollTo({ top, behavior: "instant" });
    else if (scrollY > head.offsetTop) scrollTo({ top: head.offsetTop, behavior: "instant" });
  } catch (problem) {
    showProblem(page, problem);
  } finally {
    page.removeAttribute("aria-busy");
  }
}

history.scrollRestoration = "manual";
addEventListener("pagehide", () => {
  history.replaceState({ ...history.state, top: scrollY }, "");
  keep(filters.query.toString(), source.ids);
});

// Files are dropped wherever one likes.
receive(page, [get("choose"), get("choose-folder")], (files) => upload(visible(files), { tags: placed }));

document.addEventListener("mediamill:file", ({ detail: { file } }) => {
  if (filters.any) arrived();
  else source.add(file);
});

// The list is read anew for all that came meanwhile, one reading at a time; whoever looks at it stays where they are.
let news = false;
let looking = false;
async function arrived() {
  news = true;
  if (looking) return;
  looking = true;
  while (news) {
    await pause(SOON);
    news = false;
    await tried(null, () => source.reload(grid.sight()[1]), source.failed);
  }
  looking = false;
}

function view(mode) {
  for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", button.dataset.view === mode);
  place.classList.toggle("as-list", mode === "list");
  const first = grid.sight()[0];
  const held = source.count && scrollY > head.offsetTop;
  grid.shape = shapes(mode);
  grid.draw();
  if (held) grid.reveal(first);
}

for (const button of document.querySelectorAll("[data-view]")) {
  button.addEventListener("click", () => {
    localStorage.setItem(VIEW, button.dataset.view);
    view(button.dataset.view);
  });
}

// -- with what is chosen ---------------------------------------------------------------------------

// Whoever stood on what goes stands on what comes in its place.
function hide(ids, moving) {
  const focused = grid.focused();
  const at = ids.includes(focused) ? source.first(ids) : null;
  const inBar = bar.contains(document.activeElement);
  source.leave(ids, moving);
  choice.without(ids);
  grid.draw();
  if (at !== null || inBar) grid.focus(at ?? grid.sight()[0]);
}

const back = () => load(scrollY);

// All, or none: the rest of the list may not come.
function all() {
  return tried(null, async () => {
    if (!source.whole) {
      get("chosen").textContent = t("files.reading");
      await source.rest();
    }
    choice.all();
  }, (problem) => {
    source.failed(problem);
    shown();
  });
}

function trash() {
  const ids = choice.size ? choice.list : [grid.focused()];
  remove(ids, { hide, back });
}

// One as it is, more as a zip.
async function download() {
  const ids = choice.list;
  const address = (id) => `/v1/files/${id}/content`;
  if (ids.length === 1) return fetched(address(ids[0]));
  const files = ids.length > MOST ? [] : (await source.known(ids)).filter((file) => file.state === "ready");
  const items = files.map(({ id, name, size }) => ({ name, size, url: `${address(id)}?direct=false` }));
  if (ids.length > MOST || !await bundled(items, t("files.zip_name"))) toast(t("files.too_many_to_zip", { count: MOST }), { error: true });
}

const newJobOf = () => newJob(choice.size ? choice.list : [grid.focused()]);

const leave = () => {
  const inBar = bar.contains(document.activeElement);
  choice.clear();
  if (inBar) grid.focus(source.place(grid.active) ?? 0);
};

new Choosing(grid, { all, keys: { Delete: trash, n: newJobOf } });
dialogs({ choice, source });
get("leave").addEventListener("click", leave);
get("all").addEventListener("click", all);
get("delete").addEventListener("click", trash);
get("new-job").addEventListener("click", newJobOf);
get("download").addEventListener("click", (event) => tried(event.target, download, source.failed));
// From the search down to what it found.
get("filters").elements.name.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" || !source.count) return;
  event.preventDefault();
  grid.focus(grid.sight()[0]);
});
get("clear").addEventListener("click", () => {
  filters.clear();
  filters.go();
});

view(localStorage.getItem(VIEW) === "list" ? "list" : "grid");
thumb.follow();
await load(history.state?.top || 0);
