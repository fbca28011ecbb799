"""Files from Kafka, beside a bare consumer that discards: messages a second, in one run.

    .venv/bin/python benchmarks/stream.py [--messages 2000] [--kilobytes 100] [--rounds 3]

Ours writes each message durably, looks at it in a slot, and commits its row; SQLite and a folder.
The bare consumer is the same library reading the same topic and doing nothing. Both begin with a
new group, in turns, the clock with the subscription; the slots are warm. Printed last is the ratio
of rates, ours / bare.
"""

import argparse
import asyncio
import random
import shutil
import tempfile
import time
import uuid
from pathlib import Path

import uvloop
from confluent_kafka import Consumer

from common import Kafka, kafka_server, make_topic, median, settings, topic_name, url, write
from mediamill.app import App
from mediamill.core.logs import configure_logging
from mediamill.services.stream.rules import rules_of

PARTITIONS = 4


def bare(kafka: Kafka, topic: str, count: int) -> float:
    """Read all and discard; return the seconds."""
    reader = Consumer({
        "bootstrap.servers": kafka.brokers, "group.id": uuid.uuid4().hex, "log_level": 0,
        "auto.offset.reset": "earliest", "fetch.wait.max.ms": 200,
    })  # fmt: skip
    began, seen = time.perf_counter(), 0
    reader.subscribe([topic])
    while seen < count:
        message = reader.poll(1)
        seen += message is not None and message.error() is None
    taken = time.perf_counter() - began
    reader.close()
    return taken


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
    shutil.rmtree(given.home)
    return taken


async def measure(options: argparse.Namespace, folder: Path) -> dict[str, list[float]]:
    """Run both in turns."""
    taken: dict[str, list[float]] = {"bare": [], "ours": []}
    with kafka_server(folder / "kafka") as kafka:
        topic = make_topic(kafka, topic_name(), PARTITIONS)
        draw = random.Random(7)
        for _ in range(options.messages // 100):
            write(kafka, topic, [draw.randbytes(options.kilobytes * 1000) for _ in range(100)])
        count = options.messages // 100 * 100
        for _ in range(options.rounds):
            taken["bare"].append(await asyncio.to_thread(bare, kafka, topic, count))
            taken["ours"].append(await ours(kafka, topic, count, folder))
    return taken


def main() -> None:
    """Fill a topic, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=2000)
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
        print(f"{name:6} {mine:6.2f} s  {rate:7.0f} messages/s  "
              f"{rate * options.kilobytes / 1000:6.1f} MB/s")  # fmt: skip
    print(f"ratio  {median(taken['bare']) / median(taken['ours']):.3f}")


if __name__ == "__main__":
    main()
