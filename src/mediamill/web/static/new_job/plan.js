// What a job would come to, asked a moment after each change; only the latest answer counts.
import { Problem, call, size } from "../api.js";
import { made } from "../dataset.js";
import { estimated, sure } from "../money.js";
import { t } from "../texts.js";

const WAIT = 350; // milliseconds
const place = document.getElementById("plan");
const short = document.getElementById("plan-short"); // on a phone, beside the button
let round = 0;
let timer;

// `found` is called with the plan, or with null and the problem.
export function planned(body, found) {
  round += 1;
  const mine = round;
  clearTimeout(timer);
  place.setAttribute("aria-busy", "true");
  if (!place.children.length) place.replaceChildren(made("p", { class: "muted" }, t("new_job.planning")));
  timer = setTimeout(async () => {
    let plan = null;
    let problem = null;
    try {
      plan = await call("POST", "/v1/jobs?dry_run=true", body);
    } catch (thrown) {
      if (!(thrown instanceof Problem)) throw thrown;
      problem = thrown;
    }
    if (mine !== round) return;
    place.removeAttribute("aria-busy");
    found(plan, problem);
  }, WAIT);
}

// Say what is still missing before anything can be estimated.
export function waits(text) {
  round += 1;
  clearTimeout(timer);
  place.removeAttribute("aria-busy");
  place.replaceChildren(made("p", { class: "muted" }, text));
  brief(text);
}

export function refused(message) {
  place.replaceChildren(made("p", { class: "error" }, t("new_job.not_ready", { message })));
  brief(t("new_job.not_ready", { message }));
}

export function tell(plan) {
  const lines = [[t("new_job.plan_inputs"), inputs(plan)], [t("new_job.plan_gives"), results(plan)], [t("new_job.plan_time"), t("new_job.plan_core", { time: time(plan.core_seconds) })]];
  if (plan.asks.length) lines.push([t("new_job.plan_models"), estimated(plan)]);
  if (plan.reused) lines.push([t("new_job.plan_reused"), t("new_job.plan_reused_count", { count: plan.reused })]);
  const list = made("dl", { class: "plan" }, ...lines.map(([name, told]) => made("div", {}, made("dt", {}, name), made("dd", {}, told))));
  place.replaceChildren(list, ...plan.exceeded.map((one) => made("p", { class: "error", "data-exceeded": one.quota }, exceeded(one))));
  brief([inputs(plan), results(plan), plan.asks.length ? estimated(plan) : t("new_job.plan_core", { time: time(plan.core_seconds) })].join(" · "));
}

function brief(text) {
  if (short) short.textContent = text;
}

function inputs(plan) {
  const said = { count: plan.items, size: size(plan.bytes) };
  return plan.at_least ? t("new_job.plan_items_least", said) : t("new_job.plan_items", said);
}

function results(plan) {
  if (plan.outputs === null) return t("new_job.plan_results_unknown");
  const said = { count: plan.outputs, sure: sure(plan.outputs_are) };
  return plan.at_least ? t("new_job.plan_results_least", said) : t("new_job.plan_results", said);
}

function time(seconds) {
  if (seconds < 90) return t("new_job.seconds", { count: Math.max(1, Math.ceil(seconds)) });
  return seconds < 5400 ? t("new_job.minutes", { count: Math.ceil(seconds / 60) }) : t("new_job.hours", { count: Math.ceil(seconds / 3600) });
}

function exceeded({ quota, used, limit, needed }) {
  const told = quota === "bytes" ? size : (count) => count.toLocaleString("en");
  return t("new_job.exceeds", { which: quota, used: told(used), limit: told(limit), needed: told(needed) });
}
