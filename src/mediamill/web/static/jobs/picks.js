// The bar of what was picked on the sheets: use it in a new job, download it, put it into a project, copy its times.
import { bundled } from "../bundle.js";
import { copied } from "../clipboard.js";
import { tried } from "../dataset.js";
import { joining } from "../files/joining.js";
import { t } from "../texts.js";
import { toast } from "../toast.js";
import { put } from "./putting.js";

const IN_ADDRESS = 50; // as many as the address of the form of new jobs takes
const MOST_MEMBERS = 500; // of an archive that a job names one by one

const bar = document.getElementById("picked");
const count = document.getElementById("picked-count");

export class Picks {
  constructor(sheets) {
    this.sheets = sheets; // those of the page, also of later
    joining({ into: (project) => put(this.chosen, (sheet) => this.items(sheet), project) });
    bar.addEventListener("click", ({ target }) => {
      const act = target.closest("[data-pick]")?.dataset.pick;
      if (act) tried(target, () => this[act](), (problem) => toast(problem.message, { error: true }));
    });
  }

  get chosen() {
    return this.sheets.filter((sheet) => sheet.grid.choice.size);
  }

  changed() {
    const picked = this.chosen.reduce((sum, sheet) => sum + sheet.grid.choice.size, 0);
    bar.hidden = !picked;
    const text = picked ? t("job.picked", { count: picked }) : "";
    if (count.textContent !== text) count.textContent = text;
    const archives = this.chosen.filter((sheet) => sheet.source.file);
    bar.querySelector('[data-pick="times"]').hidden = !archives.some((sheet) => sheet.source.items.some((item) => item?.time !== null));
  }

  // What is picked on a sheet, also what was not in sight yet.
  async items(sheet) {
    const places = sheet.grid.choice.list.map((id) => sheet.source.place(id));
    return Promise.all(places.map((n) => sheet.source.at(n)));
  }

  async all() {
    return (await Promise.all(this.chosen.map((sheet) => this.items(sheet)))).flat();
  }

  async use() {
    const [first, ...others] = this.chosen;
    const archives = this.chosen.some((sheet) => sheet.source.file);
    if (archives && others.length) toast(t("job.one_archive"), { error: true });
    else if (archives) await this.members(first);
    else this.files((await this.items(first)).map((item) => item.file));
  }

  // All of an archive need no names. A few stand in the address, many in what the tab keeps.
  async members(sheet) {
    const { choice } = sheet.grid;
    const address = new URLSearchParams({ archive: sheet.source.file });
    const all = choice.size === sheet.source.count;
    if (!all && choice.size > MOST_MEMBERS) {
      toast(t("job.too_many_members", { count: MOST_MEMBERS }), { error: true });
      return;
    }
    const paths = all ? [] : (await this.items(sheet)).map((item) => item.path);
    if (paths.length > IN_ADDRESS) {
      sessionStorage.setItem("mediamill.members", JSON.stringify(paths));
      address.set("picked", "1");
    } else for (const path of paths) address.append("members", path);
    location.assign(`/jobs/new?${address}`);
  }

  files(ids) {
    const many = ids.length > IN_ADDRESS;
    if (many) sessionStorage.setItem("mediamill.selection", JSON.stringify(ids));
    location.assign(`/jobs/new?${new URLSearchParams(many ? { selection: "1" } : { files: ids.join(",") })}`);
  }

  async zip() {
    const items = (await this.all()).map(({ name, size, shown }) => ({ name, size, url: shown }));
    if (!await bundled(items, t("job.zip_name"))) toast(t("job.too_many_to_zip"), { error: true });
  }

  async times() {
    const items = await this.all();
    const parameters = { mode: "timestamps", at: items.filter((item) => item.time !== null).map((item) => item.time) };
    if (await copied(JSON.stringify(parameters))) toast(t("job.times_copied"));
    else toast(t("job.not_copied"), { error: true });
  }

  clear() {
    for (const sheet of this.chosen) sheet.grid.choice.clear();
  }
}
