"""Jobs of growing size on each store: time per item, rows, and what the next size would take.

    .venv/bin/python benchmarks/scaling.py [--stores sqlite,postgresql,dynamodb] [--sizes …]

The real service in one process, two slots, a no-op operation, its inputs from a manifest; on
PostgreSQL with `fsync` on, on DynamoDB Local in memory. Each size is run once on a store of its
own, after a job that warms up. Rows are counted in the database before and after the job (of
DynamoDB by a scan of the emulator, which the service itself never does). `--sizes` overrides
1,000, 10,000 and 100,000 (DynamoDB: to 10,000). What it costs on AWS is arithmetic of
`docs/explanation/scaling.md` over these figures and those of `capacity.py`.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import boto3
import psycopg

from common import (
    client,
    clock,
    dynamodb_server,
    ended,
    free_port,
    guest,
    postgres_server,
    process,
    resident,
    seed,
)

STEPS = [{"operation": "noop", "parameters": {}}]
SIZES = {
    "sqlite": (1000, 10_000, 100_000),
    "postgresql": (1000, 10_000, 100_000),
    "dynamodb": (1000, 10_000),
}
WARM = 500
Count = Callable[[], int]


async def measure(folder: Path, items: int, count: Count) -> tuple[float, int, float]:
    """Run a job of so many items; return its seconds, the rows it left, the memory (MB)."""
    token, files = await seed(folder / "home", 1000)
    port, packages = free_port(), guest(folder / "guest")
    with process("up", folder / "home", port, packages, slots=2) as service:
        async with client(port, token) as web:
            await ended(web, await submitted(web, files, WARM))
            before = await asyncio.to_thread(count)
            with clock() as taken:
                told = await ended(web, await submitted(web, files, items))
            assert told["state"] == "succeeded", told
            rows = await asyncio.to_thread(count) - before
        return taken[0], rows, resident(service.pid)


async def submitted(web, files: list[str], items: int) -> str:
    """Upload a manifest of so many lines and submit the job of it."""
    lines = "\n".join(files[n % len(files)] for n in range(items))
    sent = await web.post("/v1/files?name=inputs.txt", content=lines)
    sent.raise_for_status()
    inputs = {"manifest": sent.json()["id"]}
    answer = await web.post("/v1/jobs", json={**inputs, "steps": STEPS, "reuse": False})
    answer.raise_for_status()
    return answer.json()["id"]


@contextmanager
def places(kind: str, folder: Path) -> Iterator[Callable[[int], tuple[str, Count]]]:
    """Run a server of a kind; give a function that names a store and counts its rows."""
    if kind == "sqlite":
        yield lambda n: (f"sqlite://{folder}/{n}.db", lambda: _rows_of_file(folder / f"{n}.db"))
    elif kind == "postgresql":
        with postgres_server(durable=True) as server:

            def place(n: int) -> tuple[str, Count]:
                url = server.database(f"scaling{n}")
                return url, lambda: _rows_of_database(url)

            yield place
    else:
        with dynamodb_server("local", folder) as endpoint:
            yield lambda n: (
                f"dynamodb://scaling{n}?region=us-east-1&endpoint={endpoint}",
                lambda: _rows_of_table(endpoint, f"scaling{n}"),
            )


def _rows_of_file(path: Path) -> int:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    counts = (connection.execute(f'SELECT count(*) FROM "{name}"').fetchall() for (name,) in tables)
    return sum(found[0][0] for found in counts)


def _rows_of_database(url: str) -> int:
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        found = (connection.execute(f'SELECT count(*) FROM "{name}"') for (name,) in tables)
        return sum(cursor.fetchone()[0] for cursor in found)


def _rows_of_table(endpoint: str, table: str) -> int:
    database = boto3.client("dynamodb", endpoint_url=endpoint, region_name="us-east-1")
    pages = database.get_paginator("scan").paginate(TableName=table, Select="COUNT")
    return sum(page["Count"] for page in pages)


def main() -> None:
    """Measure each size on each store and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stores", default=",".join(SIZES))
    parser.add_argument("--sizes", default="")
    options = parser.parse_args()
    for kind in options.stores.split(","):
        sizes = [int(size) for size in options.sizes.split(",") if size] or SIZES[kind]
        with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="bench-") as name:
            folder = Path(name)
            with places(kind, folder) as place:
                for size in sizes:
                    _print(kind, size, folder / str(size), *place(size))


def _print(kind: str, items: int, folder: Path, url: str, count: Count) -> None:
    folder.mkdir()
    os.environ["MEDIAMILL_STORE_URL"] = url
    measuring: Awaitable[tuple[float, int, float]] = measure(folder, items, count)
    seconds, rows, memory = asyncio.run(measuring)
    print(
        f"{kind:<11} {items:8,} items  {seconds:7.1f} s  {items / seconds:8,.0f} items/s  "
        f"{1000 * seconds / items:6.3f} ms each  {rows / items:5.2f} rows each  {memory:4.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
