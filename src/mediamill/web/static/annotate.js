// Draw on pictures of a project: boxes, polygons, masks, key points, labels; by pointer, finger or keyboard.
import { call, showProblem } from "./api.js";
import { Brush } from "./editor/brush.js";
import { Drawing, body } from "./editor/drawing.js";
import { marked, moved, reshaped, same, withoutCorner, handles, fresh, bounds } from "./editor/shapes.js";
import { Stage } from "./editor/stage.js";
import { Hand } from "./editor/hand.js";
import { Classes } from "./editor/classes.js";
import { Sequence } from "./sequence.js";
import { t } from "./texts.js";

const page = document.getElementById("annotate");
const project = page.dataset.project;
const readOnly = page.dataset.role === "viewer";
const svg = document.getElementById("stage");
const get = (id) => document.getElementById(id);
const sequence = new Sequence(project);
const classes = new Classes(project, get("classes"), readOnly);
const stage = new Stage(svg, (name) => classes.colour(name));

const editor = {
  file: page.dataset.file, drawing: null, tool: readOnly ? "select" : "box", chosen: null, active: null, pending: null,
  stage, classes, readOnly,
  get one() { return this.drawing.find(this.chosen); },
  choose(key, handle = null) {
    [this.chosen, this.active] = [key, handle];
    render();
  },
  replace(next, name) {
    this.drawing.replace(this.chosen, next, name);
    if (!next) [this.chosen, this.active] = [null, null];
    render();
  },
  add(shape) {
    if (!classes.current) return say(t("annotate.no_class"));
    const key = this.drawing.add(fresh(classes.current, shape));
    this.pending = null;
    return this.choose(key);
  },
  wait(pending) {
    this.pending = pending && { category: classes.current, ...pending };
    render();
  },
  say, use,
};
editor.brush = new Brush(get("brush-canvas"), editor);
const hand = new Hand(svg, editor);

function say(text) {
  get("status").textContent = text;
}

function use(tool) {
  editor.tool = tool;
  editor.pending = null;
  if (tool !== "select" && !paintable(editor.one)) [editor.chosen, editor.active] = [null, null];
  render();
}

// A mask that is chosen stays so for the brush: what is painted joins it.
function paintable(one) {
  return Boolean(editor.brush.on && one?.mask);
}

// -- what is seen ------------------------------------------------------------------------------

function render() {
  const { drawing, chosen, active, pending, tool } = editor;
  const { annotations, labels } = drawing.now;
  stage.draw(annotations, chosen, active, pending, classes.byName);
  svg.dataset.tool = tool;
  editor.brush.follow();
  for (const button of page.querySelectorAll("button[data-tool]")) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
  get("undo").disabled = !drawing.past.length;
  get("redo").disabled = !drawing.future.length;
  get("remove").disabled = !chosen;
  get("save").disabled = !drawing.dirty;
  get("saved").textContent = drawing.dirty ? t("annotate.unsaved") : drawing.revision ? t("annotate.saved") : "";
  list(annotations, chosen);
  chips(labels);
}

let listed;
function list(annotations, chosen) {
  const places = get("shapes");
  if (listed !== annotations) {
    listed = annotations;
    places.replaceChildren(...annotations.slice(0, 300).map(line));
    get("count").textContent = t("words.annotations", { count: annotations.length });
  }
  for (const button of places.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.key === chosen));
}

function line(one, n) {
  const made = document.createElement("li");
  const button = made.appendChild(document.createElement("button"));
  button.type = "button";
  button.dataset.key = one.key;
  const dot = button.appendChild(document.createElement("span"));
  dot.className = "dot";
  dot.style.background = classes.colour(one.class);
  const kind = one.mask ? "mask" : one.keypoints.length ? "points" : one.polygons.length ? "polygon" : "box";
  const [, , width, height] = bounds(one);
  button.append(`${n + 1}. ${one.class}`);
  const about = button.appendChild(document.createElement("span"));
  about.className = "muted";
  const facts = [t("annotate.kind", { which: kind }), one.crowd && t("annotate.crowd"), pixels({ width: Math.round(width), height: Math.round(height) })];
  about.textContent = facts.filter(Boolean).join(", ");
  return made;
}

// Sizes of pictures have no separators of thousands.
function pixels({ width, height }) {
  return t("annotate.pixels", { width: String(width), height: String(height) });
}

function chips(labels) {
  get("labels").replaceChildren(...labels.map((label) => {
    const chip = document.createElement("li");
    chip.className = "tag";
    chip.textContent = label;
    if (!readOnly) {
      const away = chip.appendChild(document.createElement("button"));
      away.type = "button";
      away.className = "link";
      away.textContent = "×";
      away.setAttribute("aria-label", t("annotate.label_remove", { name: label }));
      away.addEventListener("click", () => relabel(labels.filter((other) => other !== label)));
    }
    return chip;
  }));
}

function relabel(labels) {
  editor.drawing.change({ labels });
  render();
}

// -- read, save, and who was faster ----------------------------------------------------------------

const address = (id) => `/v1/projects/${project}/files/${id}/annotations`;

async function open(id, push = false) {
  const [answer, file] = await Promise.all([call("GET", address(id)), call("GET", `/v1/files/${id}`)]);
  Object.assign(editor, { file: id, chosen: null, active: null, pending: null, drawing: new Drawing(answer) });
  const size = { width: answer.width || file.width, height: answer.height || file.height };
  editor.drawing.size = size;
  const shown = /^image\/(jpeg|png|webp|gif|avif)$/.test(file.media_type);
  editor.brush.open(size);
  stage.show(shown ? `/v1/files/${id}/content?direct=false` : file.links.thumbnail, size);
  get("name").textContent = file.name;
  get("about").textContent = [pixels(size), !shown && t("annotate.shown_small")].filter(Boolean).join(" · ");
  document.title = `${file.name} · Mediamill`;
  if (push) history.pushState(null, "", `/projects/${project}/annotate/${id}`);
  get("conflict").hidden = true;
  say(t("annotate.opened", { name: file.name, count: answer.annotations.length }));
  render();
  await ends(id);
}

async function ends(id) {
  const [before, after] = await Promise.all([-1, 1].map((step) => sequence.from(id, step).catch(() => undefined)));
  get("previous").disabled = !before;
  get("next").disabled = !after;
  if (after) new Image().src = `/v1/files/${after}/content?direct=false`;
}

let saving = null;
async function save() {
  while (saving) await saving;
  const { drawing, file } = editor;
  if (readOnly || !drawing.dirty) return true;
  saving = send(drawing, file).finally(() => { saving = null; });
  const good = await saving;
  render();
  return good;
}

async function send(drawing, file) {
  try {
    for (const batch of drawing.batches()) drawing.saved(batch, await call("PATCH", address(file), body(batch), drawing.tag));
    get("conflict").hidden = true;
    get("problem").textContent = "";
    say(t("words.saved"));
    return true;
  } catch (problem) {
    if (problem.status === 412) conflict();
    else showProblem(page, problem);
    return false;
  }
}

function conflict() {
  get("conflict").hidden = false;
  get("combine").focus();
}

async function settle(how) {
  try {
    const theirs = await call("GET", address(editor.file));
    if (how === "theirs") editor.drawing.read(theirs);
    if (how === "combine") editor.drawing.combine(theirs);
    if (how === "mine") editor.drawing.rebase(theirs);
    [editor.chosen, editor.active] = [null, null];
    render();
    if (how === "theirs") get("conflict").hidden = true;
    else if (!await save()) return;
    get("conflict").hidden = true;
    say(t("annotate.settled", { which: how }));
    svg.focus();
  } catch (problem) {
    showProblem(page, problem);
  }
}

async function go(step) {
  const id = await sequence.from(editor.file, step);
  if (id && await save()) await open(id, true);
  else if (!id) say(step > 0 ? t("annotate.last") : t("annotate.first"));
}

// -- controls ------------------------------------------------------------------------------------

function undo(back) {
  editor.drawing[back ? "undo" : "redo"]();
  if (!editor.one) [editor.chosen, editor.active] = [null, null];
  editor.pending = null;
  render();
}

function remove() {
  const { one, active } = editor;
  if (!one || readOnly) return;
  if (active?.ring !== undefined) editor.replace(withoutCorner(one, active));
  else if (active?.point !== undefined) editor.replace(marked(one, active.point, 0));
  else editor.replace(null);
  editor.active = null;
  render();
}

function nudge(dx, dy, resize) {
  const { one, active, drawing } = editor;
  if (editor.brush.on) return editor.brush.step(dx, dy, resize);
  if (!one) return stage.pan(-dx * 20, -dy * 20);
  if (readOnly) return undefined;
  if (active) {
    const handle = handles(one).find((each) => same(each, active));
    return handle && editor.replace(reshaped(one, handle, handle.x + dx, handle.y + dy, drawing.size), "point");
  }
  if (!resize) return editor.replace(moved(one, dx, dy, drawing.size), "move");
  const corner = handles(one).find((each) => each.side === "se");
  if (!corner) return say(t("annotate.corner_first"));
  return editor.replace(reshaped(one, corner, corner.x + dx, corner.y + dy, drawing.size), "size");
}

function turn(step, what) {
  const { one, active, drawing } = editor;
  const places = what === "corner" && one ? handles(one) : drawing.now.annotations;
  if (!places.length) return;
  const at = places.findIndex((each) => (what === "corner" ? same(each, active) : each.key === editor.chosen));
  const next = places[(at + step + places.length) % places.length] || places[0];
  if (what === "corner") editor.choose(editor.chosen, next);
  else {
    if (!paintable(next)) editor.tool = "select";
    editor.choose(next.key);
    say(t("annotate.at", { name: next.class, number: drawing.now.annotations.indexOf(next) + 1, total: places.length }));
  }
}

// Corners of a shape one after the other; with the brush, its size.
function finer(step) {
  if (editor.brush.on) editor.brush.grow(1.25 ** step);
  else turn(step, "corner");
}

function number(n) {
  const name = classes.pick(n);
  if (!name) return;
  if (editor.one && !readOnly && editor.one.class !== name) editor.replace({ ...editor.one, class: name });
  say(t("annotate.class_picked", { name }));
}

function hide() {
  const { one, active } = editor;
  const handle = one && active?.point !== undefined && handles(one).find((each) => same(each, active));
  if (handle && !readOnly) editor.replace(marked(one, active.point, handle.seen === 1 ? 2 : 1));
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const KEYS = {
  v: () => use("select"), b: () => use("box"), p: () => use("polygon"), k: () => use("points"), h: () => use("pan"), m: () => use("brush"), e: () => use("erase"),
  "]": () => go(1), "[": () => go(-1), PageDown: () => go(1), PageUp: () => go(-1),
  Delete: remove, Backspace: () => (editor.pending ? hand.back() : remove()), Escape: () => hand.escape(), Enter: () => hand.enter(),
  n: () => turn(1), N: () => turn(-1), ".": () => finer(1), ",": () => finer(-1), x: hide,
  "+": () => stage.zoom(1.25), "=": () => stage.zoom(1.25), "-": () => stage.zoom(0.8), 0: () => stage.fit(),
  "?": () => get("keys").toggleAttribute("open"),
};

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea, dialog")) return;
  const command = event.ctrlKey || event.metaKey;
  if (command && event.key.toLowerCase() === "z") undo(!event.shiftKey);
  else if (command && event.key.toLowerCase() === "y") undo(false);
  else if (command && event.key.toLowerCase() === "s") save();
  else if (command) return;
  else if (ARROWS[event.key]) {
    const far = event.shiftKey ? 10 : 1;
    nudge(...ARROWS[event.key].map((way) => way * far), event.altKey);
  } else if (/^[1-9]$/.test(event.key)) number(Number(event.key) - 1);
  else if (event.key === "Enter" && event.target.closest("button, a, summary")) return;
  else if (KEYS[event.key] && (!readOnly || !"bpkme".includes(event.key))) {
    Promise.resolve(KEYS[event.key]()).catch((problem) => showProblem(page, problem));
  } else return;
  event.preventDefault();
});

const BUTTONS = {
  previous: () => go(-1), next: () => go(1), undo: () => undo(true), redo: () => undo(false), save: () => save(), remove,
  nearer: () => stage.zoom(1.25), farther: () => stage.zoom(0.8), fit: () => stage.fit(), done: () => (editor.brush.on ? editor.choose(null) : hand.enter()), another: () => editor.choose(null),
  combine: () => settle("combine"), mine: () => settle("mine"), theirs: () => settle("theirs"),
};
for (const [id, action] of Object.entries(BUTTONS)) {
  get(id)?.addEventListener("click", () => Promise.resolve(action()).catch((problem) => showProblem(page, problem)));
}
for (const button of page.querySelectorAll("button[data-tool]")) button.addEventListener("click", () => use(button.dataset.tool));
get("shapes").addEventListener("click", (event) => {
  const button = event.target.closest("[data-key]");
  if (!button) return;
  if (!paintable(editor.drawing.find(button.dataset.key))) editor.tool = "select";
  editor.choose(button.dataset.key);
});
get("classes").addEventListener("picked", (event) => number(event.detail));
get("label-form")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const field = get("label");
  const wanted = field.value.trim();
  if (wanted && !editor.drawing.now.labels.includes(wanted)) relabel([...editor.drawing.now.labels, wanted]);
  field.value = "";
});
addEventListener("popstate", () => save().then(() => open(location.pathname.split("/").pop())));
addEventListener("beforeunload", (event) => { if (editor.drawing?.dirty) event.preventDefault(); });

await classes.read().then(() => open(editor.file)).catch((problem) => showProblem(page, problem));
