// What a job made, as sheets: one for each archive of pictures, one for all pictures that stand alone.
import { call } from "../api.js";
import { tried } from "../dataset.js";
import { Picks } from "./picks.js";
import { Sheet } from "./sheet.js";
import { Archive, Pictures, isArchive, isPicture } from "./sources.js";
import { t } from "../texts.js";
import { toast } from "../toast.js";

const PAGE = 20;
const MANY = 100; // results at once, where they are pictures

export class Results {
  constructor(job, place, more) {
    Object.assign(this, { path: `/v1/jobs/${job}/results`, place, button: more, sheets: [], round: 0 });
    this.picks = new Picks(this.sheets);
    more.firstElementChild.addEventListener("click", ({ currentTarget }) => {
      tried(currentTarget, () => this.more(), (problem) => toast(problem.message, { error: true }));
    });
    this.clear();
  }

  clear() {
    this.round += 1;
    for (const sheet of this.sheets.splice(0)) sheet.end();
    Object.assign(this, { after: "", pictures: null, asking: null });
    this.button.hidden = true;
    this.picks.changed();
  }

  // Read some more results; whoever asks meanwhile waits for the same. What could not be read can be
  // asked for again by the button.
  more() {
    if (this.asking) return this.asking;
    const { round } = this;
    const asked = this.read(round).catch((problem) => {
      if (round === this.round) this.button.hidden = false;
      throw problem;
    }).finally(() => { if (this.asking === asked) this.asking = null; });
    this.asking = asked;
    return asked;
  }

  // What was asked before the job was run again is of no use after that.
  async read(round) {
    if (this.after === null) return;
    const limit = this.pictures ? MANY : PAGE;
    const page = await call("GET", `${this.path}?limit=${limit}${this.after && `&after=${encodeURIComponent(this.after)}`}`);
    const shown = [];
    for (const result of page.data) shown.push([result, await archives(result)]);
    if (round !== this.round) return;
    this.after = page.has_more ? page.after : null;
    for (const [result, found] of shown) this.show(result, found);
    if (this.pictures) {
      this.pictures.whole = this.after === null;
      this.pictures.changed();
    }
    this.button.hidden = this.after === null || this.pictures !== null;
  }

  show(result, found) {
    for (const [file, count] of found) {
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

// The archives of a result, each with how many members it has.
async function archives({ files }) {
  const found = [];
  for (const file of files.filter(isArchive)) {
    found.push([file, file.info.frames ?? (await call("GET", `/v1/files/${file.id}/members?limit=1`)).count]);
  }
  return found;
}

const cutOff = (report) => (report.truncated ? t("job.cut_off", { seconds: (report.last_good_time || 0).toFixed(1) }) : "");
