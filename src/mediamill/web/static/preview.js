// Previews come as data URLs, which the page's policy does not show; and only the latest counts.
import { Problem } from "./api.js";

export function pictured(address) {
  const bytes = Uint8Array.from(atob(address.slice(address.indexOf(",") + 1)), (letter) => letter.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
}

const rounds = new WeakMap();

// Do something for a place a moment later, once, however often it is asked for meanwhile.
export function latest(place, action, failed) {
  const state = rounds.get(place) || { busy: false, next: null };
  rounds.set(place, state);
  state.next = { action, failed };
  if (state.busy) return;
  state.busy = true;
  work(place, state);
}

async function work(place, state) {
  place.setAttribute("aria-busy", "true");
  await new Promise((resolve) => setTimeout(resolve, 60));
  while (state.next) {
    const { action, failed } = state.next;
    state.next = null;
    try {
      await action(() => true);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (!state.next) failed(problem);
    }
  }
  state.busy = false;
  place.removeAttribute("aria-busy");
}
