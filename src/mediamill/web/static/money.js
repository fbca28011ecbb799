// Money as people read it.

// Dollars, with as many digits as small sums need: $0.0004, $1.25, $1,204.00.
export function cost(dollars) {
  if (dollars === null || dollars === undefined) return "unknown";
  const digits = dollars === 0 || dollars >= 1 ? 2 : dollars >= 0.01 ? 3 : 6;
  const text = dollars.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: digits });
  return `$${text}`;
}

// How far a number of a plan can be relied on, in words that go before it.
export const sure = (how) => ({ at_most: "at most ", about: "about " })[how] || "";

const least = (asks) => ["about", "at_most"].find((how) => asks.some((one) => one.inputs_are === how));

// What the model calls of a planned job come to, for people; empty for a job that asks nobody.
export function estimated(plan) {
  if (!plan.asks?.length) return "";
  const calls = plan.asks.reduce((sum, one) => (one.calls === null ? NaN : sum + one.calls), 0);
  const sum = (name) => plan.asks.reduce((all, one) => (one[name] === null || all === null ? null : all + one[name]), 0);
  const [expected, most] = [sum("expected"), sum("at_most")];
  const many = Number.isNaN(calls) ? "model calls, their number not known yet" : `${sure(least(plan.asks))}${calls.toLocaleString("en")} model ${calls === 1 ? "call" : "calls"}`;
  if (most === 0) return `${many} that cost nothing`;
  if (expected === null && most === null) return `${many}; cost unknown`;
  return `${many}, about ${cost(expected)}, ${most === null ? "at most unknown" : `${cost(most)} at most`}`;
}
