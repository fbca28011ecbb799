// What every signed-in page does: times, sign out, menus, keys, more of a list, and the tab one is on.
import { call, part } from "./api.js";
import { t } from "./texts.js";
import { retell } from "./times.js";
import { WRITING, toast } from "./toast.js";

retell(document);

document.addEventListener("click", async (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  if (event.target.closest("[data-sign-out]")) {
    await call("POST", "/v1/auth/logout").catch(() => {});
    location.assign("/signin?left");
  }
  if (event.target.closest("[data-keys]")) showKeys();
  const more = event.target.closest("[data-more]");
  if (more) {
    more.disabled = true;
    const line = more.closest(".more");
    line.replaceWith(await part(more.dataset.more));
    document.dispatchEvent(new Event("files"));
  }
});

// Whoever is faster than this script would press in vain.
for (const button of document.querySelectorAll("[data-sign-out], [data-keys]")) button.disabled = false;

document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// -- keys -----------------------------------------------------------------------------------------

const SEARCH = "[data-search], input[type=search]";

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeMenu(event);
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest(WRITING) || document.querySelector("dialog[open]")) return;
  if (event.key === "?") showKeys();
  else if (event.key === "/" && search()) {
    search().focus();
    search().select?.();
  } else return;
  event.preventDefault();
});

function search() {
  return [...document.querySelectorAll(SEARCH)].find((field) => field.checkVisibility());
}

function showKeys() {
  const dialog = document.querySelector("#keys");
  document.querySelector("[data-menu]").open = false;
  dialog.querySelector("[data-key-search]").hidden = !search();
  dialog.showModal();
}

function closeMenu(event) {
  const menu = event.target.closest("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
}

// -- the connection -------------------------------------------------------------------------------

let offline = null;
addEventListener("offline", () => { offline ||= toast(t("base.offline"), { error: true }); });
addEventListener("online", () => {
  offline?.();
  offline = null;
});

// -- pictures -------------------------------------------------------------------------------------

// A thumbnail is made a moment after its file has arrived: ask again a few times.
document.addEventListener("error", (event) => retry(event.target), true);
for (const image of document.querySelectorAll("img[data-retry]")) {
  if (image.complete && !image.naturalWidth) retry(image);
}

function retry(image) {
  if (!(image instanceof HTMLImageElement) || image.dataset.retry === undefined) return;
  const tries = Number(image.dataset.retry || 0) + 1;
  image.classList.add("missing");
  if (tries > 8) return;
  image.dataset.retry = tries;
  const address = image.src.split("?")[0];
  setTimeout(() => {
    image.addEventListener("load", () => image.classList.remove("missing"), { once: true });
    image.src = `${address}?try=${tries}`;
  }, 300 * 2 ** Math.min(tries, 5));
}
