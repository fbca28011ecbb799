// A source for a grid that learns of its things page by page, each when the end of the one before is near.
import { call } from "./api.js";

const PAGE = 100;
const KEPT = 300; // so many are asked for again at once, when it begins anew

export class Paged {
  // `address` gives the list’s address with its conditions, to which `limit` and `after` are added.
  constructor(address) {
    Object.assign(this, { address, items: [], places: new Map(), after: "", asking: false, round: 0, changed: () => {} });
  }

  get count() {
    return this.items.length;
  }

  get whole() {
    return this.after === null;
  }

  id(n) {
    return this.items[n].id;
  }

  item(n) {
    return this.items[n];
  }

  place(id) {
    return this.places.get(id);
  }

  // Begin anew, such as with another filter.
  async reload() {
    this.round += 1;
    const { round } = this;
    const keep = Math.min(this.count, KEPT);
    Object.assign(this, { after: "", asking: true }); // what is wanted meanwhile is asked for here
    const fresh = [];
    try {
      do fresh.push(...await this.page()); while (round === this.round && !this.whole && fresh.length < keep);
    } finally {
      if (round === this.round) this.asking = false;
    }
    if (round !== this.round) return;
    Object.assign(this, { items: [], places: new Map() });
    this.append(fresh);
  }

  want(_, last) {
    if (last < this.count - 50 || this.asking || this.whole) return;
    const { round } = this;
    this.asking = true;
    this.page().then((found) => {
      if (round === this.round) this.append(found);
    }).catch(() => {}).finally(() => {
      if (round === this.round) this.asking = false;
    });
  }

  async page() {
    const { round } = this;
    const cursor = this.after ? `&after=${encodeURIComponent(this.after)}` : "";
    const page = await call("GET", `${this.address()}&limit=${PAGE}${cursor}`);
    if (round !== this.round) return [];
    this.after = page.has_more ? page.after : null;
    return page.data;
  }

  append(found) {
    for (const item of found) this.places.set(item.id, this.items.push(item) - 1);
    this.changed();
  }
}
