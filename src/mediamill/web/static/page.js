// What every signed-in page does: sign out, show more of a list, and the tab one is on.
import { call, part } from "./api.js";

document.addEventListener("click", async (event) => {
  if (event.target.closest("[data-sign-out]")) {
    await call("POST", "/v1/auth/logout").catch(() => {});
    location.assign("/signin?left");
  }
  const more = event.target.closest("[data-more]");
  if (more) {
    more.disabled = true;
    const line = more.closest(".more");
    line.replaceWith(await part(more.dataset.more));
    document.dispatchEvent(new Event("files"));
  }
});

// Whoever is faster than this script would press in vain.
for (const button of document.querySelectorAll("[data-sign-out]")) button.disabled = false;

document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

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
