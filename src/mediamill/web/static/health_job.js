// The charts of a health check on its job's page, whatever images it looked at.
import { made } from "./dataset.js";
import { Report, reported, summed } from "./health_report.js";

const place = document.getElementById("report");
const state = document.getElementById("state");

async function come() {
  const { report } = await reported(place.dataset.job);
  if (report) place.replaceChildren(made("p", { class: "muted" }, summed(report)), ...new Report(place.dataset.project).cards(report));
}

come().catch(() => {});
new MutationObserver(() => come().catch(() => {})).observe(state, { childList: true });
