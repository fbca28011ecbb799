// The trash: bring a file back, or remove all for good.
import { call } from "./api.js";

const list = document.getElementById("trash");
const empty = document.getElementById("empty");
const error = document.querySelector("[data-error]");

function count() {
  const left = list.children.length > 0;
  empty.hidden = !left;
  document.getElementById("no-trash").hidden = left;
}

list.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-restore]");
  if (!button) return;
  error.textContent = "";
  button.disabled = true;
  try {
    await call("POST", `/v1/files/${button.dataset.restore}/restore`);
    button.closest(".row").remove();
    count();
  } catch (problem) {
    error.textContent = problem.message;
    button.disabled = false;
  }
});

empty.addEventListener("click", async () => {
  if (!confirm("Remove everything in the trash for good?")) return;
  empty.disabled = true;
  try {
    while ((await call("DELETE", "/v1/trash")).has_more);
    list.replaceChildren();
  } catch (problem) {
    error.textContent = problem.message;
  }
  empty.disabled = false;
  count();
});
