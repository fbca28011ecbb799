// The list that a file was opened from, so that its page leads to the one before and the one after.
const KEY = "mediamill.order";
const MOST = 20_000;

export function keep(query, ids) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ query, ids: ids.slice(0, MOST) }));
  } catch { /* more than the browser keeps: the page of a file leads nowhere then */ }
}

// The ids beside one, undefined where there is none, and the query that the list was asked by.
export function around(id) {
  const { query = "", ids = [] } = JSON.parse(sessionStorage.getItem(KEY) || "{}");
  const at = ids.indexOf(id);
  return at < 0 ? { query, at } : { query, at, count: ids.length, before: ids[at - 1], after: ids[at + 1] };
}

// One is gone: the others close up. Returns a function that puts it back.
export function drop(id) {
  const { query = "", ids = [] } = JSON.parse(sessionStorage.getItem(KEY) || "{}");
  keep(query, ids.filter((one) => one !== id));
  return () => keep(query, ids);
}
