// Many small files as one zip, put together in the memory of the browser.
import { Problem } from "./api.js";
import { t } from "./texts.js";
import { zipped } from "./zip.js";

const MOST_BYTES = 200_000_000;
const AT_ONCE = 6;

// Of items with `name`, `size` and `url`; false where they are too many bytes. Raises `Problem`.
export async function bundled(items, name) {
  if (items.reduce((sum, item) => sum + item.size, 0) > MOST_BYTES) return false;
  const files = [];
  for (let at = 0; at < items.length; at += AT_ONCE) files.push(...await Promise.all(items.slice(at, at + AT_ONCE).map(read)));
  const zip = await zipped(files, `${name}.zip`, namer());
  const address = URL.createObjectURL(zip);
  fetched(address, zip.name);
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  return true;
}

// As a click on a link to a download.
export function fetched(address, name = "") {
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
}

// Gives each file a name of its own, where several have the same.
function namer() {
  const taken = new Map();
  return ({ name }) => {
    const before = taken.get(name) || 0;
    taken.set(name, before + 1);
    return before ? name.replace(/(\.\w+)?$/, `-${before + 1}$1`) : name;
  };
}

async function read(item) {
  const answer = await fetch(item.url).catch(() => { throw new Problem(0, { detail: t("base.no_answer") }); });
  if (!answer.ok) throw new Problem(answer.status, { detail: `${answer.status} ${item.name}` });
  const content = await answer.blob().catch(() => { throw new Problem(0, { detail: t("base.no_answer") }); });
  return new File([content], item.name);
}
