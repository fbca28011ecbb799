// The dialog by which files join a project, an old or a new one.
import { call } from "../api.js";
import { join, projects } from "./actions.js";
import { opens, sends } from "./opening.js";

const get = (name) => document.getElementById(name);

// `ids` gives the files; `done` is called when they joined, and when that is taken back. What are no
// files yet are put into the project by `into`.
export function joining({ ids, done = () => {}, into = (target) => join(ids(), target.id, target.name, done) }) {
  const form = get("join-form");
  opens("join", "join-dialog", async () => {
    const list = form.elements.project;
    const found = await projects();
    const fresh = list.options[list.options.length - 1];
    list.replaceChildren(...found.map((one) => new Option(one.name, one.id)), fresh);
    naming();
  });
  form.elements.project.addEventListener("change", naming);
  sends("join-form", async () => {
    const { project, name } = form.elements;
    const target = project.value ? { id: project.value, name: project.selectedOptions[0].text } : await call("POST", "/v1/projects", { name: name.value.trim() });
    await into(target);
    form.elements.name.value = "";
  });
}

// A name is asked for where the project is to be a new one.
function naming() {
  const { project } = get("join-form").elements;
  get("join-name-field").hidden = project.value !== "";
}
