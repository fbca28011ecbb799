"""What the service's operations cost on DynamoDB, in request units and dollars.

    .venv/bin/python benchmarks/capacity.py [--items 200] [--idle 20] [--whole]

The real service and a worker in one process, on DynamoDB Local. Every request is counted by what
asked for it. Reads are counted as the server says, and as half a unit, one
if consistent, where it found nothing. Writes are counted by AWS's rules from the items
before and after (DynamoDB Local charges transactions twice and forgets their indexes): two units
per begun kB of each item of a transaction, the larger of before and after; one per begun kB of an
index's entry that comes or goes, two for one that moves, none for one that stays. Prices are those
of us-east-1 on demand: $0.625 per million write units, $0.125 per million read units.
"""

import argparse
import asyncio
import io
import math
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from common import dynamodb_server
from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.logs import configure_logging
from mediamill.core.settings import Settings
from mediamill.engine.flush import Flush
from mediamill.engine.lease import Lease
from mediamill.engine.rollup import Rollup
from mediamill.engine.scheduler import Scheduler
from mediamill.engine.sweeping import Sweep
from mediamill.handlers.files.thumbnail import Thumbnail
from mediamill.handlers.items.items import Items
from mediamill.handlers.stages.expand import Expand
from mediamill.handlers.stages.seal import Seal
from mediamill.handlers.telling.notify import Notify
from mediamill.services.jobs.requests import JobRequest
from mediamill.store.dynamodb.requests import Request
from mediamill.store.dynamodb.table import INDEXES
from mediamill.store.dynamodb.wire import Wire

ANN = Principal("user_ann")
WRITE, READ = 0.625e-6, 0.125e-6
"""Dollars per unit."""
PARTS = (
    (Scheduler, "claim_next", "claim a unit"),
    (Scheduler, "tidy", "sweep"),
    (Sweep, "_nudge_forgotten", "sweep"),
    (Lease, "_extend", "extend a lease"),
    (Rollup, "advance", "sum ended units"),
    (Flush, "_write", "flush outcomes"),
    (Seal, "run", "seal"),
    (Notify, "run", "announce"),
    (Expand, "run", "expand"),
    (Thumbnail, "run", "thumbnail"),
    (Items, "run", "inputs of a unit"),
)
"""What is counted by itself, wherever it is called from; nested ones only once, inside."""


@dataclass
class Spent:
    """Requests and units of one part."""

    requests: int = 0
    calls: int = 0
    written: float = 0
    read: float = 0

    def add(self, other: "Spent") -> None:
        """Count one call more, of what another one spent."""
        self.requests += other.requests
        self.written += other.written
        self.read += other.read
        self.calls += 1

    @property
    def dollars(self) -> float:
        return self.written * WRITE + self.read * READ


CURRENT: ContextVar[Spent | None] = ContextVar("current", default=None)


def tagged(meter: "Metered", kind: type, name: str, part: str) -> None:
    """Have each call of a method count what it spends."""
    method = getattr(kind, name)

    async def counted(*args: Any, **kwargs: Any) -> Any:
        spent = Spent()
        token = CURRENT.set(spent)
        result = nothing = object()
        try:
            result = await method(*args, **kwargs)
            return result
        finally:
            CURRENT.reset(token)
            idle = part.startswith("claim") and (result is None or result is nothing)
            if spent.requests:
                meter.by_part["look for work in vain" if idle else part].add(spent)

    setattr(kind, name, counted)


class Metered:
    """A wire that counts."""

    def __init__(self, wire: Wire) -> None:
        self.wire, self.clock = wire, wire.clock
        self.by_part = defaultdict[str, Spent](Spent)
        self.part = "other"

    async def ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        spent = self._spent()
        answer = await self.wire.ask(operation, **arguments, ReturnConsumedCapacity="TOTAL")
        told = answer.get("ConsumedCapacity", [])
        units = sum(each["CapacityUnits"] for each in (told if isinstance(told, list) else [told]))
        least = 0.5 if "IndexName" in arguments else 1
        spent.read += max(units, least if operation in ("query", "get_item") else 0)
        spent.requests += 1
        return answer

    async def write(self, requests: Sequence[Request]) -> None:
        spent = self._spent()
        before = await self._items(requests)
        await self.wire.write(requests)
        after = await self._items(requests)
        spent.requests += 1
        spent.written += sum(units(*pair) for pair in zip(before, after, strict=True))

    async def _items(self, requests: Sequence[Request]) -> list[dict[str, Any]]:
        found = []
        for request in requests:
            given = request.arguments.get("Item") or request.arguments["Key"]
            answer = await self.wire.ask(
                "get_item", TableName=request.arguments["TableName"], ConsistentRead=True,
                Key={name: given[name] for name in ("_p", "_s")},
            )  # fmt: skip
            found.append(answer.get("Item", {}))
        return found

    def _spent(self) -> Spent:
        return CURRENT.get() or self.by_part[self.part]


def units(before: dict[str, Any], after: dict[str, Any]) -> float:
    """Return the write units of one item of a transaction, indexes included."""
    base = 2 * kilobytes(max(size(before), size(after)))
    return base + sum(_entry(n, before, after) for n in range(INDEXES))


WHOLE = False
"""Whether to count as if the indexes held whole items instead of keys."""


def _entry(n: int, before: dict[str, Any], after: dict[str, Any]) -> float:
    """Return the units of one index: of an entry that comes, goes, moves or changes."""
    names = ("_p", "_s", f"_{n}p", f"_{n}s")
    places = [{a: i[a] for a in names} if names[2] in i and names[3] in i else {}
              for i in (before, after)]  # fmt: skip
    entries = [item if WHOLE and place else place
               for item, place in zip((before, after), places, strict=True)]  # fmt: skip
    if entries[0] == entries[1]:
        return 0
    touched = entries[1:] if places[0] == places[1] else filter(None, entries)
    return sum(kilobytes(size(entry)) for entry in touched)


def kilobytes(count: int) -> int:
    """Return the begun kilobytes, at least one."""
    return max(1, math.ceil(count / 1024))


def size(item: dict[str, Any]) -> int:
    """Return an item's size in bytes by AWS's rules: names and values."""
    return sum(len(name) + _value(value) for name, value in item.items())


def _value(value: dict[str, Any]) -> int:
    ((kind, held),) = value.items()
    if kind == "N":
        return len(held.lstrip("-0.")) // 2 + 2
    return len(held.encode()) if isinstance(held, str) else len(held)


def picture(seed: int) -> bytes:
    """Return a small PNG, a different one for each seed."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (seed % 256, seed // 256 % 256, 7)).save(buffer, "PNG")
    return buffer.getvalue()


async def upload(app: App, n: int) -> str:
    """Put a picture in; return its id."""

    async def once():
        yield picture(n)

    return (await app.uploads.receive(ANN, f"picture-{n:06d}.png", once(), None)).id


async def ended(app: App, job: str) -> None:
    """Wait without asking the store too often."""
    while True:
        if (await app.jobs.get(ANN, job)).state.terminal:
            return
        await asyncio.sleep(1)


async def measure(app: App, items: int, idle: float) -> None:
    """Do everything once and print what it cost."""
    meter = Metered(app.store.wire)
    for part in PARTS:
        tagged(meter, *part)
    app.store.wire = meter
    worker = await app.worker()
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(2)
    meter.by_part.clear()
    meter.part = "other"
    await asyncio.sleep(idle)
    show("worker with nothing to do, a minute", meter, None, idle / 60)
    worker.stop()
    await running

    files = await counted(meter, "upload", items, lambda n: upload(app, n))
    await thumbnails(app, meter, items)
    for count in (1, 10, items):
        request = JobRequest(files=tuple(files[:count]), steps=(("convert", {"format": "webp"}),),
                             reuse=False)  # fmt: skip
        submit = lambda _, request=request: app.jobs.submit(ANN, request)  # noqa: E731 - one line
        (job,) = await counted(meter, f"submit a job of {count}", 1, submit)
        await run(app, meter, job.id, count)
    await counted(meter, "list 100 files", 1, lambda _: app.files.list(ANN, None, 100))
    await counted(meter, "list 100 results", 1, lambda _: app.jobs.outcomes(ANN, job.id, None, 100))
    await counted(meter, "look at a job", 1, lambda _: app.jobs.get(ANN, job.id))
    await counted(meter, "look at a file", 1, lambda _: app.files.get(ANN, files[0]))


async def thumbnails(app: App, meter: Metered, items: int) -> None:
    """Let the thumbnails of the uploads be made, and say what they cost."""
    await run_until(app, meter, quiet=3)
    show("thumbnail of an upload", meter, None, items)


async def run(app: App, meter: Metered, job: str, items: int) -> None:
    """Run a job and print what each part of it cost, then all per item."""
    meter.by_part.clear()
    worker = await app.worker()
    running = asyncio.create_task(worker.run())
    meter.part = "waiting client"
    await ended(app, job)
    await asyncio.sleep(0.5)
    worker.stop()
    with suppress(asyncio.CancelledError):
        await running
    for part in sorted(meter.by_part):
        if part != "waiting client":
            show(f"  of it: {part}, each of {meter.by_part[part].calls}", meter, {part}, None)
    idle = {"waiting client", "sweep", "look for work in vain", "other"}
    show(f"job of {items}, per item", meter, {*meter.by_part} - idle, items)


async def run_until(app: App, meter: Metered, quiet: float) -> None:
    """Run a worker until nothing has been written for some seconds."""
    meter.by_part.clear()
    worker = await app.worker()
    running = asyncio.create_task(worker.run())
    last, since = -1, 0.0
    while since < quiet:
        await asyncio.sleep(0.5)
        written = meter.by_part["thumbnail"].calls
        since = since + 0.5 if written == last else 0.0
        last = written
    worker.stop()
    await running
    for idle in ("sweep", "look for work in vain", "other"):
        meter.by_part.pop(idle, None)


async def counted(meter: Metered, name: str, times: int, call: Any) -> list[Any]:
    """Call something some times and print what one call cost."""
    meter.by_part.clear()
    meter.part = name
    results = [await call(n) for n in range(times)]
    show(name, meter, None, times)
    meter.part = "other"
    return results


def show(name: str, meter: Metered, parts: set[str] | None, times: float | None) -> None:
    """Print the sum of some parts divided by `times`, or by their writes."""
    chosen = [s for part, s in meter.by_part.items() if parts is None or part in parts]
    each = times if times is not None else max(1, sum(s.calls for s in chosen))
    written, read = (sum(getattr(s, field) for s in chosen) for field in ("written", "read"))
    dollars, asked = sum(s.dollars for s in chosen), sum(s.requests for s in chosen)
    print(f"| {name} | {asked / each:.1f} | {written / each:.1f} | {read / each:.1f} |"
          f" {1e6 * dollars / each:.2f} |", flush=True)  # fmt: skip


async def main() -> None:
    """Start a server, measure, print a table in Markdown."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--idle", type=float, default=20)
    parser.add_argument("--whole", action="store_true", help="as if indexes held whole items")
    args = parser.parse_args()
    global WHOLE
    WHOLE = args.whole
    configure_logging(log_level="error")
    with tempfile.TemporaryDirectory() as name, dynamodb_server("local", Path(name)) as endpoint:
        url = f"dynamodb://capacity?region=us-east-1&endpoint={endpoint}"
        settings = Settings(home=Path(name) / "home", store_url=url, log_level="error", slots=2)
        print("| operation | requests | write units | read units | $ per million |")
        print("|---|---|---|---|---|")
        async with await App.open(settings) as app:
            await measure(app, args.items, args.idle)


if __name__ == "__main__":
    asyncio.run(main())
