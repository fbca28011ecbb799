// What a health check found: advice, duplicates, leaks, broken files, classes, and how numbers spread.
import { call } from "./api.js";
import { asked } from "./asking.js";
import { histogram, short, stacked, table } from "./charts.js";
import { made, many, tried } from "./dataset.js";
import { t } from "./texts.js";

const SHOWN = 20; // groups, each of as many pictures
const WORDS = { rms: "(RMS)", michelson: "(Michelson)", snr: "SNR,", mean: "mean," };

// The report of a job and its files; null where there is none.
export async function reported(job) {
  const { data } = await call("GET", `/v1/jobs/${job}/results?limit=100`);
  const row = data.find((one) => one.files.some((file) => file.name === "health.json"));
  if (!row) return { report: null, why: data.find((one) => one.error)?.error };
  const file = (name) => row.files.find((one) => one.name === name);
  const link = (name, text) => made("a", { class: "button", href: file(name).url, download: "" }, text);
  const report = await call("GET", `${file("health.json").url}?direct=false`);
  return { report, links: [link("health.json", "JSON"), link("health.parquet", "Parquet")] };
}

export function summed({ summary }) {
  const { files, images, broken, exact_duplicates: exact, near_duplicates: near } = summary;
  return `${many(files, "file")}, ${many(images, "image")}: ${broken} broken, ${many(exact, "exact duplicate")}, ${many(near, "near-duplicate")}.`;
}

// Cards for a report. Its pictures lead to their project, if they are of one; what can be thrown away
// there is offered where `fail` says what went wrong.
export class Report {
  constructor(project = "", fail = null) {
    Object.assign(this, { project, fail, removed: new Set() });
  }

  cards(report) {
    return [
      advice(report.advice), this.groups(report), this.leaks(report.leaks), brokenFiles(report.broken), classes(report.classes), this.spread(report.measures), counts(report.counts),
    ].filter(Boolean);
  }

  picture(one, ...more) {
    const at = !this.project || one.path || one.time !== undefined ? null : `/projects/${this.project}/annotate/${one.file}`;
    const image = made("img", { src: `/v1/files/${one.file}/thumbnail`, alt: "", loading: "lazy", "data-retry": "" });
    const frame = at ? made("a", { href: at, "aria-label": one.name }, image) : image;
    const caption = made("figcaption", {}, one.path || one.name, one.split ? ` · ${one.split}` : "", ...more.filter((each) => typeof each === "string"));
    return made("figure", { "data-file": one.file }, frame, caption, ...more.filter((each) => typeof each !== "string"));
  }

  group(found, keep) {
    const shown = found.images.filter((one) => !this.removed.has(one.file));
    const line = made("div", { class: "group" });
    const head = made("p", { class: "muted" }, `${many(shown.length, "image")}, ${likeness(found)}${found.splits ? `, in ${found.splits.join(" and ")}` : ""}`);
    const pictures = made("div", { class: "frames" }, ...shown.slice(0, SHOWN).map((one) => {
      const button = keep && made("button", { type: "button", class: "quiet", "aria-label": `Keep ${one.name}, remove the others` }, "Keep this one");
      if (button) button.addEventListener("click", () => this.others(button, line, shown, one));
      return this.picture(one, ...(button ? [button] : []));
    }));
    line.append(head, pictures);
    return shown.length > 1 ? line : null;
  }

  async others(button, line, shown, kept) {
    const files = [...new Set(shown.map((one) => one.file))].filter((file) => file !== kept.file);
    await tried(button, async () => {
      const question = t("projects.keep_one", { name: kept.name, count: files.length });
      if (!await asked(question, t("projects.remove_told"), t("projects.remove_it"))) return;
      for (let n = 0; n < files.length; n += 1000) await call("DELETE", `/v1/projects/${this.project}/files`, { files: files.slice(n, n + 1000) });
      for (const file of files) this.removed.add(file);
      const told = made("p", { class: "muted", role: "status" }, `${kept.name} is kept, ${many(files.length, "other")} removed from the project.`);
      line.replaceChildren(told);
    }, this.fail);
  }

  groups({ duplicates }) {
    const found = [...duplicates.exact, ...duplicates.near];
    if (!found.length) return null;
    const apart = (one) => new Set(one.images.map((image) => image.file)).size > 1;
    return card("Duplicates", ...some(found, (one) => this.group(one, this.fail && apart(one))));
  }

  leaks(list) {
    if (!list.length) return null;
    const kinds = new Set(list.map((one) => one.kind));
    const kept = [kinds.has("group") && "groups", (kinds.has("near") || kinds.has("exact")) && "near-duplicates"].filter(Boolean).join(" and ");
    const way = made("p", {}, "What a model is measured by is among what it learns from. ", this.project ? made("a", { href: `/projects/${this.project}/split` }, "Split anew") : "Split anew", `, without leaving images where they are, keeping ${kept} together.`);
    return card("Leaks between splits", way, ...some(list, (one) => this.group(one, false)));
  }

  spread(measures) {
    const known = Object.entries(measures).filter(([, one]) => one.count);
    return card("How the images are", made("div", { class: "charts" }, ...known.map(([name, one]) => this.measure(name, one))));
  }

  measure(name, one) {
    const words = name.split("_").map((word) => WORDS[word] || word).join(" ");
    const title = words[0].toUpperCase() + words.slice(1);
    const { count, images } = one.outliers;
    const far = count ? [made("details", {}, made("summary", {}, many(count, "outlier")),
      made("div", { class: "frames" }, ...images.slice(0, SHOWN).map((each) => this.picture(each, ` · ${short(each.value)}`))))] : [made("p", { class: "help" }, "No outliers.")];
    const rows = Object.entries(one.quantiles).map(([part, value]) => [`${Number(part) * 100} %`, short(value)]);
    const numbers = made("details", {}, made("summary", {}, "Numbers"), table(title, ["Of the images are below", "this"], [...rows, ["mean", short(one.mean)], ["standard deviation", short(one.std)]]));
    return made("div", { class: "measure" }, made("h3", {}, title), made("p", { class: "help" }, one.description), histogram(title, one), ...far, numbers);
  }
}

function card(title, ...children) {
  const name = `title-${title.toLowerCase().replaceAll(/\W+/g, "-")}`;
  return made("section", { class: "card", "aria-labelledby": name }, made("h2", { id: name }, title), ...children);
}

export function advice(list) {
  if (!list.length) return card("Advice", made("p", {}, "Nothing to mend was found."));
  return card("Advice", made("ul", { class: "advice" }, ...list.map((one) => made("li", { class: one.severity }, made("strong", {}, one.severity), made("span", {}, one.text)))));
}

function likeness({ kind, group: name, similarity }) {
  if (kind === "group") return `of the group ${name}`;
  return similarity === 1 ? "the same" : `alike by ${short(similarity)}`;
}

// The first groups, and more of them by a button.
function some(list, render) {
  const place = made("div", {});
  let at = 0;
  const more = made("button", { type: "button" }, "Show more");
  const add = () => {
    for (const end = Math.min(at + SHOWN, list.length); at < end; at += 1) {
      const one = render(list[at]);
      if (one) place.append(one);
    }
    if (at >= list.length) more.remove();
  };
  more.addEventListener("click", add);
  add();
  return at < list.length ? [place, more] : [place];
}

function brokenFiles(list) {
  if (!list.length) return null;
  return card("Broken files", made("ul", { class: "failures" }, ...list.slice(0, 100).map((one) => made("li", {}, made("strong", {}, one.path || one.name), made("span", {}, one.message)))));
}

function classes(found) {
  if (!found) return null;
  const parts = (splits) => ["train", "validation", "test"].map((split) => ({ name: split, kind: split, value: splits[split] || 0 }));
  const rows = found.classes.slice(0, 50).map((one) => stacked(one.name, parts(one.splits)));
  const told = `${many(found.images.annotated, "image")} annotated, ${found.images.without} not; ${many(found.objects, "object")}${found.imbalance > 1 ? `, the most frequent class ${short(found.imbalance)} times the rarest` : ""}.`;
  return card("Class balance", made("p", { class: "muted" }, told), made("div", { class: "bars" }, ...rows));
}

function counts(found) {
  const rows = Object.entries(found).map(([what, values]) => [what, Object.entries(values).map(([name, n]) => `${name || "none"}: ${n.toLocaleString("en")}`).join(", ")]);
  return card("Kinds", table("", ["By", "Images"], rows));
}
