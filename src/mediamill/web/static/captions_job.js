// What was said of a job's pictures, on the page of the job.
import { call } from "./api.js";
import { card, listen } from "./captioned.js";

const SHOWN = 24;
const place = document.getElementById("said");
const list = document.getElementById("cards");
const state = document.getElementById("state");

async function come() {
  const page = await call("GET", `/v1/captions?job=${place.dataset.job}&limit=${SHOWN}`);
  const there = new Set([...list.children].map((one) => one.dataset.caption));
  for (const [n, row] of page.data.entries()) {
    if (!there.has(row.id)) list.insertBefore(card(row, ["copy"]), list.children[n] || null);
  }
  place.hidden = !page.data.length;
  document.getElementById("more-said").hidden = !page.has_more;
}

listen(list);
come().catch(() => {});
new MutationObserver(() => come().catch(() => {})).observe(state, { childList: true });
