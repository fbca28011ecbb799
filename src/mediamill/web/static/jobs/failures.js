// The first items that failed, with the reason and what to do, above all else on the page of a job.
import { call } from "../api.js";
import { made } from "../dataset.js";
import { hint } from "./hints.js";
import { t } from "../texts.js";

const SHOWN = 5;
const card = document.getElementById("failed");
const list = document.getElementById("failures");
let round = 0;

// Settles, always, once they are listed.
export function failures(job, items, changed) {
  if (!changed) return Promise.resolve();
  round += 1;
  card.hidden = !job.counts.failed;
  if (!card.hidden) return come(job, items, round).catch(() => {});
  list.replaceChildren();
  return Promise.resolve();
}

async function come(job, items, mine) {
  const page = await call("GET", `/v1/jobs/${job.id}/items?state=failed&limit=${SHOWN}`);
  if (mine !== round) return;
  list.replaceChildren(...page.data.map(line));
  const more = document.getElementById("more-failed");
  more.hidden = !page.has_more;
  more.firstElementChild.onclick = () => items.show("failed");
}

function line(item) {
  return made("li", {},
    made("strong", {}, item.path || item.name),
    made("span", {}, item.error, " ", made("code", { class: "muted" }, item.code)),
    made("span", { class: "muted" }, hint(item)));
}

export const failed = (item) => made("div", { class: "reason" },
  made("span", { class: "error" }, item.error), made("span", { class: "muted" }, `${hint(item)} `, made("code", { title: t("job.code") }, item.code)));
