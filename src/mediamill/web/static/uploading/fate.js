// What becomes of a file after an answer that was none to be glad of.

const MOST_TROUBLES = 6;
const SHORTEST = 1000;
const LONGEST = 30_000;

// `again`: in a moment. `connection`: once there is one. `later`: all wait for as long as the server asks.
// `halt`: all wait for a person. `refused`: this file is not taken.
export function fateOf({ status, code, wait }, troubles) {
  if (status === 0) return "connection";
  if (status === 507 || status === 401 || code === "quota_exceeded" || code === "second_factor_needed") return "halt";
  if (status === 429 || (status === 503 && wait)) return "later";
  if ([408, 409, 423, 425, 460].includes(status) || status >= 500) return troubles < MOST_TROUBLES ? "again" : "refused";
  return "refused";
}

// Milliseconds until the next try: twice as many each time, and not the same for all browsers.
export function patience(tries) {
  return Math.min(LONGEST, SHORTEST * 2 ** Math.min(tries, 6)) * (0.5 + Math.random() / 2);
}

// Whether a file can still be read: it may have been changed, moved or taken away with its disk.
export function readable(file) {
  return file.slice(0, 1).arrayBuffer().then(() => true, () => false);
}
