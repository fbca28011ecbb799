// The first page: add files, choose some, run an operation on them.
import { call, clearProblem, part, showProblem } from "./api.js";
import { dropped, placed, shown } from "./dropping.js";
import { parameters, show } from "./form.js";
import { upload } from "./upload.js";

const list = document.getElementById("files");
const drop = document.getElementById("drop");
const choose = document.getElementById("choose");
const all = document.getElementById("all");
const form = document.getElementById("run");
const operation = document.getElementById("operation");

const boxes = () => [...list.querySelectorAll("input[type=checkbox]:enabled")];
const chosen = () => boxes().filter((box) => box.checked);

function count() {
  const files = boxes();
  const picked = chosen().length;
  document.getElementById("no-files").hidden = list.children.length > 0;
  all.closest("label").hidden = files.length === 0;
  all.checked = files.length > 0 && picked === files.length;
  all.indeterminate = picked > 0 && picked < files.length;
  const text = picked === 1 ? "1 file selected." : `${picked} files selected.`;
  document.getElementById("chosen").textContent = picked ? text : "No file selected. Tick the files to work on.";
}

async function added(file) {
  for (const each of file.data || [file]) {
    list.prepend(await part(`/parts/files/${each.id}`));
    list.querySelector("input[type=checkbox]").checked = true;
  }
  count();
}

function take(files) {
  upload(shown(files), document.getElementById("uploads"), added, { tags: placed });
}

choose.addEventListener("change", () => {
  take([...choose.files]);
  choose.value = "";
});
for (const kind of ["dragenter", "dragover"]) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", async (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  take(await dropped(event.dataTransfer));
});

all.addEventListener("change", () => {
  for (const box of boxes()) box.checked = all.checked;
  count();
});
list.addEventListener("change", count);
document.addEventListener("files", count);

list.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-delete]");
  if (!button) return;
  const row = button.closest(".row");
  const name = row.querySelector(".name").textContent;
  if (!confirm(`Delete ${name}? For 24 hours it can be brought back from the trash.`)) return;
  try {
    await call("DELETE", `/v1/files/${button.dataset.delete}`);
    row.remove();
    count();
  } catch (problem) {
    alert(problem.message);
  }
});

function chooseOperation() {
  show(form, operation.value);
  document.getElementById("budget-field").hidden = operation.selectedOptions[0].dataset.asks === undefined;
}

operation.addEventListener("change", chooseOperation);
form.addEventListener("change", chooseOperation);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearProblem(form);
  const files = chosen().map((box) => box.value);
  if (!files.length) {
    showProblem(form, { message: "Tick at least one file first.", errors: [] });
    (boxes()[0] || choose).focus();
    return;
  }
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  try {
    const step = { operation: operation.value, parameters: parameters(form, operation.value) };
    const budget = form.elements.budget.closest("[hidden]") ? "" : form.elements.budget.value;
    const job = await call("POST", "/v1/jobs", { files, steps: [step], ...(budget === "" ? {} : { budget: Number(budget) }) });
    location.assign(`/jobs/${job.id}`);
  } catch (problem) {
    showProblem(form, problem, "steps.0.parameters.");
  } finally {
    button.disabled = false;
  }
});

async function refreshJobs() {
  if (document.hidden || !document.querySelector("#jobs .badge:is(.expanding, .running, .cancelling)")) return;
  const fresh = await part("/parts/jobs").catch(() => null);
  if (fresh) document.getElementById("jobs").replaceChildren(fresh);
}

chooseOperation();
count();
setInterval(refreshJobs, 2000);
