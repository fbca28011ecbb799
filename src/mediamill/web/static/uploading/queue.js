// The files that are to be sent, and in which state each is. A few are under way; what breaks goes on by itself.
import { Problem, call } from "../api.js";
import { t } from "../texts.js";
import { Entry } from "./entry.js";
import { fateOf, patience, readable } from "./fate.js";
import { drop, unfinished } from "./kept.js";
import { Ways } from "./ways.js";

const AT_ONCE = 4; // of the six connections that browsers open to a host, some are left to the page
const BATCH = 250; // entries that are made without letting the page breathe
const LOOK = 1000; // milliseconds
const LATEST = 3; // files that are ready are known for a while
const STATES = ["waiting", "sending", "checking", "paused", "refused", "unfinished", "ready"];

export class Queue {
  // `changed` is called after each change, often.
  constructor(changed) {
    this.changed = changed;
    this.by = Object.fromEntries(STATES.map((state) => [state, new Set()]));
    this.first = new Set(); // of those that wait: begun before the others
    this.keys = new Map();
    this.hold = null; // why nothing is begun: `{ why: "connection" | "later" | "halt" | "paused", until, reason }`
    this.breaks = 0;
    this.reset();
    this.ways = new Ways(this);
    addEventListener("online", () => this.hold?.why === "connection" && this.release());
    addEventListener("beforeunload", (event) => this.busy && event.preventDefault());
  }

  get busy() {
    const { waiting, sending, paused } = this.by;
    return waiting.size + sending.size + paused.size > 0;
  }

  // Sums since all was quiet last; `ready` counts files, `there` those of them that were here before.
  reset() {
    this.sum = { files: 0, bytes: 0, sent: 0, ready: 0, there: 0 };
    this.by.ready.clear();
  }

  async add(files, options) {
    if (!this.busy && !this.by.checking.size && !this.by.refused.size) this.reset();
    for (let n = 0; n < files.length; n += BATCH) {
      for (const file of files.slice(n, n + BATCH)) this.one(file, options);
      this.pump();
      await new Promise((resolve) => { setTimeout(resolve); });
    }
  }

  // A file that is on its way already goes once; one that was begun before, or was refused, goes on.
  one(file, options) {
    const key = Entry.keyOf(file, options);
    const before = this.keys.get(key);
    if (before && !["unfinished", "refused"].includes(before.state)) return;
    const entry = before || Entry.chosen(key, file, options);
    if (before) entry.take(file, options);
    this.count(entry, 1);
    this.keys.set(key, entry);
    if (before) this.first.add(entry);
    this.to(entry, "waiting");
  }

  count(entry, sign) {
    this.sum.files += sign;
    this.sum.bytes += sign * entry.size;
    this.sum.sent += sign * entry.sent;
  }

  // Shows what was begun before the page was loaded, as far as it is still there for who is signed in.
  async recall() {
    for (const record of unfinished()) {
      const upload = await call("GET", record.address).catch(() => null);
      if (upload && upload.state !== "receiving") drop(record.key);
      if (upload?.state !== "receiving" || this.keys.has(record.key)) continue;
      const entry = Entry.recalled(record, upload.direct ? 0 : upload.offset);
      this.keys.set(record.key, entry);
      this.to(entry, "unfinished");
    }
  }

  to(entry, state) {
    this.by[entry.state]?.delete(entry);
    entry.state = state;
    this.by[state]?.add(entry);
    this.changed();
  }

  pump() {
    while (!this.hold && this.by.sending.size < AT_ONCE) {
      const [next] = this.first.size ? this.first : this.by.waiting;
      if (!next) return;
      this.first.delete(next);
      this.to(next, "sending");
      this.ways.start(next).catch((problem) => this.broke(next, problem));
    }
  }

  // -- what the ways tell ------------------------------------------------------------------------

  progress(entry, bytes) {
    if (entry.state !== "sending") return;
    this.sum.sent += bytes - entry.sent;
    entry.sent = bytes;
    if (bytes) this.breaks = 0;
    this.changed();
  }

  async through(entry, outcome) {
    this.progress(entry, entry.size);
    this.to(entry, "checking");
    this.pump();
    let file;
    try {
      file = await this.settled(entry, outcome);
    } catch (problem) {
      if (entry.state === "checking") this.refuse(entry, problem);
    }
    if (!file || entry.state !== "checking") return;
    const sent = entry.file;
    this.keys.delete(entry.key);
    this.sum.ready += 1;
    entry.there = Boolean(file.duplicate);
    if (entry.there) this.sum.there += 1;
    entry.file = null; // its bytes are not wanted any more
    this.to(entry, "ready");
    if (this.by.ready.size > LATEST) this.by.ready.delete(this.by.ready.values().next().value);
    entry.done(file, sent);
    document.dispatchEvent(new CustomEvent("mediamill:file", { detail: { file } }));
  }

  // The file once it was checked; raises why it was rejected.
  async settled(entry, { file, address }) {
    for (;;) {
      if (file?.state === "ready") return file;
      if (file?.state === "rejected") throw new Problem(422, { detail: file.error, code: file.code });
      if (file) await this.pause();
      try {
        const now = await call("GET", file ? `/v1/files/${file.id}` : address);
        entry.reason = now.for_workers ? t("uploads.for_workers") : "";
        if (now.id.startsWith("file_")) file = now;
        else if (now.file) file = await call("GET", `/v1/files/${now.file}`);
        else if (now.state === "rejected") throw new Problem(422, { detail: now.error, code: now.code });
        else await this.pause();
      } catch (problem) {
        if (problem.status && problem.status < 500 && problem.status !== 429) throw problem;
        await this.pause(2);
      }
    }
  }

  // Many that are checked at once are not asked for all at once.
  pause(times = 1) {
    this.changed();
    return new Promise((resolve) => { setTimeout(resolve, times * Math.max(LOOK, 250 * this.by.checking.size)); });
  }

  async broke(entry, problem) {
    const fate = fateOf(problem, entry.troubles);
    if (fate === "refused" || (entry.file && !await readable(entry.file))) {
      this.refuse(entry, fate === "refused" ? problem : { message: t("uploads.unreadable") });
      return;
    }
    if (problem.status) entry.troubles += 1;
    if (entry.state === "sending") {
      this.to(entry, "waiting");
      this.first.add(entry);
    }
    this.wait(fate, problem);
  }

  refuse(entry, { message }) {
    drop(entry.key);
    this.count(entry, -1);
    entry.reason = message;
    entry.sent = 0;
    this.to(entry, "refused");
    this.pump();
  }

  // -- holding on, and going on ------------------------------------------------------------------

  wait(fate, { message, wait }) {
    if (this.hold && ["halt", "paused"].includes(this.hold.why)) return;
    if (fate === "halt") {
      this.halt({ why: "halt", reason: message });
      return;
    }
    if (this.hold && fate !== "later") return; // all that were under way break at once
    this.breaks += 1;
    const milliseconds = fate === "later" ? 1000 * Math.max(wait, 1) : patience(this.breaks - 1);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.release(), milliseconds);
    this.hold = { why: fate, until: Date.now() + milliseconds };
    this.changed();
  }

  halt(hold) {
    clearTimeout(this.timer);
    this.hold = hold;
    for (const entry of [...this.by.sending]) this.stop(entry, "waiting");
    this.changed();
  }

  release() {
    clearTimeout(this.timer);
    this.hold = null;
    this.changed();
    this.pump();
  }

  stop(entry, state) {
    const sending = entry.state === "sending";
    this.to(entry, state);
    if (sending) this.ways.pause(entry);
    if (state === "waiting") this.first.add(entry);
    else this.first.delete(entry);
  }

  // -- what people do ----------------------------------------------------------------------------

  pauseAll() {
    this.halt({ why: "paused" });
  }

  pauseOne(entry) {
    this.stop(entry, "paused");
    this.pump();
  }

  resume(entry) {
    this.first.add(entry);
    this.to(entry, "waiting");
    this.pump();
  }

  retry(entries) {
    for (const entry of entries) {
      entry.troubles = 0;
      entry.again();
      this.count(entry, 1);
      this.to(entry, "waiting");
    }
    this.pump();
  }

  // Shows nothing more of what is not on its way.
  clear() {
    for (const entry of [...this.by.refused, ...this.by.unfinished]) {
      this.keys.delete(entry.key);
      this.to(entry, "gone");
    }
    this.reset();
  }

  // Gives files up: those on their way, and those that were refused.
  remove(entries) {
    for (const entry of entries) {
      if (!["refused", "unfinished", "ready"].includes(entry.state)) this.count(entry, -1);
      this.ways.remove(entry);
      this.keys.delete(entry.key);
      this.first.delete(entry);
      this.to(entry, "gone");
    }
    this.pump();
  }
}
