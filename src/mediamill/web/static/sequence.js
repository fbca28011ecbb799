// The pictures of a project in the order in which its page showed them, from one to the next.
import { call } from "./api.js";

const key = (project) => `mediamill-order-${project}`;

export function remember(project, query, ids, after) {
  try {
    sessionStorage.setItem(key(project), JSON.stringify({ query, ids, after }));
  } catch { /* too many for what the browser keeps: the order is asked for again */ }
}

export class Sequence {
  constructor(project) {
    this.project = project;
    const kept = JSON.parse(sessionStorage.getItem(key(project)) || "null");
    Object.assign(this, kept || { query: "", ids: [], after: "" });
  }

  // After "" nothing was asked yet, after null there is no more.
  async more() {
    if (this.after === null) return false;
    const cursor = this.after ? `&after=${encodeURIComponent(this.after)}` : "";
    const page = await call("GET", `/v1/projects/${this.project}/files?limit=100${this.query}${cursor}`);
    this.ids.push(...page.data.map((file) => file.id));
    this.after = page.after || null;
    return true;
  }

  // The one so many places on; undefined where there is none.
  async from(id, step) {
    if (!this.ids.includes(id) && this.query) Object.assign(this, { query: "", ids: [], after: "" });
    let at = this.ids.indexOf(id);
    for (; at < 0 && await this.more(); at = this.ids.indexOf(id));
    if (at < 0) return undefined;
    while (at + step >= this.ids.length && await this.more());
    return this.ids[at + step];
  }
}
