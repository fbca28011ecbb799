// What a job made, as sheets: one for each archive of pictures, one for all pictures that stand alone.
import { call } from "../api.js";
import { Picks } from "./picks.js";
import { Sheet } from "./sheet.js";
import { Archive, Pictures, isArchive, isPicture } from "./sources.js";
import { t } from "../texts.js";

const PAGE = 20;
const MANY = 100; // results at once, where they are pictures

export class Results {
  constructor(job, place, more) {
    Object.assign(this, { path: `/v1/jobs/${job}/results`, place, button: more, sheets: [] });
    this.picks = new Picks(this.sheets);
    more.firstElementChild.addEventListener("click", () => this.more());
    this.clear();
  }

  clear() {
    this.place.replaceChildren();
    this.sheets.length = 0;
    Object.assign(this, { after: "", pictures: null, asking: null });
    this.button.hidden = true;
    this.picks.changed();
  }

  // Read some more results; whoever asks meanwhile waits for the same.
  more() {
    this.asking ||= this.read().finally(() => { this.asking = null; });
    return this.asking;
  }

  async read() {
    if (this.after === null) return;
    const limit = this.pictures ? MANY : PAGE;
    const page = await call("GET", `${this.path}?limit=${limit}${this.after && `&after=${encodeURIComponent(this.after)}`}`);
    this.after = page.has_more ? page.after : null;
    for (const result of page.data) await this.show(result);
    if (this.pictures) {
      this.pictures.whole = this.after === null;
      this.pictures.changed();
    }
    this.button.hidden = this.after === null || this.pictures !== null;
  }

  async show(result) {
    for (const file of result.files.filter(isArchive)) {
      const count = file.info.frames ?? (await call("GET", `/v1/files/${file.id}/members?limit=1`)).count;
      this.add(new Sheet(new Archive(file.id, count), { title: result.path || result.name, bytes: file.size, note: cutOff(result.report) }));
    }
    if (!result.files.some(isPicture)) return;
    if (!this.pictures) {
      this.pictures = new Pictures(() => this.more());
      this.add(new Sheet(this.pictures, { title: t("job.results") }));
    }
    this.pictures.add(result);
  }

  add(sheet) {
    this.place.append(sheet.element);
    this.sheets.push(sheet);
    sheet.begin(() => this.picks.changed());
  }
}

const cutOff = (report) => (report.truncated ? t("job.cut_off", { seconds: (report.last_good_time || 0).toFixed(1) }) : "");
