// The bar of what was picked on the sheets: use it in a new job, download it, copy its times.
import { copied } from "../clipboard.js";
import { tried } from "../dataset.js";
import { t } from "../texts.js";
import { toast } from "../toast.js";
import { zipped } from "../zip.js";

const IN_ADDRESS = 50; // as many as the address of the form of new jobs takes
const MOST_MEMBERS = 500; // of an archive that a job names one by one
const MOST_BYTES = 200_000_000; // that are put together here, in memory
const AT_ONCE = 6;

const bar = document.getElementById("picked");
const count = document.getElementById("picked-count");

export class Picks {
  constructor(sheets) {
    this.sheets = sheets; // those of the page, also of later
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
    const items = await this.all();
    if (items.reduce((sum, item) => sum + item.size, 0) > MOST_BYTES) {
      toast(t("job.too_many_to_zip"), { error: true });
      return;
    }
    const files = [];
    for (let at = 0; at < items.length; at += AT_ONCE) files.push(...await Promise.all(items.slice(at, at + AT_ONCE).map(read)));
    const zip = await zipped(files, `${t("job.zip_name")}.zip`, namer());
    const link = document.createElement("a");
    link.href = URL.createObjectURL(zip);
    link.download = zip.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
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

// Gives each file a name of its own: those of the same name come from several videos.
function namer() {
  const taken = new Map();
  return ({ name }) => {
    const before = taken.get(name) || 0;
    taken.set(name, before + 1);
    return before ? name.replace(/(\.\w+)?$/, `-${before + 1}$1`) : name;
  };
}

async function read(item) {
  const answer = await fetch(item.url);
  if (!answer.ok) throw new Error(`${answer.status} ${item.name}`);
  return new File([await answer.blob()], item.name);
}
