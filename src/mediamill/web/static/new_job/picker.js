// Tick files among one's own, found by a part of the name; or take a whole project.
import { call } from "../api.js";
import { every, made, tried } from "../dataset.js";
import { placed, receive, shown } from "../dropping.js";
import { t } from "../texts.js";
import { upload } from "../upload.js";
import { face } from "./facts.js";

const PAGE = 24;
const get = (id) => document.getElementById(id);
let after = "";
let round = 0;
let begun = false;

// Files that are brought here are ticked as soon as they have come.
function bringing(inputs) {
  receive(get("drop"), [get("bring")], (files) => upload(shown(files), { tags: placed, done(file) {
    if (begun && !get("pickable").querySelector(`[value="${CSS.escape(file.id)}"]`)) get("pickable").prepend(choice(inputs, file));
    get("no-files").hidden = true;
    inputs.facts.note(file);
    inputs.add([file.id]);
  } }));
}

export function picking(inputs, failed) {
  bringing(inputs);
  const more = () => add(inputs);
  const anew = () => {
    round += 1;
    after = "";
    get("pickable").replaceChildren();
    return more();
  };
  const open = () => {
    if (!get("picker").open || begun) return;
    begun = true;
    tried(null, () => Promise.all([anew(), projects()]), failed);
  };
  get("picker").addEventListener("toggle", open);
  open();
  let waiting;
  get("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => tried(null, anew, failed), 250);
  });
  get("search").addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault(); // which would run the job
  });
  get("more-files").addEventListener("click", (event) => tried(event.target, more, failed));
  get("pickable").addEventListener("change", ({ target }) => {
    if (target.checked) inputs.add([target.value]);
    else inputs.remove([target.value]);
  });
  get("project").addEventListener("change", () => {
    if (get("project").value) inputs.take({ project: get("project").value });
    get("project").value = "";
  });
  document.addEventListener("chosen", () => {
    const chosen = new Set(inputs.ids);
    for (const box of get("pickable").querySelectorAll("input")) box.checked = chosen.has(box.value);
  });
}

// Searches are bounded: a page may be empty and there may still be more.
async function add(inputs) {
  const mine = round;
  const name = get("search").value.trim();
  for (let found = 0; found === 0;) {
    const cursor = after ? `&after=${encodeURIComponent(after)}` : "";
    const page = await call("GET", `/v1/files?state=ready&limit=${PAGE}${name && `&name=${encodeURIComponent(name)}`}${cursor}`);
    if (mine !== round) return;
    after = page.after;
    found = page.data.length || !page.has_more;
    get("pickable").append(...page.data.map((file) => choice(inputs, file)));
    get("more-files").hidden = !page.has_more;
  }
  get("pickable").removeAttribute("aria-busy");
  const none = !get("pickable").children.length;
  get("no-files").hidden = !none || Boolean(name);
  get("no-match").hidden = !none || !name;
}

function choice(inputs, file) {
  inputs.facts.note(file);
  const box = made("input", { type: "checkbox", value: file.id, checked: inputs.ids.includes(file.id) });
  return made("li", {}, made("label", {}, box, face(file), made("span", { class: "name", title: file.name }, file.name)));
}

async function projects() {
  const [own, shared] = await Promise.all([every("/v1/projects"), every("/v1/projects?state=shared")]);
  const all = [...own, ...shared];
  get("or-project").hidden = !all.length;
  get("project").append(...all.map((one) => new Option(t("new_job.project_option", { name: one.name, count: one.files }), one.id)));
}
