// A project’s images, some at a time, and rows of them of which one is chosen.
import { call } from "./api.js";
import { made, tried } from "./dataset.js";
import { t } from "./texts.js";

const AT_ONCE = 16;

export class Images {
  constructor(project) {
    Object.assign(this, { project, list: [], after: "", rows: [] });
  }

  // Those without a thumbnail cannot be shown.
  async more() {
    const cursor = this.after ? `&after=${encodeURIComponent(this.after)}` : "";
    const page = await call("GET", `/v1/projects/${this.project}/files?subset=original&limit=${AT_ONCE}${cursor}`);
    const fresh = page.data.filter((one) => one.links.thumbnail);
    this.after = page.after || null;
    this.list.push(...fresh);
    for (const row of this.rows) row(fresh);
  }

  named(id) {
    return this.list.find((one) => one.id === id);
  }

  // Fill a group with radio buttons of a name, and a button for more at its end.
  choose(place, name, failed) {
    const more = made("button", { type: "button", class: "quiet more-images" }, t("process.more_images"));
    more.addEventListener("click", () => tried(more, () => this.more(), failed));
    const row = (fresh) => {
      more.before(...fresh.map((one) => choice(name, one)));
      more.hidden = this.after === null;
    };
    place.replaceChildren(more);
    row(this.list);
    this.rows.push(row);
  }
}

function choice(name, { id, name: called, links }) {
  return made("div", {}, made("label", { title: called },
    made("input", { type: "radio", name, value: id, "aria-label": called }),
    made("img", { src: links.thumbnail, alt: "", loading: "lazy", "data-retry": "" })));
}
