"""What counting requests costs: `GET /v1/me` with a limit of requests over the same without.

    .venv/bin/python benchmarks/rates.py [--requests 3] [--rounds 300]

Two services in this process, each with its own SQLite store, are asked through ASGI, in turns: one
limits requests (to more than are sent), the other does not; a few requests a turn, so that what
else goes on meets both. Printed are the medians of the processor milliseconds of a request, and
that of the ratios of turns beside each other: 1 is for nothing.
"""

import argparse
import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

import httpx

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.core.ids import new_id
from mediamill.core.logs import configure_logging
from mediamill.core.settings import Settings
from mediamill.store.repositories.users import User
from mediamill.web.app import create_app

SIDES = {"without": 0, "with": 1_000_000}


async def asked(home: Path, limit: int, stack: AsyncExitStack) -> httpx.AsyncClient:
    """Open a service with a limit; return a client of a user of it."""
    settings = Settings(home=home, min_free_bytes=0, rate_requests=limit)
    app = await stack.enter_async_context(await App.open(settings))
    user = User(id=new_id("user"), email="ann@example.org", created=1)
    await app.accounts.users.add(user)
    token = await app.people.tokens.issue(Principal(user.id, session=True), "bench")
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(app)),
        base_url="http://127.0.0.1",
        headers={"authorization": f"Bearer {token.secret}"},
    )
    return await stack.enter_async_context(client)


async def main(requests: int, rounds: int) -> None:
    """Measure, in turns, and print."""
    configure_logging("json", "error")
    took: dict[str, list[float]] = {name: [] for name in SIDES}
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            clients = {
                name: await asked(Path(folder, name), limit, stack) for name, limit in SIDES.items()
            }
            for number in range(rounds + 1):  # the first warms up
                for name, client in clients.items():
                    begin = time.process_time()
                    for _ in range(requests):
                        (await client.get("/v1/me")).raise_for_status()
                    if number:
                        took[name].append(1000 * (time.process_time() - begin) / requests)
    for name, times in took.items():
        print(f"{name:>8}: {median(times):.3f} ms")
    ratios = [with_ / without for without, with_ in zip(*took.values(), strict=True)]
    print(f"   ratio: {median(ratios):.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--requests", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=300)
    given = parser.parse_args()
    asyncio.run(main(given.requests, given.rounds))
