"""Work out what an installation on AWS costs a month, at the sizes of `infra/aws/prices.toml`.

Prices are that file's. What a photo takes was counted by `benchmarks/capacity.py`; what the
templates make (functions, tasks, keys, alarms) is counted here once more, and a test compares it
with the templates. Nothing is rounded before the end, nothing that AWS gives for free is taken off.

Writes the table into docs/explanation/cost.md; with --check it says whether it is there already.
"""

import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/explanation/cost.md"
BEGIN, END = "<!-- begin aws costs -->\n", "<!-- end aws costs -->"
HOURS = 730
MINUTES = HOURS * 60
SECONDS = HOURS * 3600

# What a photo takes: docs/explanation/scaling.md, from benchmarks/capacity.py
WRITE_UNITS, READ_UNITS, PUTS, GETS, CORE_SECONDS = 31.4, 16.3, 3, 3, 0.3
ROW_GB = 3e-6
ORIGINAL_GB, MADE_GB = 3e-3, 1e-3
REQUESTS = 8  # of the API: an upload, its parts, a job, looks at it, results
KEPT_MONTHS, HOT_MONTHS = 12, 3
LEAVING = 0.1  # of originals, that somebody fetches once; thumbnails and results all once
USED = 0.5  # of the time that is paid: a call or task has more processors than it keeps busy
WORKER_CORES, WORKER_GB, SCRATCH_GB = 4, 8, 80
CALL_CORES, CALL_GB, API_GB, API_SECONDS = 2, 3.46, 1.73, 0.06
SERVERS, SERVER_CORES, SERVER_GB = 2, 1, 2
METRICS, KEYS, RULES = 37, 3, 4
ALARMS = {"functions": 29, "services": 37}  # each metric that an alarm works with is paid as one
LOG_KB = 2  # a request or a unit
GROUPS = {
    "rows": ("write units", "read units", "table", "point in time"),
    "bytes that stay": ("put", "get", "standard", "glacier", "to glacier"),
    "bytes that leave, CloudFront, WAF": (
        "to the internet", "edge requests", "wall", "wall rules", "wall requests",
    ),
    "compute": ("calls", "call memory", "api requests", "fargate core", "fargate memory",
                "fargate disk"),
    "network of the services": ("balancer", "balancer units", "nat", "nat bytes", "addresses"),
    "messages, mails, keys, secrets": ("messages", "mails", "keys", "key requests", "secrets"),
    "watching": ("metrics", "alarms", "dashboards", "logs", "trail events", "guard events",
                 "guard data events"),
}  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How much comes a month, and what it runs on."""

    photos: int
    run: str

    def quantities(self) -> Iterator[tuple[str, float]]:
        """Yield how much of each is used in a month, after a year; a name may come again."""
        yield from self._rows()
        yield from self._bytes()
        yield from self._functions() if self.run == "functions" else self._services()
        yield from self._watching()

    def _rows(self) -> Iterator[tuple[str, float]]:
        kept = self.photos * KEPT_MONTHS * ROW_GB
        yield "write units", self.photos * WRITE_UNITS
        yield "read units", self.photos * READ_UNITS
        yield "read units", MINUTES * (40 if self.run == "functions" else 890 * self.workers)
        yield "table", kept
        yield "point in time", kept

    def _bytes(self) -> Iterator[tuple[str, float]]:
        hot = ORIGINAL_GB * HOT_MONTHS + MADE_GB * KEPT_MONTHS
        cold = ORIGINAL_GB * (KEPT_MONTHS - HOT_MONTHS)
        leaving = self.photos * (ORIGINAL_GB * LEAVING + MADE_GB)
        asked = self.photos * REQUESTS
        yield "put", self.photos * PUTS
        yield "get", self.photos * GETS
        yield "standard", self.photos * hot
        yield "glacier", self.photos * cold
        yield "to glacier", self.photos
        yield "to the internet", leaving
        yield "edge requests", asked
        yield "wall", 1
        yield "wall rules", RULES
        yield "wall requests", asked

    def _functions(self) -> Iterator[tuple[str, float]]:
        asked, units = self.photos * REQUESTS, self.photos * 2
        yield "api requests", asked
        yield "calls", asked + units + MINUTES
        yield "call memory", asked * API_SECONDS * API_GB
        yield "call memory", self.photos * CORE_SECONDS / CALL_CORES * CALL_GB / USED
        yield "call memory", MINUTES * 0.5 * 0.5  # the sweep: half a second, half a GB
        yield "messages", units * 4 + 2 * 5 * SECONDS / 20  # five pollers for each of two queues

    @property
    def workers(self) -> float:
        """Return how many tasks there are on average: the work there is, and never none."""
        return max(1, self.photos * CORE_SECONDS / USED / WORKER_CORES / SECONDS)

    def _services(self) -> Iterator[tuple[str, float]]:
        cores = SERVERS * SERVER_CORES + self.workers * WORKER_CORES
        memory = SERVERS * SERVER_GB + self.workers * WORKER_GB
        yield "fargate core", cores * HOURS
        yield "fargate memory", memory * HOURS
        yield "fargate disk", self.workers * SCRATCH_GB * HOURS + SERVERS * 10 * HOURS
        yield "balancer", HOURS
        yield "balancer units", max(HOURS, self.photos * MADE_GB)  # a unit is a GB an hour
        yield "nat", HOURS
        yield "nat bytes", self.photos * 50e-6  # calls of AWS that have no endpoint of their own
        yield "addresses", 3 * HOURS
        yield "messages", self.photos * 8 + self.workers * SECONDS / 20

    def _watching(self) -> Iterator[tuple[str, float]]:
        told = self.photos * (REQUESTS + 2)
        yield "mails", self.photos / 100
        yield "keys", KEYS
        yield "key requests", self.photos * 4
        yield "secrets", 1
        yield "metrics", METRICS
        yield "alarms", ALARMS[self.run]
        yield "dashboards", 1
        yield "logs", (told * LOG_KB + MINUTES * 4) * 1e-6
        yield "trail events", self.photos * 0.2  # objects that are removed
        yield "guard events", 50_000  # what is asked of AWS beside objects
        yield "guard data events", self.photos * PUTS * 0.2


def costs(size: Size, prices: Mapping[str, float]) -> dict[str, float]:
    """Return the dollars of a month by group; raises `KeyError` for what has no price."""
    spent = dict.fromkeys(prices, 0.0)
    for name, much in size.quantities():
        spent[name] += much * prices[name]
    return {group: sum(spent[name] for name in names) for group, names in GROUPS.items()}


def table(known: Mapping[str, Any]) -> str:
    """Return the table as it stands in the page."""
    sizes = {name: Size(**said) for name, said in known["sizes"].items()}
    spent = {name: costs(size, known["prices"]) for name, size in sizes.items()}
    lines = ["| | " + " | ".join(sizes) + " |", "|---" * (len(sizes) + 1) + "|"]
    lines += [_row("photos a month", [f"{one.photos:,}" for one in sizes.values()])]
    lines += [_row("runs as", [one.run for one in sizes.values()])]
    for group in GROUPS:
        lines += [_row(group, [_dollars(one[group]) for one in spent.values()])]
    sums = [sum(one.values()) for one in spent.values()]
    lines += [_row("**a month, after a year**", [f"**{_dollars(one)}**" for one in sums])]
    per = [
        f"${1000 * one / size.photos:.2f}" for one, size in zip(sums, sizes.values(), strict=True)
    ]
    lines += [_row("for a thousand photos", per)]
    return "\n".join(lines) + "\n"


def _row(name: str, cells: list[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount < 100 else f"${amount:,.0f}"


def page(text: str, known: Mapping[str, Any]) -> str:
    """Return the page with the table in it; raises `ValueError` where it has no place for it."""
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    compared = ", ".join(f"*{name}*" for name in known["compared"])
    said = (
        f"List prices of {known['region']}, written down from memory on {known['date']}; "
        f"compared with what others publish: {compared}.\n\n"
    )
    return f"{text[:begin]}{said}{table(known)}{text[end:]}"


def main() -> int:
    """Write the table, or compare it."""
    known = tomllib.loads((ROOT / "infra/aws/prices.toml").read_text())
    text = PAGE.read_text()
    wanted = page(text, known)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(wanted)
    elif text != wanted:
        print(f"{PAGE.name} is not as the prices say: .venv/bin/python scripts/aws_costs.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
