// Providers of model calls: order the chains, add, change, test and wake providers.
import { call, clearProblem, part, showProblem } from "./api.js";
import { asked as confirmed } from "./asking.js";
import { made, tried } from "./dataset.js";
import { cost } from "./money.js";
import { t } from "./texts.js";
import { toast } from "./toast.js";

const place = document.getElementById("models");
const form = document.getElementById("provider");
const told = document.getElementById("told");
const forget = document.getElementById("forget");
const { elements } = form;
const RATES = ["input", "output", "image", "call", "second"];
let changed = null;

// -- what is shown ----------------------------------------------------------------------------------

async function refresh(text, focus = "") {
  place.replaceChildren(await part("/parts/models"));
  told.textContent = text;
  if (focus) place.querySelector(focus)?.focus();
}

const failed = (card) => (problem) => { card.querySelector("[data-error]").textContent = [problem.message, ...problem.errors.map((one) => one.message)].at(-1); };

// -- chains -----------------------------------------------------------------------------------------

const names = (chain) => [...chain.querySelectorAll("[data-link]")].map((one) => one.dataset.link);

// `says` tells what has become of a chain, whose operation it is given.
function save(chain, wanted, says, focus = "", button = null) {
  const { chain: operation, source } = chain.dataset;
  const before = names(chain);
  const lost = before.some((name) => !wanted.includes(name));
  const put = (providers) => call("PUT", `/v1/chains/${operation}`, { providers });
  chain.querySelector("[data-error]").textContent = "";
  return tried(button, async () => {
    await put(wanted);
    await refresh(lost ? "" : says(operation), focus && `[data-chain="${operation}"] ${focus}`);
    if (lost) toast(says(operation), { undo: () => put(source === "settings" ? [] : before).then(() => refresh("")) });
  }, failed(chain));
}

function moved(chain, name, to) {
  const list = names(chain).filter((one) => one !== name);
  list.splice(to, 0, name);
  return list;
}

function chainClicked(button, chain) {
  const name = button.closest("[data-link]")?.dataset.link;
  if (button.dataset.move) {
    const by = Number(button.dataset.move);
    const to = names(chain).indexOf(name) + by;
    save(chain, moved(chain, name, to), (operation) => t("models.moved_by", { operation, name, place: to + 1 }), `[data-link="${CSS.escape(name)}"] [data-move="${by}"]:enabled`, button);
  } else if (button.dataset.drop !== undefined) {
    save(chain, names(chain).filter((one) => one !== name), (operation) => t("models.dropped", { operation, name }), "input", button);
  } else if (button.dataset.reset !== undefined) {
    save(chain, [], (operation) => t("models.is_reset", { operation }), "input", button);
  }
}

let dragged = null;
place.addEventListener("dragstart", (event) => {
  dragged = event.target.closest("[data-link]");
  if (!dragged) return;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.dataset.link); // Firefox drags nothing without
});
place.addEventListener("dragover", (event) => {
  const over = event.target.closest("[data-link]");
  if (dragged && over && over.parentElement === dragged.parentElement) event.preventDefault();
});
place.addEventListener("drop", (event) => {
  const over = event.target.closest("[data-link]");
  if (!dragged || !over || over === dragged || over.parentElement !== dragged.parentElement) return;
  event.preventDefault();
  const chain = over.closest("[data-chain]");
  const { link } = dragged.dataset;
  save(chain, moved(chain, link, names(chain).indexOf(over.dataset.link)), (operation) => t("models.moved", { operation, name: link }));
});
place.addEventListener("dragend", () => { dragged = null; });

place.addEventListener("submit", (event) => {
  event.preventDefault();
  const chain = event.target.closest("[data-chain]");
  const name = event.target.elements.provider.value.trim();
  const own = chain.querySelector("[data-link]") ? names(chain) : [];
  if (name) save(chain, [...own, name], (operation) => t("models.joined", { operation, name }), "input", event.target.querySelector("button"));
});

// -- providers ----------------------------------------------------------------------------------------

function showTrial(card, trial) {
  const facts = [t("models.milliseconds", { count: trial.milliseconds }), trial.cost === null ? t("models.no_price") : cost(trial.cost)];
  if (trial.input_tokens || trial.output_tokens) facts.push(t("models.tokens", { sent: trial.input_tokens, said: trial.output_tokens }));
  if (trial.model) facts.push(trial.model);
  const said = trial.ok ? trial.text || trial.labels.map((one) => `${one.name} ${Math.round(one.confidence * 100)} %`).join(", ") : trial.error;
  const box = card.querySelector("[data-trial]");
  box.replaceChildren(made("p", { class: trial.ok ? "said" : "error" }, said || t("models.said_nothing")), made("p", { class: "muted" }, facts.join(" · ")));
  box.hidden = false;
}

function providerClicked(button, card) {
  const { provider: name, path } = card.dataset;
  const at = `/v1/providers/${path}`;
  card.querySelector("[data-error]").textContent = "";
  if (button.dataset.test !== undefined) {
    const box = card.querySelector("[data-trial]");
    box.textContent = t("models.testing");
    box.hidden = false;
    tried(button, async () => showTrial(card, await call("POST", `${at}/test`, {})), (problem) => {
      box.hidden = true;
      failed(card)(problem);
    });
  } else if (button.dataset.wake !== undefined) {
    tried(button, async () => {
      await call("POST", `${at}/wake`);
      await refresh(t("models.woken", { name }));
    }, failed(card));
  } else if (button.dataset.change) change(JSON.parse(button.dataset.change));
  else if (button.dataset.remove !== undefined) {
    tried(button, async () => {
      if (!await confirmed(t("models.remove", { name }), t("models.remove_told"), t("words.remove"))) return;
      await call("DELETE", at);
      await refresh(t("models.removed", { name }));
    }, failed(card));
  }
}

place.addEventListener("click", (event) => {
  const button = event.target.closest("button[type=button]");
  if (!button) return;
  const [chain, card] = [button.closest("[data-chain]"), button.closest("[data-provider]")];
  if (chain) chainClicked(button, chain);
  else if (card) providerClicked(button, card);
});

// -- the form -----------------------------------------------------------------------------------------

function change(one) {
  changed = one;
  clearProblem(form);
  form.reset();
  for (const name of ["name", "address", "base_url", "region", "concurrency", "per_minute", "timeout"]) elements[name].value = one[name] ?? "";
  for (const rate of RATES) elements[`price.${rate}`].value = one.priced === "own" ? one.price[rate] || "" : "";
  elements.options.value = Object.entries(one.options).map((pair) => pair.join("=")).join(", ");
  elements.name.readOnly = true;
  elements.key.placeholder = one.has_key ? t("models.key_kept") : "";
  titled(t("models.change", { name: one.name }), t("words.save"));
  forget.hidden = false;
  elements.address.focus();
}

function titled(title, action) {
  document.getElementById("form-title").textContent = title;
  form.querySelector("[type=submit]").textContent = action;
}

function begin() {
  changed = null;
  form.reset();
  elements.name.readOnly = false;
  elements.key.placeholder = "";
  titled(t("models.add"), t("words.add"));
  forget.hidden = true;
}

forget.addEventListener("click", () => {
  clearProblem(form);
  begin();
});

// What differs from what is set up; of a new one what is filled in.
function asked() {
  const number = (name) => (elements[name].value === "" ? null : Number(elements[name].value));
  const rates = RATES.filter((rate) => elements[`price.${rate}`].value !== "");
  const pairs = elements.options.value.split(",").map((one) => one.trim()).filter(Boolean);
  const body = {
    name: elements.name.value.trim(),
    address: elements.address.value.trim(),
    base_url: elements.base_url.value.trim(),
    region: elements.region.value.trim(),
    concurrency: number("concurrency"),
    per_minute: number("per_minute"),
    timeout: number("timeout"),
    price: rates.length ? Object.fromEntries(rates.map((rate) => [rate, number(`price.${rate}`)])) : null,
    options: Object.fromEntries(pairs.map((pair) => [pair.split("=")[0].trim(), pair.split("=").slice(1).join("=").trim()])),
  };
  if (elements.key.value) body.key = elements.key.value;
  if (changed) delete body.name;
  return body;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearProblem(form);
  tried(form.querySelector("[type=submit]"), async () => {
    if (changed) await call("PATCH", `/v1/providers/${encodeURIComponent(changed.name)}`, asked());
    else await call("POST", "/v1/providers", asked());
    const text = changed ? t("models.changed", { name: changed.name }) : t("models.added", { name: elements.name.value });
    begin();
    await refresh(text);
    told.scrollIntoView({ block: "nearest" });
  }, (problem) => showProblem(form, problem));
});
