// The files of a list as a source for a grid: the ids of all of them at once, the rest of what is in sight.
import { call } from "../api.js";

const AT_ONCE = 100; // files that are shown by one request
const ASKING = 2; // requests at a time
const PAUSE = 40; // milliseconds of a drag between two looks at what is in sight
const FIRST = 60; // files of the first view
const EAGER = 20_000; // ids that are read without being asked for
const HELD = 3_000; // files that are kept in memory
const CHECK = [1_500, 30_000]; // milliseconds until what is still coming in is looked at again: at first, at most

// It, or its picture.
function comingIn(file) {
  return file && (["receiving", "checking"].includes(file.state) || file.thumbnail === "coming");
}

export class Files {
  // `query` gives the conditions as `URLSearchParams`. `changed` hears of news; `failed` tells a problem,
  // and returns a function that takes the telling away.
  constructor(query) {
    Object.assign(this, { query, ids: [], places: new Map(), items: new Map(), after: "", round: 0, changed: () => {}, failed: () => () => {} });
    Object.assign(this, { asking: 0, range: [0, 0], gone: new Set(), leaving: new Set(), patience: CHECK[0], passing: [], wait: CHECK[0] });
    addEventListener("online", () => this.again());
  }

  get count() {
    return this.ids.length;
  }

  get whole() {
    return this.after === null;
  }

  id(n) {
    return this.ids[n];
  }

  item(n) {
    return this.items.get(this.ids[n]);
  }

  place(id) {
    return this.places.get(id);
  }

  // The place of the first of some, Infinity if none of them is known.
  first(ids) {
    return ids.reduce((least, id) => Math.min(least, this.place(id) ?? Infinity), Infinity);
  }

  // Begin anew; `least` ids are there when it is done, if there are so many.
  async reload(least = 0) {
    this.round += 1;
    const { round } = this;
    this.after = "";
    this.gone = new Set(this.leaving);
    const [view, ids] = await Promise.all([this.asked("", { limit: FIRST }), this.asked("/ids")]);
    if (round !== this.round) return;
    for (const file of view.data) this.items.set(file.id, file);
    Object.assign(this, { ids: [], places: new Map() });
    this.answered();
    this.take(ids);
    while (round === this.round && !this.whole && this.count < least) await this.further();
    if (round === this.round) this.read();
  }

  asked(what, more = {}) {
    const asked = new URLSearchParams(this.query());
    for (const [name, value] of Object.entries(more)) asked.set(name, value);
    return call("GET", `/v1/files${what}?${asked}`);
  }

  take(page) {
    const fresh = page.data.filter((id) => !this.gone.has(id) && !this.places.has(id));
    this.ids.push(...fresh);
    this.after = page.has_more ? page.after : null;
    this.number();
  }

  number() {
    this.places = new Map(this.ids.map((id, n) => [id, n]));
    this.changed();
  }

  // Whoever wants more while it is on its way waits for the same.
  async further() {
    this.step ||= this.onward().finally(() => { this.step = null; });
    await this.step;
  }

  async onward() {
    const { round } = this;
    const page = await this.asked("/ids", { after: this.after });
    if (round === this.round) this.take(page);
  }

  // All ids, some after the first have been shown.
  async read(most = EAGER) {
    const { round } = this;
    try {
      while (round === this.round && !this.whole && this.count < most) await this.further();
    } catch (problem) {
      if (round === this.round) this.unanswered(problem);
    }
  }

  // All ids; raises `Problem`.
  async rest() {
    const { round } = this;
    while (round === this.round && !this.whole) await this.further();
  }

  // -- what is in sight ------------------------------------------------------------------------------

  want(first, last) {
    this.range = [first, last];
    if (!this.whole && this.count >= EAGER && last > this.count - 2_000 && !this.reading && !this.resting) {
      this.reading = this.read(this.count + EAGER).finally(() => { this.reading = null; });
    }
    this.timer ||= setTimeout(() => {
      this.timer = null;
      this.show();
    }, PAUSE);
  }

  show() {
    const [first, last] = this.range;
    const wanted = this.ids.slice(first, last);
    this.watch(wanted);
    const missing = wanted.filter((id) => !this.items.has(id) && !this.coming?.has(id)).slice(0, AT_ONCE);
    if (!missing.length || this.asking >= ASKING || this.resting) return;
    this.coming = new Set([...(this.coming || []), ...missing]);
    this.asking += 1;
    this.learn(missing).catch((problem) => this.unanswered(problem)).finally(() => {
      this.asking -= 1;
      for (const id of missing) this.coming.delete(id);
      this.show();
    });
  }

  // What is not there any more leaves the list.
  async learn(ids) {
    const { round } = this;
    const { data } = await this.asked("", { ids: ids.join(",") });
    if (round !== this.round) return;
    this.answered();
    for (const file of data) {
      this.items.delete(file.id); // so that it counts as new
      this.items.set(file.id, file);
    }
    const there = new Set(data.map((file) => file.id));
    const absent = ids.filter((id) => !there.has(id));
    if (absent.length) this.remove(absent);
    for (const id of this.items.keys()) {
      if (this.items.size <= HELD) break;
      this.items.delete(id);
    }
    this.changed();
  }

  // What is still coming in is looked at again: the longer nothing comes of it, the seldomer.
  watch(ids) {
    const passing = ids.filter((id) => comingIn(this.items.get(id))).slice(0, AT_ONCE);
    if (passing.join() !== this.passing.join()) this.patience = CHECK[0];
    this.passing = passing;
    const due = Date.now() + this.patience;
    if (!passing.length || (this.watching && this.due <= due)) return;
    clearTimeout(this.watching);
    this.due = due;
    this.watching = setTimeout(() => this.look(), this.patience);
  }

  look() {
    this.watching = null;
    this.patience = Math.min(this.patience * 1.5, CHECK[1]);
    if (!this.passing.length) return;
    if (document.hidden || this.resting) this.show();
    else this.learn(this.passing).catch((problem) => this.unanswered(problem)).finally(() => this.show());
  }

  // -- while the service does not answer ------------------------------------------------------------

  // It is told once, and asked again a while later, the longer it lasts the seldomer, or once the connection is back.
  unanswered(problem) {
    if (this.resting) return;
    this.told ||= this.failed(problem);
    this.resting = setTimeout(() => this.again(), this.wait);
    this.wait = Math.min(this.wait * 1.5, CHECK[1]);
  }

  answered() {
    this.told?.();
    Object.assign(this, { told: null, wait: CHECK[0] });
  }

  again() {
    if (!this.resting) return;
    clearTimeout(this.resting);
    this.resting = null;
    if (!this.whole && this.count < EAGER) this.read();
    this.show();
  }

  // -- changes ---------------------------------------------------------------------------------------

  add(file) {
    this.items.set(file.id, file);
    this.gone.delete(file.id);
    if (this.places.has(file.id)) this.changed();
    else {
      this.ids.unshift(file.id);
      this.number();
    }
  }

  // They are on their way out, until `moving` has settled it, and do not come back with a new reading.
  leave(ids, moving) {
    for (const id of ids) this.leaving.add(id);
    moving.finally(() => {
      for (const id of ids) this.leaving.delete(id);
    });
    this.remove(ids);
  }

  remove(ids) {
    const gone = new Set(ids);
    for (const id of gone) this.gone.add(id);
    this.ids = this.ids.filter((id) => !gone.has(id));
    this.number();
  }

  // All of what is said of some files, in no order; each is asked for if it is not known.
  async known(ids) {
    const found = ids.filter((id) => this.items.has(id)).map((id) => this.items.get(id));
    const others = ids.filter((id) => !this.items.has(id));
    for (let n = 0; n < others.length; n += AT_ONCE) {
      found.push(...(await this.asked("", { ids: others.slice(n, n + AT_ONCE).join(",") })).data);
    }
    return found;
  }
}
