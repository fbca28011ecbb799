// Do something for a place a moment later, once, however often it is asked for meanwhile: only the
// latest counts. Asking on goes on while an answer is awaited, and is answered after it.
import { Problem } from "./api.js";

const rounds = new WeakMap();

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
      await action();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (!state.next) failed(problem);
    }
  }
  state.busy = false;
  place.removeAttribute("aria-busy");
}
