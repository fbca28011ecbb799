// What is chosen in a list of very many: one by one, a range from the one before, or all.

export class Choice {
  constructor(source, changed) {
    Object.assign(this, { source, changed, ids: new Set(), base: new Set(), anchor: null });
  }

  get size() {
    return this.ids.size;
  }

  has(id) {
    return this.ids.has(id);
  }

  // Chosen ones in the order of the list; those that a filter hides come last.
  get list() {
    const place = (id) => this.source.place(id) ?? Infinity;
    return [...this.ids].sort((a, b) => place(a) - place(b));
  }

  toggle(n, on = !this.ids.has(this.source.id(n))) {
    const id = this.source.id(n);
    if (on) this.ids.add(id);
    else this.ids.delete(id);
    this.from(id);
    this.changed();
  }

  // Ranges begin there from now on.
  from(id) {
    this.anchor = id;
    this.base = new Set(this.ids);
  }

  // From where one began to here, instead of the range that was drawn from there before.
  extend(n, on = true) {
    const begin = this.source.place(this.anchor) ?? n;
    if (this.anchor === null) this.from(this.source.id(n));
    this.ids = new Set(this.base);
    for (let at = Math.min(begin, n); at <= Math.max(begin, n); at += 1) {
      if (on) this.ids.add(this.source.id(at));
      else this.ids.delete(this.source.id(at));
    }
    this.changed();
  }

  all() {
    for (let n = 0; n < this.source.count; n += 1) this.ids.add(this.source.id(n));
    this.changed();
  }

  without(ids) {
    for (const id of ids) this.ids.delete(id);
    this.base = new Set(this.ids);
    this.changed();
  }

  clear() {
    this.ids.clear();
    this.base.clear();
    this.anchor = null;
    this.changed();
  }
}
