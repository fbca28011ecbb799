// The files of what was dropped or chosen: those in folders too, however deep, and where each stood.
import { t } from "./texts.js";
import { toast } from "./toast.js";

const places = new WeakMap();
const order = new Intl.Collator("en", { numeric: true }); // made once: thousands of names are compared

// Its path from the folder that was dropped on, `photos/train/cat.jpg`; of a single file its name.
export function pathOf(file) {
  return places.get(file) || file.webkitRelativePath || file.name;
}

// A tag that says where a file stood, by which annotations find it: as `mediamill files put` has it.
export function placed(file) {
  const folder = pathOf(file).split("/").slice(0, -1).join("/").replaceAll(/[,\p{C}]/gu, "_");
  return folder ? [`folder:${folder.slice(-93)}`] : [];
}

// What cannot be read, as a link to nothing, is told of and keeps nothing else out.
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const found = [];
  let missed = 0;
  for (const entry of entries) missed += await gather(entry, found);
  if (missed) toast(t("uploads.unread", { count: missed }), { error: true });
  return found;
}

// Without what systems hide in folders, in the order of their paths.
export function shown(files) {
  const kept = [...files].filter((file) => !pathOf(file).split("/").some((part) => part.startsWith(".") || part === "__MACOSX"));
  return kept.sort((a, b) => order.compare(pathOf(a), pathOf(b)));
}

// What is dropped on a place, or chosen by inputs, goes to `take`; what is over the place is seen by its class.
export function receive(place, inputs, take) {
  for (const kind of ["dragenter", "dragover"]) {
    place.addEventListener(kind, (event) => {
      event.preventDefault();
      place.classList.add("over");
    });
  }
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", async (event) => {
    event.preventDefault();
    place.classList.remove("over");
    take(await dropped(event.dataTransfer));
  });
  for (const input of inputs) {
    input.addEventListener("change", () => {
      const files = [...input.files];
      input.value = "";
      take(files);
    });
  }
}

// Adds the files of an entry, and returns how many files and folders could not be read.
async function gather(entry, found) {
  if (entry.name.startsWith(".")) return 0;
  let missed = 0;
  try {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => { entry.file(resolve, reject); });
      places.set(file, entry.fullPath.slice(1));
      found.push(file);
      return 0;
    }
    const reader = entry.createReader();
    for (;;) { // a reader gives a hundred at a time, and none at the end
      const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
      if (!some.length) return missed;
      for (const each of some) missed += await gather(each, found);
    }
  } catch {
    return missed + 1;
  }
}
