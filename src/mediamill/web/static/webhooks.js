// Webhooks: add, change and try them, replace a secret, see deliveries and send them again.
import { Problem, call, clearProblem, part, showProblem } from "./api.js";
import { asked as confirmed } from "./asking.js";
import "./copying.js";
import { pause, tried } from "./dataset.js";
import { t } from "./texts.js";

const get = (id) => document.getElementById(id);
const hook = get("webhook")?.dataset.webhook;
const home = `/v1/webhooks/${hook}`;
const log = get("deliveries");

// -- forms --------------------------------------------------------------------------------------------

function acts(name, action) {
  const form = get(name);
  if (!form) return;
  const button = form.querySelector("[type=submit]");
  const told = form.querySelector("[data-told]");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearProblem(form);
    if (told) told.textContent = "";
    tried(button, async () => {
      const text = await action(new FormData(form), form);
      if (told && text) told.textContent = text;
    }, (problem) => showProblem(form, problem));
  });
  button.disabled = false; // whoever is faster than this script would press in vain
}

function asked(fields) {
  return { url: fields.get("url").trim(), description: fields.get("description"), types: fields.getAll("types") };
}

function reveal(secret) {
  get("secret").textContent = secret;
  get("made").hidden = false;
  get("made").focus();
}

// “All” and single ones exclude each other.
for (const group of document.querySelectorAll("fieldset .choices")) {
  group.addEventListener("change", ({ target }) => {
    const every = target.value === "*";
    if (target.checked) for (const box of group.querySelectorAll("input")) if ((box.value === "*") !== every) box.checked = false;
  });
}

acts("add", async (fields, form) => {
  const made = await call("POST", "/v1/webhooks", asked(fields));
  form.hidden = true;
  get("open").href = `/webhooks/${made.id}`;
  reveal(made.secret);
});
acts("change", async (fields) => {
  const now = await call("PATCH", home, { ...asked(fields), enabled: fields.has("enabled") });
  get("about-title").textContent = now.url;
  get("enabled").textContent = t("webhooks.state", { which: now.enabled ? "on" : "off" });
  if (now.enabled) get("reason")?.remove();
  await refresh();
  return t("words.saved");
});
acts("rotate", async (fields) => {
  const text = fields.get("overlap_hours");
  const made = await call("POST", `${home}/rotate`, { overlap_hours: text === "" ? null : Number(text) });
  reveal(made.secret);
});
acts("end", async () => {
  if (!await confirmed(t("webhooks.delete"), t("webhooks.delete_told"), t("words.delete"))) return;
  await call("DELETE", home);
  location.assign("/webhooks");
});
acts("test", async (fields) => {
  await call("POST", `${home}/test`, { type: fields.get("type") });
  await refresh();
  return t("account.on_its_way");
});
acts("again", async (fields) => {
  const since = new Date(Date.now() - Number(fields.get("hours")) * 3600e3).toISOString();
  await call("POST", `${home}/replay`, { since });
  watch(10);
  return t("webhooks.again_told");
});

// -- deliveries -----------------------------------------------------------------------------------------

const shown = () => get("filter").elements.state.value;
const source = (after = "") => {
  const query = new URLSearchParams({ ...(after && { after }), ...(shown() && { state: shown() }) });
  return `/parts/webhooks/${hook}?${query}`;
};

let looks = 0;

// Keep what is open open, and the keyboard where it was; an answer that was overtaken says what was.
async function refresh() {
  const mine = looks += 1;
  const fresh = await part(source());
  if (mine !== looks) return;
  const open = [...log.querySelectorAll("details[open]")].map((one) => one.dataset.event);
  const bodies = new Map(open.map((id) => [id, find(log, id).querySelector("[data-body]").textContent]));
  const focused = log.contains(document.activeElement) ? document.activeElement.closest("[data-delivery]")?.dataset.delivery : null;
  const kind = document.activeElement.tagName;
  log.replaceChildren(fresh);
  for (const id of open) {
    const details = find(log, id);
    if (!details) continue;
    details.open = true;
    tell(details, bodies.get(id));
  }
  if (focused) log.querySelector(`[data-delivery="${focused}"] ${kind === "SUMMARY" ? "summary" : "button"}`)?.focus();
}

const find = (place, id) => place.querySelector(`details[data-event="${id}"]`);

function tell(details, text) {
  const place = details.querySelector("[data-body]");
  place.textContent = text;
  place.hidden = !text;
}

let watching = 0;

// Look again while something is on its way, soon at first, and so many times at least.
async function watch(least = 0) {
  watching += 1;
  const mine = watching;
  for (let wait = 500, times = 0; ; wait = Math.min(wait * 1.3, 5000), times += 1) {
    await pause(wait);
    if (mine !== watching) return;
    const moving = log.querySelector('[data-state="pending"]');
    if (!moving && times >= least) return;
    if (!document.hidden && !log.querySelector("[data-grown]")) {
      try {
        await refresh();
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
      }
    }
  }
}

function failed(button) {
  return (problem) => { get("again").querySelector("[data-error]").textContent = problem.message; button.focus(); };
}

log?.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button?.dataset.replay) {
    clearProblem(get("again"));
    tried(button, async () => {
      await call("POST", `${home}/deliveries/${button.dataset.replay}/replay`);
      await refresh();
      watch();
    }, failed(button));
  } else if (button?.dataset.further) {
    tried(button, async () => {
      const more = await part(source(button.dataset.further));
      button.closest(".more").replaceWith(more);
      log.firstElementChild.dataset.grown = "";
    }, failed(button));
  }
});

log?.addEventListener("toggle", ({ target }) => {
  if (!target.open || target.querySelector("[data-body]").textContent) return;
  tried(null, async () => {
    const { body } = await call("GET", `${home}/deliveries/${target.dataset.event}`);
    tell(target, JSON.stringify(JSON.parse(body), null, 2));
  }, (problem) => tell(target, problem.message));
}, true);

get("filter")?.addEventListener("change", () => {
  tried(null, refresh, failed(get("filter").elements.state));
  watch();
});
if (log) {
  get("test").addEventListener("submit", () => watch(4));
  if (log.querySelector('[data-state="pending"]')) watch();
}
