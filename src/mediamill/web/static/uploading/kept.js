// What was begun and is not through, so that it can go on after the page was left or loaded anew. The server keeps
// the bytes for a day; only addresses are kept here, and whoever may not see an upload is not told of it.

const PREFIX = "mediamill.upload.";
const LIFE = 24 * 3600 * 1000;

export function keep(key, record) {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify({ ...record, begun: Date.now() }));
  } catch { // there is no room, or none is given: it goes on for as long as the page is there
  }
}

export function kept(key) {
  return read(PREFIX + key);
}

export function drop(key) {
  try {
    localStorage.removeItem(PREFIX + key);
  } catch { // there was none
  }
}

// All that may still be gone on with, as `{ key, name, size, way, address }`.
export function unfinished() {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(PREFIX)).flatMap((name) => {
      const record = read(name);
      if (record && Date.now() - record.begun < LIFE) return [{ ...record, key: name.slice(PREFIX.length) }];
      localStorage.removeItem(name);
      return [];
    });
  } catch {
    return [];
  }
}

function read(name) {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
}
