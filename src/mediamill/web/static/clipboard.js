// Copy a text for somebody; resolves to whether it is copied.
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // without HTTPS browsers have no clipboard; a selection can be copied anywhere
    return selected(text);
  }
}

function selected(text) {
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.className = "visually-hidden";
  field.value = text;
  (document.querySelector("dialog[open]") || document.body).append(field); // beside an open dialog nothing is selected
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  before?.focus({ preventScroll: true });
  return done;
}
