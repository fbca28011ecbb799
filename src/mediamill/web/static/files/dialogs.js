// The dialogs of the page of files: tags for what is chosen, and a project that it joins.
import { call, clearProblem, showProblem } from "../api.js";
import { tried } from "../dataset.js";
import { toast } from "../toast.js";
import { join, projects, tag } from "./actions.js";

const get = (name) => document.getElementById(name);

export function dialogs({ choice, source }) {
  const known = (ids) => source.known(ids);
  const changed = (ids) => {
    for (const id of ids) source.items.delete(id);
    source.changed();
  };
  opens("tag", "tag-dialog");
  sends("tag-form", async (form) => {
    const tags = form.elements.tags.value.split(",").map((one) => one.trim()).filter(Boolean);
    await tag(choice.list, tags, known, changed);
    form.reset();
  });
  opens("join", "join-dialog", async () => {
    const list = get("join-form").elements.project;
    const found = await projects();
    const fresh = list.options[list.options.length - 1];
    list.replaceChildren(...found.map((one) => new Option(one.name, one.id)), fresh);
    naming();
  });
  get("join-form").elements.project.addEventListener("change", naming);
  sends("join-form", async (form) => {
    const { project, name } = form.elements;
    const target = project.value ? { id: project.value, name: project.selectedOptions[0].text } : await call("POST", "/v1/projects", { name: name.value.trim() });
    await join(choice.list, target.id, target.name);
    form.elements.name.value = "";
  });
}

// A name is asked for where the project is to be a new one.
function naming() {
  const { project } = get("join-form").elements;
  get("join-name-field").hidden = project.value !== "";
}

function opens(button, dialog, before = async () => {}) {
  get(button).addEventListener("click", (event) => tried(event.target, async () => {
    clearProblem(get(dialog));
    await before();
    get(dialog).showModal();
  }, (problem) => toast(problem.message, { error: true })));
  get(dialog).addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) get(dialog).close();
  });
}

function sends(name, act) {
  const form = get(name);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearProblem(form);
    tried(form.querySelector("[type=submit]"), async () => {
      await act(form);
      form.closest("dialog").close();
    }, (problem) => showProblem(form, problem));
  });
}
