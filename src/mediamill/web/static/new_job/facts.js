// What is known of files, asked for a few at a time, and how a file looks in a small space.
import { call } from "../api.js";
import { made } from "../dataset.js";

const SIDE_BY_SIDE = 6;

export class Facts {
  constructor() {
    Object.assign(this, { known: new Map(), asked: new Map(), waiting: [], busy: 0 });
  }

  note(file) {
    this.known.set(file.id, file);
    this.asked.set(file.id, Promise.resolve(file));
  }

  // The file, or null where it is not there any more.
  of(id) {
    if (!this.asked.has(id)) this.asked.set(id, new Promise((told) => { this.waiting.push([id, told]); }));
    this.work();
    return this.asked.get(id);
  }

  async work() {
    if (this.busy === SIDE_BY_SIDE || !this.waiting.length) return;
    this.busy += 1;
    const [id, told] = this.waiting.shift();
    const file = await call("GET", `/v1/files/${encodeURIComponent(id)}`).catch(() => null);
    if (file) this.known.set(id, file);
    told(file);
    this.busy -= 1;
    this.work();
  }
}

export function face(file) {
  const kind = (file.name.split(".").pop() || "").slice(0, 5).toUpperCase();
  if (!file.links.thumbnail) return made("span", { class: "face", "aria-hidden": "true" }, kind);
  return made("span", { class: "face" }, made("img", { src: file.links.thumbnail, alt: "", loading: "lazy", "data-retry": "" }));
}
