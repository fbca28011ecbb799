// Money as people read it.
import { t } from "./texts.js";

// Dollars, with as many digits as small sums need: $0.0004, $1.25, $1,204.00.
export function cost(dollars) {
  if (dollars === null || dollars === undefined) return t("money.unknown");
  const digits = dollars === 0 || dollars >= 1 ? 2 : dollars >= 0.01 ? 3 : 6;
  const text = dollars.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: digits });
  return `$${text}`;
}

// How far a number of a plan can be relied on, in words that go before it.
export const sure = (how) => t("money.sure", { which: how || "exact" });

const least = (asks) => ["about", "at_most"].find((how) => asks.some((one) => one.inputs_are === how));

// What the model calls of a planned job come to, for people; empty for a job that asks nobody.
export function estimated(plan) {
  if (!plan.asks?.length) return "";
  const count = plan.asks.reduce((sum, one) => (one.calls === null ? NaN : sum + one.calls), 0);
  const sum = (name) => plan.asks.reduce((all, one) => (one[name] === null || all === null ? null : all + one[name]), 0);
  const [expected, most] = [sum("expected"), sum("at_most")];
  const calls = Number.isNaN(count) ? t("money.calls_unknown") : t("money.calls", { count, sure: sure(least(plan.asks)) });
  if (most === 0) return t("money.calls_free", { calls });
  if (expected === null && most === null) return t("money.calls_cost_unknown", { calls });
  return most === null ? t("money.calls_cost_open", { calls, expected: cost(expected) }) : t("money.calls_cost", { calls, expected: cost(expected), most: cost(most) });
}
