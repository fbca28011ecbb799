// Beside a new password, while it is typed: whether it is long enough, and not among the commonest.
// The service says the rest: it knows names, addresses and more of the commonest spellings.
import { t } from "./texts.js";

let commonest; // those that are long enough, fetched once somebody begins to choose

function fetched() {
  commonest ??= fetch("/commonest.txt").then(async (answer) => new Set(answer.ok ? (await answer.text()).split("\n") : []), () => new Set());
  return commonest;
}

for (const input of document.querySelectorAll("input[data-least]")) {
  const field = input.closest(".field");
  const said = field.querySelector("[data-strength]");
  const count = field.querySelector("[data-count]");
  const least = Number(input.dataset.least);

  // what the service said was about what stood here before
  const forget = () => {
    field.querySelector("[data-error-for]").textContent = "";
    input.removeAttribute("aria-invalid");
  };

  const tell = async () => {
    const typed = input.value;
    forget();
    const text = typed.normalize("NFKC");
    const { length } = [...text];
    const common = length >= least && (await fetched()).has(text.toLowerCase().trim());
    if (input.value !== typed) return; // typed on meanwhile
    const state = !length ? "" : length < least ? "short" : common ? "common" : "long";
    field.dataset.strength = state;
    count.textContent = state === "short" ? t("signin.strength_count", { length, least }) : "";
    // told once, not at each key
    const told = { "": "", short: t("signin.strength_short"), common: t("signin.strength_common"), long: t("signin.strength_long") }[state];
    if (said.textContent !== told) said.textContent = told;
  };

  input.addEventListener("focus", fetched, { once: true });
  input.addEventListener("input", tell);
  input.form.addEventListener("reset", () => setTimeout(tell));
}
