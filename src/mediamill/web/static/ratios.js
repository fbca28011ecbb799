// The form of a split, filled from the settings of a project and read as the service takes it.
import { NO_NUMBER } from "./form.js";

export const SPLITS = ["train", "validation", "test"];
const DEFAULT = { train: 0.8, validation: 0.1, test: 0.1, seed: 0, stratify: true, group_by: ["video"], keep: true };

// What is left out of the settings is as the service has it; shares of any sum are shown in percent.
export function fill(form, said) {
  const split = { ...DEFAULT, ...said };
  const sum = SPLITS.reduce((total, name) => total + split[name], 0) || 1;
  for (const name of SPLITS) form.elements[name].value = Math.round((split[name] / sum) * 1e4) / 100;
  form.elements.seed.value = split.seed;
  for (const name of ["stratify", "keep"]) form.elements[name].checked = split[name];
  for (const box of form.elements.group_by) box.checked = split.group_by.includes(box.value);
}

export function read(form) {
  const said = new FormData(form);
  const body = { seed: number(form.elements.seed), stratify: said.has("stratify"), keep: said.has("keep"), group_by: said.getAll("group_by") };
  for (const split of SPLITS) body[split] = number(form.elements[split]);
  return body;
}

// What is no number is sent as it is: the service says what is wrong with it.
function number(field) {
  return field.value === "" || field.validity.badInput ? field.value || NO_NUMBER : Number(field.value);
}
