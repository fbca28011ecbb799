// All that is drawn on one picture, with every step back and forth, and what it was when it was read.

const KEPT = 200;

export class Drawing {
  constructor(answer) {
    this.read(answer);
  }

  read(answer) {
    this.size = { width: answer.width, height: answer.height };
    this.revision = answer.revision;
    this.now = { annotations: answer.annotations.map(keyed), labels: answer.labels };
    this.base = this.now;
    this.past = [];
    this.future = [];
    this.ids = new Map();
  }

  get dirty() {
    const { add, change, remove, labels } = this.changes();
    return Boolean(add.length || change.length || remove.length || labels);
  }

  // What differs from what was read.
  changes() {
    const before = new Map(this.base.annotations.map((one) => [one.key, one]));
    const here = new Set(this.now.annotations.map((one) => one.key));
    return {
      add: this.now.annotations.filter((one) => !before.has(one.key)),
      change: this.now.annotations.filter((one) => before.has(one.key) && differs(one, before.get(one.key))),
      remove: this.base.annotations.filter((one) => !here.has(one.key)).map((one) => one.id),
      labels: differs(this.now.labels, this.base.labels) ? this.now.labels : null,
    };
  }

  find(key) {
    return this.now.annotations.find((one) => one.key === key);
  }

  // One step; those of the same name right after each other are one, such as moves by arrow keys.
  change(next, name = "") {
    if (!(name && name === this.last)) this.past.push(this.now);
    if (this.past.length > KEPT) this.past.shift();
    this.last = name;
    this.now = { ...this.now, ...next };
    this.future = [];
  }

  add(one) {
    const made = keyed(one);
    this.change({ annotations: [...this.now.annotations, made] });
    return made.key;
  }

  replace(key, next, name) {
    const annotations = this.now.annotations.flatMap((one) => (one.key === key ? next ? [{ ...next, key }] : [] : [one]));
    this.change({ annotations }, name);
  }

  undo() {
    this.step(this.past, this.future);
  }

  redo() {
    this.step(this.future, this.past);
  }

  step(from, to) {
    if (!from.length) return;
    to.push(this.now);
    const { annotations, labels } = from.pop(); // what was new then may have an id by now
    this.now = { labels, annotations: annotations.map((one) => (one.id === null && this.ids.has(one.key) ? { ...one, id: this.ids.get(one.key) } : one)) };
    this.last = "";
  }

  // The changes in requests of a size that the service takes.
  batches() {
    const { add, change, remove, labels } = this.changes();
    const found = [{ add: [], change: [], remove: [], labels }];
    let [count, members, bytes] = [0, 0, 0];
    for (const [kind, one] of [...remove.map((id) => ["remove", id]), ...change.map((each) => ["change", each]), ...add.map((each) => ["add", each])]) {
      const text = JSON.stringify(one);
      count += 1;
      members += text.split('":').length;
      bytes += text.length;
      if (count > 400 || members > 4000 || bytes > 300000) {
        found.push({ add: [], change: [], remove: [], labels: null });
        [count, members, bytes] = [1, text.split('":').length, text.length];
      }
      found.at(-1)[kind].push(one);
    }
    return found;
  }

  get tag() {
    return { "If-Match": `"a${this.revision}"` };
  }

  // A batch is stored: what was new has an id; what was changed since, and steps back, stay.
  saved(batch, answer) {
    this.revision = answer.revision;
    const stored = new Map(answer.annotations.map((one) => [one.id, one]));
    const added = batch.add.length ? answer.annotations.slice(-batch.add.length) : [];
    const fresh = new Map(batch.change.map((one) => [one.key, keyed(stored.get(one.id), one.key)]));
    batch.add.forEach((one, n) => {
      fresh.set(one.key, keyed(added[n], one.key));
      this.ids.set(one.key, added[n].id);
    });
    const [sent, gone] = [new Set([...batch.add, ...batch.change]), new Set(batch.remove)];
    const kept = this.base.annotations.filter((one) => !gone.has(one.id)).map((one) => fresh.get(one.key) || one);
    const annotations = [...kept, ...batch.add.map((one) => fresh.get(one.key))];
    this.base = { annotations, labels: batch.labels ? answer.labels : this.base.labels };
    const ours = (one) => (sent.has(one) ? fresh.get(one.key) : fresh.has(one.key) ? { ...one, id: fresh.get(one.key).id } : one);
    this.now = { ...this.now, annotations: this.now.annotations.map(ours) };
    this.last = "";
  }

  // What others have stored is what ours differs from, from now on.
  rebase(theirs) {
    const names = new Map([...this.base.annotations, ...this.now.annotations].map((one) => [one.id, one.key]));
    names.delete(null);
    this.revision = theirs.revision;
    this.base = { annotations: theirs.annotations.map((one) => keyed(one, names.get(one.id))), labels: theirs.labels };
  }

  // Theirs, with what was changed here since both were the same.
  combine(theirs) {
    const { now: mine, base: was } = this;
    this.rebase(theirs);
    const before = new Map(was.annotations.map((one) => [one.key, one]));
    const here = new Map(mine.annotations.map((one) => [one.key, one]));
    const there = new Set(this.base.annotations.map((one) => one.key));
    const touched = (key) => !before.has(key) || differs(here.get(key), before.get(key));
    const kept = this.base.annotations.flatMap((one) => {
      if (!before.has(one.key)) return [one];
      if (!here.has(one.key)) return [];
      return [touched(one.key) ? here.get(one.key) : one];
    });
    const ours = mine.annotations.filter((one) => !there.has(one.key) && touched(one.key));
    const gone = was.labels.filter((label) => !mine.labels.includes(label));
    const added = mine.labels.filter((label) => !was.labels.includes(label));
    const labels = [...new Set([...theirs.labels, ...added])].filter((label) => !gone.includes(label));
    this.change({ annotations: [...kept, ...ours.map((one) => ({ ...one, id: null }))], labels });
  }
}

// A batch as the service reads it.
export function body({ add, change, remove, labels }) {
  const plain = ({ key, ...one }) => one;
  const fresh = ({ key, id, ...one }) => (id === null ? one : { id, ...one });
  return { add: add.map(fresh), change: change.map(plain), remove, ...(labels && { labels }) };
}

function differs(one, other) {
  return one !== other && JSON.stringify(one) !== JSON.stringify(other);
}

let count = 0;

// A name of its own on this page: what is new has no id yet.
function keyed(one, key) {
  count += 1;
  return { ...one, key: key || `shape-${count}` };
}
