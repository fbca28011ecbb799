// The list of projects: make one, the sample, and bring deleted ones back.
import { call, clearProblem, showProblem } from "./api.js";
import { ended, every, made, tried } from "./dataset.js";
import { t } from "./texts.js";
import { day } from "./times.js";
import { toast } from "./toast.js";

const get = (id) => document.getElementById(id);
const fail = (problem) => { get("problem").textContent = problem.message; };

function row(project) {
  const count = Object.values(project.counts).flatMap((splits) => Object.values(splits)).reduce((sum, n) => sum + n, 0);
  const about = made("div", { class: "about" },
    made("a", { class: "name", href: `/projects/${project.id}` }, project.name),
    made("span", { class: "muted" }, [t("words.images", { count }), day(project.created_at), project.description].filter(Boolean).join(" · ")));
  if (project.links.restore) {
    about.firstChild.replaceWith(made("span", { class: "name" }, project.name));
    return made("li", { class: "row" }, about, made("button", { type: "button", "data-restore": project.id, "aria-label": t("projects.restore_one", { name: project.name }) }, t("projects.restore")));
  }
  const badge = project.role === "owner" ? null : made("span", { class: "badge" }, t("project.role", { which: project.role }));
  return made("li", { class: "row" }, about, badge);
}

let after = "";
async function more() {
  const page = await call("GET", `/v1/projects?limit=50${after && `&after=${encodeURIComponent(after)}`}`);
  get("projects").append(...page.data.map(row));
  after = page.after;
  get("more").hidden = !page.has_more;
  get("none").hidden = get("projects").children.length > 0;
  get("sample-part").hidden = !get("none").hidden;
}

async function trash() {
  const gone = await every("/v1/projects?state=trashed", 100);
  get("trash").replaceChildren(...gone.map(row));
  get("trash-part").hidden = !gone.length;
}

get("more").addEventListener("click", (event) => tried(event.target, more, fail));
get("trash").addEventListener("click", (event) => {
  const button = event.target.closest("[data-restore]");
  if (button) tried(button, async () => {
    const project = await call("POST", `/v1/projects/${button.dataset.restore}/restore`);
    location.assign(`/projects/${project.id}`);
  }, fail);
});
get("new").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  clearProblem(form);
  tried(form.querySelector("button"), async () => {
    const project = await call("POST", "/v1/projects", Object.fromEntries(new FormData(form)));
    location.assign(`/projects/${project.id}`);
  }, (problem) => showProblem(form, problem));
});
get("sample").addEventListener("submit", (event) => {
  event.preventDefault();
  tried(event.submitter, async () => {
    const task = await call("POST", "/v1/projects/sample");
    const project = task.links.self.split("/")[3];
    await ended(project, task);
    location.assign(`/projects/${project}`);
  }, fail);
});

// One that was deleted on its own page a moment ago.
const deleted = JSON.parse(sessionStorage.getItem("mediamill.deleted"));
if (deleted) {
  sessionStorage.removeItem("mediamill.deleted");
  toast(t("projects.deleted", { name: deleted.name }), {
    undo: async () => {
      await call("POST", `${deleted.home}/restore`);
      location.reload();
    },
  });
}

await tried(null, async () => {
  await Promise.all([more(), trash()]);
  const shared = await every("/v1/projects?state=shared", 100);
  get("shared").replaceChildren(...shared.map(row));
  get("shared-part").hidden = !shared.length;
}, fail);
