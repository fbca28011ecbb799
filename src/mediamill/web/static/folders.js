// What folders say of the images in them: the split, and the class. The same as of a zip’s members.
import { Problem, call } from "./api.js";
import { ended } from "./dataset.js";
import { pathOf } from "./dropping.js";

const SPLITS = { train: "train", training: "train", val: "validation", valid: "validation", validation: "validation", test: "test", testing: "test" };
const KEEPING = new Set(["images", "image", "jpegimages", "data", "img", "imgs", "photos"]);
const DESCRIBING = /\.(json|xml|ya?ml|txt|jsonl|csv|md)$/i;
const AT_ONCE = 1000; // members of one move
const PAUSE = 500;

const splitCalled = (name) => SPLITS[name.toLowerCase().replace(/\d+$/, "")] || "";

// Whether a file describes images, rather than being one.
export const describes = (file) => DESCRIBING.test(file.name);

// The split and the class that a path says, empty for none; of several folders the nearest to the file.
export function read(path, meaning) {
  if (meaning === "none") return { split: "", label: "" };
  const folders = path.split("/").slice(0, -1).reverse();
  const split = folders.map(splitCalled).find(Boolean) || "";
  const label = folders.find((name) => !splitCalled(name) && !KEEPING.has(name.toLowerCase())) || "";
  return { split, label: meaning === "split-and-class" ? label.slice(0, 200) : "" };
}

// Puts files that have come into the splits of their folders, many at a time, and labels them.
export class Placing {
  constructor(project, settled, failed) {
    Object.assign(this, { home: `/v1/projects/${project}`, project, settled, failed, waiting: {}, classes: null, making: new Map(), timer: 0 });
  }

  async take(id, file, meaning) {
    const { split, label } = read(pathOf(file), meaning);
    if (split) (this.waiting[split] ||= []).push(id);
    this.timer ||= setTimeout(() => this.move(), PAUSE);
    if (label) await this.label(id, label).catch(this.failed);
  }

  async move() {
    const moves = this.waiting;
    this.waiting = {};
    try {
      for (const [split, files] of Object.entries(moves)) {
        for (let n = 0; n < files.length; n += AT_ONCE) {
          await ended(this.project, await call("PATCH", `${this.home}/files`, { files: files.slice(n, n + AT_ONCE), set: { split } }));
        }
      }
    } catch (problem) {
      this.failed(problem);
    }
    this.timer = Object.keys(this.waiting).length ? setTimeout(() => this.move(), PAUSE) : 0;
    this.settled();
  }

  async label(id, name) {
    if (!this.making.has(name)) this.making.set(name, this.make(name));
    await this.making.get(name);
    await call("PATCH", `${this.home}/files/${id}/annotations`, { labels: [name] });
  }

  // A class that is there already is as good.
  async make(name) {
    this.classes ||= call("GET", `${this.home}/classes`).then(({ data }) => new Set(data.map((one) => one.name)));
    if ((await this.classes).has(name)) return;
    await call("POST", `${this.home}/classes`, { name }).catch((problem) => {
      if (!(problem instanceof Problem) || problem.status !== 409) throw problem;
    });
  }
}
