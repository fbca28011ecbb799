// A form made of an operation's schema: which controls show, and what they send.

export function show(form, operation) {
  for (const fields of form.querySelectorAll("fieldset")) {
    fields.hidden = fields.dataset.operation !== operation;
    for (const field of fields.querySelectorAll("[data-when]")) {
      const choice = fields.querySelector(`[name="${CSS.escape(field.dataset.when)}"]`);
      field.hidden = choice.value !== field.dataset.is;
    }
  }
}

// What differs from the default, so that what a person left alone stays the operation's business.
export function parameters(form, operation) {
  const found = {};
  const fields = form.querySelector(`fieldset[data-operation="${CSS.escape(operation)}"]`);
  for (const control of fields.querySelectorAll("[data-kind]")) {
    if (control.closest(".field").hidden) continue;
    const kind = control.dataset.kind;
    if (kind === "choice") found[control.name] = control.value;
    else if (kind === "boolean") {
      if (control.checked !== control.defaultChecked) found[control.name] = control.checked;
    } else if (control.validity.badInput) found[control.name] = "not a number";
    else if (control.value.trim() !== control.dataset.default) found[control.name] = value(kind, control.value.trim());
  }
  return found;
}

function value(kind, text) {
  if (text === "") return null;
  if (kind === "list") return text.split(",").map((item) => item.trim()).filter(Boolean).map(number);
  return kind === "text" ? text : number(text);
}

function number(text) {
  const parsed = Number(text);
  return Number.isNaN(parsed) ? text : parsed;
}
