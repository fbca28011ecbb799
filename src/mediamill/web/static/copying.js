// Buttons that copy what is shown once: `data-copy` is the id of the element that holds it.
import { copied } from "./clipboard.js";
import { t } from "./texts.js";

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button) return;
  const place = document.getElementById(button.dataset.copy);
  if (await copied(place.textContent)) button.textContent = t("words.copied");
  else getSelection().selectAllChildren(place); // the browser keeps it from us: it is marked, for the keyboard
});
