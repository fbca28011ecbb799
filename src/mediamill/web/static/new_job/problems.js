// Where a refusal is said: beside its field, at its step, at the inputs, else where one runs.
import { t } from "../texts.js";
import { label } from "./steps.js";

const INPUTS = ["files", "project", "archive", "manifest", "members", "subset", "split", "inputs"];
const get = (id) => document.getElementById(id);

// What running said stays while one looks (`live`): a plan that comes after it knows nothing of it.
export function cleared(form, live = false) {
  const said = "[data-error-for], [data-step-error], #inputs-error";
  for (const place of form.querySelectorAll(live ? said : `${said}, [data-error]`)) place.textContent = "";
  for (const control of form.querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
}

// `live` while somebody is still choosing: fields that nobody has touched yet are left alone.
// Gives what these are called, if there is nothing else.
export function shown(form, steps, problem, live = false) {
  cleared(form, live);
  const general = [];
  const untouched = [];
  for (const { pointer, message } of problem.errors) {
    const [head, place, , name] = pointer.split(".");
    const step = head === "steps" ? steps[Number(place)] : undefined;
    const target = beside(form, pointer, step, name);
    if (target) {
      if (!live || target.field.dataset.touched !== undefined) mark(target, message);
      else untouched.push(called(target.field, step));
    } else if (step && step.element.isConnected) {
      if (!live || !pointer.includes(".parameters") || touched(step.fields)) step.element.querySelector("[data-step-error]").textContent = message;
    } else if (step) general.push(t("new_job.step_wrong", { number: Number(place) + 1, name: label(step.operation), message }));
    else if (INPUTS.includes(head)) get("inputs-error").textContent = message;
    else general.push(message);
  }
  if (live) return untouched.length === problem.errors.length ? untouched : [];
  form.querySelector("[data-error]").textContent = general.join(" ") || (problem.errors.length ? "" : problem.message);
  (form.querySelector('[aria-invalid="true"]') || first(form))?.focus();
  return [];
}

// A field in words, with the step it is of.
export function called(field, step = null) {
  const name = field.querySelector(".group-name, label").textContent.trim();
  return step ? t("new_job.field_of", { step: label(step.operation), name }) : name;
}

// Whether somebody has changed a field within.
const touched = (place) => place.querySelector("[data-touched]") !== null;

// The place and the control of a field that shows.
function beside(form, pointer, step, name) {
  const wanted = step ? name : pointer;
  const within = step ? step.fields : form;
  const own = (one) => step || !one.closest("fieldset");
  const places = wanted ? [...within.querySelectorAll(`[data-error-for="${CSS.escape(wanted)}"]`)] : [];
  const place = places.find((one) => !one.closest("[hidden]") && own(one));
  const field = place?.closest(".field");
  return field && { place, field };
}

function mark({ place, field }, message) {
  place.textContent = message;
  field.querySelector("input, select, textarea").setAttribute("aria-invalid", "true");
  place.closest("details")?.setAttribute("open", "");
}

// What is said at a step or at the inputs is gone to, too.
function first(form) {
  const step = [...form.querySelectorAll("[data-step-error]")].find((one) => one.textContent);
  if (step) return step.closest("li").querySelector("h3");
  return get("inputs-error").textContent ? get("picker").querySelector("summary") : null;
}
