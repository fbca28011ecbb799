"""Files from Kafka, beside a bare consumer that discards: messages a second, in one run.

    .venv/bin/python benchmarks/stream.py [--messages 5000] [--kilobytes 100] [--rounds 3]

Ours writes each message durably, looks at it in a slot, and commits its row; SQLite and a folder.
The bare consumer is the same library reading the same topic and doing nothing. Between them stands
what this machine's disk allows: a bare consumer that only makes each message a durable file (write,
fsync, rename, fsync of the folder), one by one, or 48 at a time in four threads beside the
reading. All begin with a new group, in turns, the clock with the subscription; the slots are warm.
Printed are medians, and what ours is of each.
"""

import argparse
import asyncio
import os
import random
import shutil
import tempfile
import time
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import uvloop
from confluent_kafka import Consumer

from common import Kafka, kafka_server, make_topic, median, settings, topic_name, url, write
from mediamill.app import App
from mediamill.blobs.local.files import fsync_folder
from mediamill.core.logs import configure_logging
from mediamill.services.stream.rules import rules_of

PARTITIONS, BATCH, THREADS = 4, 48, 4


def consume(
    kafka: Kafka,
    topic: str,
    count: int,
    take: Callable[[bytes], None],
    finish: Callable[[], None] = lambda: None,
) -> float:
    """Read all, handing each on; return the seconds."""
    reader = Consumer({
        "bootstrap.servers": kafka.brokers, "group.id": uuid.uuid4().hex, "log_level": 0,
        "auto.offset.reset": "earliest", "fetch.wait.max.ms": 200,
    })  # fmt: skip
    began, seen = time.perf_counter(), 0
    reader.subscribe([topic])
    while seen < count:
        message = reader.poll(1)
        if message is not None and message.error() is None:
            take(message.value())
            seen += 1
    finish()
    taken = time.perf_counter() - began
    reader.close()
    return taken


def bare(kafka: Kafka, topic: str, count: int, folder: Path) -> float:
    """Read all and discard."""
    return consume(kafka, topic, count, lambda _: None)


def one_by_one(kafka: Kafka, topic: str, count: int, folder: Path) -> float:
    """Read all and make each a durable file before the next is read."""
    folder.mkdir()
    return consume(kafka, topic, count, lambda value: durable(folder, [value]))


def together(kafka: Kafka, topic: str, count: int, folder: Path) -> float:
    """Read all and make them durable files, 48 at a time, while more is read."""
    folder.mkdir()
    waiting: list[bytes] = []
    running: deque[Future[None]] = deque()

    def take(value: bytes) -> None:
        waiting.append(value)
        if len(waiting) == BATCH:
            begin()

    def begin() -> None:
        running.append(threads.submit(durable, folder, waiting.copy()))
        waiting.clear()
        while len(running) > THREADS:
            running.popleft().result()

    def finish() -> None:
        begin()
        wait(running)

    with ThreadPoolExecutor(THREADS) as threads:
        return consume(kafka, topic, count, take, finish)


def durable(folder: Path, values: list[bytes]) -> None:
    """Write files as a store must: what is there under its name is whole, whatever happens."""
    written = []
    for value in values:
        name = uuid.uuid4().hex
        descriptor = os.open(folder / f".{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(descriptor, value)
        written.append((name, descriptor))
    for name, descriptor in written:
        os.fsync(descriptor)
        os.close(descriptor)
        (folder / f".{name}").rename(folder / name)
    fsync_folder(folder)


async def ours(kafka: Kafka, topic: str, count: int, folder: Path) -> float:
    """Take all in; return the seconds until the last is committed."""
    name = uuid.uuid4().hex
    given = settings(folder / name, kafka, slots=0, stream_url=url(kafka, group=name))
    async with await App.open(given) as app:
        await app.slots.warm()
        stop = asyncio.Event()
        began = time.perf_counter()
        rule = f"{topic}=customer:acme,unknown:create"
        running = asyncio.ensure_future(app.ingest(rules_of([rule])).run(stop))
        while sum(row.files for row in await app.books.list()) < count:  # noqa: ASYNC110 - rows ring no bell
            await asyncio.sleep(0.05)
        taken = time.perf_counter() - began
        stop.set()
        await running
    return taken


async def measure(options: argparse.Namespace, folder: Path) -> dict[str, list[float]]:
    """Run both in turns."""
    ways = {"bare": bare, "one by one": one_by_one, "together": together}
    taken: dict[str, list[float]] = {name: [] for name in (*ways, "ours")}
    with kafka_server(folder / "kafka") as kafka:
        topic = make_topic(kafka, topic_name(), PARTITIONS)
        draw = random.Random(7)
        for _ in range(options.messages // 100):
            write(kafka, topic, [draw.randbytes(options.kilobytes * 1000) for _ in range(100)])
        count = options.messages // 100 * 100
        for _ in range(options.rounds):
            for name, way in ways.items():
                place = folder / uuid.uuid4().hex
                taken[name].append(await asyncio.to_thread(way, kafka, topic, count, place))
            taken["ours"].append(await ours(kafka, topic, count, folder))
    return taken


def main() -> None:
    """Fill a topic, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--kilobytes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    configure_logging("text", "warning")
    folder = Path(tempfile.mkdtemp(dir=Path.cwd(), prefix="bench-"))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as the service does
            taken = runner.run(measure(options, folder))
    finally:
        shutil.rmtree(folder)
    for name, seconds in taken.items():
        mine = median(seconds)
        rate = options.messages / mine
        print(f"{name:10} {mine:6.2f} s  {rate:7.0f} messages/s  "
              f"{rate * options.kilobytes / 1000:6.1f} MB/s  "
              f"ours is {mine / median(taken['ours']):.2f} of it")  # fmt: skip


if __name__ == "__main__":
    main()
