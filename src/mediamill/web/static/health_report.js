// What a health check found: advice, duplicates, leaks, broken files, classes, and how numbers spread.
import { call } from "./api.js";
import { asked } from "./asking.js";
import { histogram, short, stacked, table } from "./charts.js";
import { made, tried } from "./dataset.js";
import { t } from "./texts.js";

const SHOWN = 20; // groups, each of as many pictures

// The report of a job and its files; null where there is none.
export async function reported(job) {
  const { data } = await call("GET", `/v1/jobs/${job}/results?limit=100`);
  const row = data.find((one) => one.files.some((file) => file.name === "health.json"));
  if (!row) return { report: null, why: data.find((one) => one.error)?.error };
  const file = (name) => row.files.find((one) => one.name === name);
  const link = (name, text) => made("a", { class: "button", href: file(name).url, download: "" }, text);
  const report = await call("GET", `${file("health.json").url}?direct=false`);
  return { report, links: [link("health.json", t("health.as_json")), link("health.parquet", t("health.as_parquet"))] };
}

export function summed({ summary }) {
  const { files, images, broken, exact_duplicates: exact, near_duplicates: near } = summary;
  return [
    t("words.files", { count: files }), t("words.images", { count: images }), t("health.broken_count", { n: broken }), t("health.exact", { count: exact }), t("health.near", { count: near }),
  ].join(" · ");
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
    const caption = made("figcaption", {}, one.path || one.name, one.split ? ` · ${t("project.split", { which: one.split })}` : "", ...more.filter((each) => typeof each === "string"));
    return made("figure", { "data-file": one.file }, frame, caption, ...more.filter((each) => typeof each !== "string"));
  }

  group(found, keep) {
    const shown = found.images.filter((one) => !this.removed.has(one.file));
    const line = made("div", { class: "group" });
    const splits = found.splits && t("health.in_splits", { splits: found.splits.map((which) => t("project.split", { which })).join(", ") });
    const head = made("p", { class: "muted" }, [t("words.images", { count: shown.length }), likeness(found), splits].filter(Boolean).join(" · "));
    const pictures = made("div", { class: "frames" }, ...shown.slice(0, SHOWN).map((one) => {
      const button = keep && made("button", { type: "button", class: "quiet", "aria-label": t("health.keep_one", { name: one.name }) }, t("health.keep"));
      if (button) button.addEventListener("click", () => this.others(button, line, shown, one));
      return this.picture(one, ...(button ? [button] : []));
    }));
    line.append(head, pictures);
    return shown.length > 1 ? line : null;
  }

  async others(button, line, shown, kept) {
    const files = [...new Set(shown.map((one) => one.file))].filter((file) => file !== kept.file);
    await tried(button, async () => {
      const question = t("health.keep_title", { name: kept.name, count: files.length });
      if (!await asked(question, t("project.remove_told"), t("project.remove_it"))) return;
      for (let n = 0; n < files.length; n += 1000) await call("DELETE", `/v1/projects/${this.project}/files`, { files: files.slice(n, n + 1000) });
      for (const file of files) this.removed.add(file);
      const told = made("p", { class: "muted", role: "status" }, t("health.kept", { name: kept.name, count: files.length }));
      line.replaceChildren(told);
    }, this.fail);
  }

  groups({ duplicates }) {
    const found = [...duplicates.exact, ...duplicates.near];
    if (!found.length) return null;
    const apart = (one) => new Set(one.images.map((image) => image.file)).size > 1;
    return card(t("health.duplicates"), ...some(found, (one) => this.group(one, this.fail && apart(one))));
  }

  leaks(list) {
    if (!list.length) return null;
    const kinds = new Set(list.map((one) => one.kind));
    const which = !kinds.has("group") ? "likeness" : kinds.size === 1 ? "groups" : "both";
    const way = made("p", {}, t("health.leaks_told", { which }));
    if (this.project) way.append(" ", made("a", { href: `/projects/${this.project}/split` }, t("health.leaks_split")));
    return card(t("health.leaks"), way, ...some(list, (one) => this.group(one, false)));
  }

  spread(measures) {
    const known = Object.entries(measures).filter(([, one]) => one.count);
    return card(t("health.spread"), made("div", { class: "charts" }, ...known.map(([name, one]) => this.measure(name, one))));
  }

  measure(name, one) {
    const title = t("health.measure", { which: name });
    const { count, images } = one.outliers;
    const far = count ? [made("details", {}, made("summary", {}, t("health.outliers", { count })),
      made("div", { class: "frames" }, ...images.slice(0, SHOWN).map((each) => this.picture(each, ` · ${short(each.value)}`))))] : [made("p", { class: "help" }, t("health.no_outliers"))];
    const rows = Object.entries(one.quantiles).map(([part, value]) => [`${Number(part) * 100} %`, short(value)]);
    const numbers = made("details", {}, made("summary", {}, t("health.numbers")), table(title, [t("health.numbers_below"), t("health.numbers_this")], [...rows, [t("health.mean"), short(one.mean)], [t("health.deviation"), short(one.std)]]));
    return made("div", { class: "measure" }, made("h3", {}, title), made("p", { class: "help" }, one.description), histogram(title, one), ...far, numbers);
  }
}

function card(title, ...children) {
  const name = `title-${title.toLowerCase().replaceAll(/\W+/g, "-")}`;
  return made("section", { class: "card", "aria-labelledby": name }, made("h2", { id: name }, title), ...children);
}

export function advice(list) {
  if (!list.length) return card(t("health.advice"), made("p", {}, t("health.no_advice")));
  return card(t("health.advice"), made("ul", { class: "advice" }, ...list.map((one) => made("li", { class: one.severity }, made("strong", {}, t("health.severity", { which: one.severity })), made("span", {}, one.text)))));
}

function likeness({ kind, group: name, similarity }) {
  if (kind === "group") return t("health.likeness_group", { name });
  return similarity === 1 ? t("health.likeness_same") : t("health.likeness", { similarity: short(similarity) });
}

// The first groups, and more of them by a button.
function some(list, render) {
  const place = made("div", {});
  let at = 0;
  const more = made("button", { type: "button" }, t("words.show_more"));
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
  return card(t("health.broken"), made("ul", { class: "failures" }, ...list.slice(0, 100).map((one) => made("li", {}, made("strong", {}, one.path || one.name), made("span", {}, one.message)))));
}

function classes(found) {
  if (!found) return null;
  const parts = (splits) => ["train", "validation", "test"].map((split) => ({ name: t("project.split", { which: split }), kind: split, value: splits[split] || 0 }));
  const rows = found.classes.slice(0, 50).map((one) => stacked(one.name, parts(one.splits)));
  const { annotated, without } = found.images;
  const told = [t("health.annotated", { count: annotated }), t("health.not_annotated", { n: without }), t("health.objects", { count: found.objects })];
  if (found.imbalance > 1) told.push(t("health.imbalance", { times: short(found.imbalance) }));
  return card(t("health.balance"), made("p", { class: "muted" }, told.join(" · ")), made("div", { class: "bars" }, ...rows));
}

function counts(found) {
  const rows = Object.entries(found).map(([what, values]) => [t("health.kind", { which: what }), Object.entries(values).map(([name, n]) => `${name || t("health.none")}: ${n.toLocaleString("en")}`).join(", ")]);
  return card(t("health.kinds"), table("", [t("health.kinds_by"), t("health.kinds_images")], rows));
}
