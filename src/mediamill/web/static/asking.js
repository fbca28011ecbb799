// Ask before what cannot be undone.
import { t } from "./texts.js";

// Resolves to whether somebody pressed `doIt`, which says what is done: “Delete for good”.
export function asked(title, text, doIt) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "asked-title");
  dialog.setAttribute("aria-describedby", "asked-text");
  const heading = put(dialog, "h2", title);
  heading.id = "asked-title";
  put(dialog, "p", text).id = "asked-text";
  const form = put(dialog, "form", "");
  form.method = "dialog";
  form.className = "actions";
  const stay = put(form, "button", t("words.cancel"));
  stay.value = "";
  stay.autofocus = true; // Enter by mistake does nothing
  const go = put(form, "button", doIt);
  go.value = "yes";
  go.className = "danger";
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    }, { once: true });
  });
}

function put(parent, name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  parent.append(made);
  return made;
}
