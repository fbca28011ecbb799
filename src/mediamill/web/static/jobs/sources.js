// Where the pictures of a sheet come from: the members of an archive, or the results of a job.
import { call } from "../api.js";

const PAGE = 100;
const INLINE = new Set(["image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"]);
const PICTURE = /\.(jpe?g|png|webp|gif|avif)$/i;
const FRAME = /(?:^|\/)frame-\d+-(\d{1,12})(?:-\d+)?\.\w+$/;

export const isPicture = (file) => INLINE.has(file.media_type);
export const isArchive = (file) => file.media_type === "application/zip";

// Where a page shows the content of a file: its policy lets pictures come from this service alone, not
// from a bucket to which it would be led.
export const shownAt = (url) => `${url}?direct=false`;

// What a grid asks of its source, where a picture is called by its place.
class Source {
  constructor(more) {
    Object.assign(this, { items: [], changed: () => {}, ...more });
  }

  id(n) {
    return String(n);
  }

  item(n) {
    return this.items[n];
  }

  place(id) {
    return id === null ? undefined : Number(id);
  }
}

// Members stand in the archive's order, so that any place can be asked for without those before it.
export class Archive extends Source {
  constructor(file, count) {
    super({ file, count, whole: true, pages: new Map() });
  }

  want(first, last) {
    for (let page = Math.floor(first / PAGE); page * PAGE < last; page += 1) this.page(page).catch(() => {});
  }

  // The item of a place, once it is known.
  async at(n) {
    await this.page(Math.floor(n / PAGE));
    return this.items[n];
  }

  page(n) {
    if (!this.pages.has(n)) {
      const asked = this.read(n);
      asked.catch(() => this.pages.delete(n)); // the next look asks again
      this.pages.set(n, asked);
    }
    return this.pages.get(n);
  }

  async read(n) {
    const { data } = await call("GET", `/v1/files/${this.file}/members?limit=${PAGE}&after=${n * PAGE}`);
    for (const [at, { path, size, url }] of data.entries()) {
      const place = n * PAGE + at;
      const time = FRAME.exec(path);
      if (place < this.count) this.items[place] = { path, name: path, size, url, shown: url, picture: PICTURE.test(path), time: time ? Number(time[1]) / 1000 : null };
    }
    this.changed();
  }
}

// Pictures that are results of their own come as the results are read.
export class Pictures extends Source {
  constructor(more) {
    super({ more, whole: false });
  }

  get count() {
    return this.items.length;
  }

  want(_, last) {
    if (last >= this.count - PAGE / 2 && !this.whole) this.more().catch(() => {});
  }

  async at(n) {
    if (n >= this.count && !this.whole) await this.more();
    return this.items[n];
  }

  add(result) {
    for (const file of result.files.filter(isPicture)) {
      const { id, name, size, url } = file;
      this.items.push({ file: id, name, size, url, shown: shownAt(url), picture: true, time: null, input: result.path ? "" : result.input });
    }
  }
}
