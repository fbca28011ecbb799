// Buttons that copy what is shown once: `data-copy` is the id of the element that holds it.
import { t } from "./texts.js";

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copy]");
  if (!button) return;
  const place = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(place.textContent);
    button.textContent = t("account.copied");
  } catch { // the browser keeps it from us: it is marked, for the keyboard
    getSelection().selectAllChildren(place);
  }
});
