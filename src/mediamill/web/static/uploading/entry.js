// One file on its way.
import { pathOf } from "../dropping.js";
import { keep } from "./kept.js";

export class Entry {
  // `file` is null of an upload that was begun before the page was loaded anew.
  constructor(key, name, size, file = null, { project = "", tags = () => [], done = () => {} } = {}) {
    Object.assign(this, { key, name, size, file, project, done, tags: file ? tags(file) : [] });
    Object.assign(this, { state: "", sent: 0, troubles: 0, begun: 0, reason: "", way: "", id: "", address: "", once: crypto.getRandomValues(new Uint32Array(4)).join("-") });
  }

  static keyOf(file, { project = "" } = {}) {
    return [pathOf(file), file.size, file.lastModified, project].join("|");
  }

  static chosen(key, file, options) {
    return new Entry(key, file.name, file.size, file, options);
  }

  // An upload of which only the record is known; choosing its file again goes on with it.
  static recalled({ key, name, size, once }, sent) {
    return Object.assign(new Entry(key, name, size), { once, sent });
  }

  take(file, { project = "", tags = () => [], done = () => {} }) {
    Object.assign(this, { file, project, done, tags: tags(file), troubles: 0 });
  }

  keep(way, address) {
    keep(this.key, { name: this.name, size: this.size, once: this.once, way, address });
  }

  // From the beginning, as another upload.
  again() {
    Object.assign(this, { sent: 0, once: crypto.getRandomValues(new Uint32Array(4)).join("-") });
  }
}
