"""R21: workers killed with 64 model calls in flight; no budget is exceeded, what is paid is shown.

The server that is asked counts each call as it arrives: that is what a vendor would have paid for.
"""

import asyncio
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from mediamill.app import App
from mediamill.core.settings import Settings
from mediamill.store.repositories.attempts import AttemptState
from mediamill.store.repositories.spending import EVERYBODY, Purse
from tests.faults import checks
from tests.faults.history import History
from tests.faults.test_killed_workers import SHORT, Worker
from tests.support.processes import running, signed_in
from tests.support.providers.server import Server, serving
from tests.support.providers.vendors import openai_chat

CALL = 1_000
"""What a call costs, in micro-dollars."""
SET_UP = """
[chains]
prompt = ["one"]
[providers.one]
address = "openai:any?base_url={url}/v1"
concurrency = 64
price = {{call = 0.001}}
"""


def of_item(request) -> str:
    """Return which file a request is about: its own text is in it."""
    text = request.body.decode()
    return text[text.index("item-") :].split()[0].strip('\\n"')


async def killed(folder: Path, items: int, kills: int, budget: float | None) -> None:
    """Ask about files in jobs while workers are killed; check the ledger against the server."""
    home, chance, most = folder / "home", random.Random(3), 0
    async with serving(openai_chat) as server:
        server.delay = 0.3
        providers = folder / "providers.toml"
        providers.write_text(SET_UP.format(url=server.url))
        more = {**SHORT, "providers": providers}
        async with (
            running("api", home, **more) as api,
            signed_in(api) as client,
            await App.open(Settings(home=home, min_free_bytes=0)) as app,
        ):
            history = History()
            texts = [f"item-{n:03} ".encode() * 3 for n in range(items)]
            files = [await history.upload(client, f"{n}.txt", text) for n, text in enumerate(texts)]
            workers = [Worker(home) for _ in range(2)]
            for worker in workers:
                worker.settings |= {"MEDIAMILL_PROVIDERS": str(providers)}
                worker.start()
            try:
                for worker in workers:
                    await worker.begun()
                body = {"files": files, "steps": [{
                    "operation": "prompt", "parameters": {"prompt": "Say it.", "max_tokens": 50},
                }]}  # fmt: skip
                answer = await client.post(
                    "/v1/jobs", json=body | ({"budget": budget} if budget else {})
                )
                assert answer.status_code == 202, answer.text
                job = answer.json()["id"]
                in_flight = 0
                for _ in range(kills):
                    await asyncio.sleep(0.2 + chance.random())
                    victim = chance.choice(workers)
                    await stopped(victim)  # what it asks after the look was not counted
                    in_flight += sum(
                        row.state is AttemptState.ASKED for row in await ledger(app, job)
                    )
                    await asyncio.to_thread(victim.end, signal.SIGKILL)
                    victim.start()
                    most = max(most, await app.repositories.spending.taken(job))
                ended = await client.get(f"/v1/jobs/{job}", params={"wait": 60}, timeout=70)
                assert ended.json()["finished_at"], ended.text
                async with asyncio.timeout(90):  # the sweep looks each minute
                    while checks.table(app, Purse):
                        await app.handlers()["close_purses"].sweep(young_ms=0)
                        await asyncio.sleep(0.1)
                most = max(most, await app.repositories.spending.taken(job))
                await judge(app, server, job, in_flight)
                if budget is None:
                    assert ended.json()["state"] == "succeeded", ended.text
                else:
                    assert most <= budget * 1e6
                    assert len(server.requests) * CALL <= budget * 1e6
                    given = [row.state is AttemptState.ANSWERED for row in await ledger(app, job)]
                    # killed calls are paid for: with all of them in flight nothing is left to ask
                    assert ended.json()["state"] == ("partial" if any(given) else "failed")
            finally:
                for worker in workers:
                    await asyncio.to_thread(worker.end)


async def stopped(worker: Worker) -> None:
    """Let a worker do no more, and wait until that is so."""
    worker.send(signal.SIGSTOP)
    async with asyncio.timeout(60):
        while state_of(worker.child.pid) != "T":
            await asyncio.sleep(0.005)


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def ledger(app: App, job: str) -> list:
    return [row async for row in app.repositories.attempts.walk_job(job)]


async def judge(app: App, server: Server, job: str, in_flight: int) -> None:
    rows = [row for row in await ledger(app, job) if row.called]
    arrived = Counter(map(of_item, server.requests))
    repeated = sum(count - 1 for count in arrived.values())
    assert repeated <= in_flight, "more was repeated than was in flight"
    assert len(rows) >= len(server.requests), "a call is not in the ledger"
    unknown = [row for row in rows if row.state is AttemptState.UNKNOWN]
    assert len(unknown) >= repeated, "a repeated call is not shown as such"
    assert not [row for row in rows if row.state is AttemptState.ASKED]
    assert await app.repositories.spending.taken(job) == sum(row.cost for row in rows)
    by_day = Counter[str]()
    for row in rows:
        by_day[row.day] += row.cost
    spending, months = app.repositories.spending, {row.month for row in rows}
    for scope in (EVERYBODY, rows[0].owner):
        days = [day for month in months for day in await spending.days(scope, month)]
        assert {one.day: one.cost for one in days} == by_day, "days and ledger differ"
    good = Counter(row.item for row in rows if row.state is AttemptState.ANSWERED)
    assert set(good.values()) <= {1}, "an answer was bought twice"


@pytest.mark.soak
async def test_what_is_paid_is_shown_whatever_is_killed(tmp_path: Path):
    await killed(tmp_path, items=90, kills=3, budget=None)


async def test_a_budget_holds_whatever_is_killed(tmp_path: Path):
    await killed(tmp_path, items=90, kills=2, budget=0.05)


@pytest.mark.soak
async def test_many_kills(tmp_path: Path):
    await killed(tmp_path, items=1_000, kills=40, budget=None)
