// The account's page: which section one is at, and which mails somebody wants.
import { call, clearProblem, showProblem } from "./api.js";
import { t } from "./texts.js";

// -- where one is -------------------------------------------------------------------------------------

const links = [...document.querySelectorAll(".sections a[href^='#']")];
const seen = new Set();
const watch = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) seen[isIntersecting ? "add" : "delete"](target.id);
  const here = links.find((link) => seen.has(link.hash.slice(1)));
  if (here) mark(here);
}, { rootMargin: "0px 0px -60% 0px" });
for (const link of links) watch.observe(document.getElementById(link.hash.slice(1)));
addEventListener("hashchange", () => mark(links.find((link) => link.hash === location.hash)));

function mark(here) {
  if (!here || here.hasAttribute("aria-current")) return;
  for (const link of links) link.removeAttribute("aria-current");
  here.setAttribute("aria-current", "true");
  const line = here.parentElement;
  line.scrollTo({ left: here.offsetLeft - line.offsetLeft - 16 });
}

// -- mails --------------------------------------------------------------------------------------------

const form = document.getElementById("notifications");
const saved = document.getElementById("saved");

if (form) form.querySelector("button").disabled = false; // whoever is faster would press in vain
form?.addEventListener("change", () => { saved.textContent = ""; });
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearProblem(form);
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    await call("PATCH", "/v1/me/notifications", { email: Object.fromEntries(new FormData(form)) });
    saved.textContent = t("words.saved");
  } catch (problem) {
    showProblem(form, problem, "email.");
  } finally {
    button.disabled = false;
  }
});
