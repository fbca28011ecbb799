"""R13 by the way that jobs go: a real backend, the gate that all share, the ledger and the money.

The order is kept, a budget is never exceeded, and what a vendor answered is paid for once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.prices import Price, Prices
from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.errors import BudgetExceeded, MediamillError, ProviderUnavailable
from mediamill.core.logs import configure_logging
from mediamill.engine.asking.answers import Answers
from mediamill.engine.asking.asking import Asking
from mediamill.engine.asking.booking import Budgets
from mediamill.engine.asking.gate import SharedGate
from mediamill.engine.asking.journal import Journal
from mediamill.engine.asking.money import Money
from mediamill.engine.asking.panel import Panel, seated
from mediamill.store.memory import MemoryStore
from mediamill.store.repositories.attempts import Attempt, Attempts, AttemptState
from mediamill.store.repositories.circuits import Circuits
from mediamill.store.repositories.spending import Spending
from tests.engine.asking.test_journal import Writes
from tests.engine.asking.test_money import booking, called, purse
from tests.support.providers.questions import caption
from tests.support.providers.server import Server, serving
from tests.support.providers.vendors import openai_chat, openai_error

KEY = "0123456789abcdef0123456789abcdef"
PRICE = Price(input=Decimal(1), output=Decimal(10), call=Decimal("0.001"))
INVALID, LOST = AttemptState.INVALID, AttemptState.UNKNOWN
AGAIN = {
    "429": AttemptState.LIMITED, "429 later": AttemptState.LIMITED,
    "500": AttemptState.UNAVAILABLE, "503": AttemptState.UNAVAILABLE, "reset": LOST, "cut": LOST,
}  # fmt: skip
"""Faults after which the same provider is asked again, and as what each is kept."""
NEXT = {
    "empty": INVALID, "bad JSON": INVALID, "wrong shape": INVALID, "10 MB": INVALID,
    "endless": INVALID, "timeout": LOST, "drip": LOST, "drip head": LOST,
}  # fmt: skip
"""Faults after which the next is asked."""
NEVER_END = ("timeout", "drip", "drip head")


@dataclass
class Desk:
    """Asks one item's questions in a claim of its own."""

    server: Server
    store: MemoryStore = field(default_factory=MemoryStore)
    panel: Panel = field(default_factory=lambda: Panel(open_provider, Prices({}, {})))
    claims: int = 0

    def configured(self, name: str, **more: object) -> Configured:
        url = f"{self.server.url}/{name}"
        return Configured(name, "openai:m", url, key=KEY, price=PRICE, **more)

    @asynccontextmanager
    async def claim(self, budget: int, **more: object) -> AsyncIterator[Asking]:
        """Ask `first`, then `second`; the purse is closed in the end."""
        self.claims += 1
        spending = Spending(self.store)
        job = f"job_{self.claims}"
        money = Money(booking(spending), purse(job), Budgets(job=budget))
        gate = SharedGate(Circuits(self.store), f"w{self.claims}", self.panel.bounds)
        journal = Journal(Writes(self.store))
        chain = [self.configured("first", **more), self.configured("second")]
        async with seated(self.panel, chain) as opened:
            try:
                yield Asking(
                    opened, gate, journal, money, self.store, called(0, 0, job),
                    Answers(MemoryBlobs()), 20,
                )  # fmt: skip
            finally:
                await journal.settle()
                await money.close()
                await gate.close()

    async def rows(self) -> list[Attempt]:
        return [*await Attempts(self.store).of_item(f"job_{self.claims}", 0, 0)]

    async def taken(self) -> int:
        return await Spending(self.store).taken(f"job_{self.claims}")


@pytest.fixture
async def desk(monkeypatch):
    monkeypatch.setattr("mediamill.adapters.providers.fallback.FIRST_WAIT", 0.01)
    async with serving(openai_chat) as server:
        found = Desk(server)
        async with found.claim(10**9) as asking:  # what is loaded once is loaded
            await asking.item(0)("q", caption())
        yield found
        await found.panel.close()
        await found.store.close()


@pytest.mark.parametrize("fault", [*AGAIN, *NEXT])
async def test_each_fault_is_kept_in_order_within_the_budget_and_paid_for_once(desk, fault):
    server, timeout = desk.server, 0.15 if fault in NEVER_END else 20.0
    server.faults, server.failing, server.answered = [fault], "/first/", 0
    async with desk.claim(10**9, timeout=timeout) as asking:
        answer = await asking.item(0)("q", caption())
    rows = await desk.rows()
    who = "first" if fault in AGAIN else "second"
    state = (AGAIN | NEXT)[fault]
    assert [(row.provider, row.state) for row in rows] == [
        ("first", state), (who, AttemptState.ANSWERED),
    ]  # fmt: skip
    assert (answer.provider, server.answered) == (who, 1)
    failed, good = rows
    assert failed.cost == (failed.reserved if state in (INVALID, LOST) else 0)
    assert failed.answer is None
    assert 0 < good.cost < good.reserved
    assert await desk.taken() == failed.cost + good.cost


@pytest.mark.parametrize("fault", ["cut", "empty"])
async def test_what_may_have_been_paid_for_counts_against_the_budget(desk, fault):
    desk.server.faults, worst = [fault], (await desk.rows())[0].reserved
    async with desk.claim(worst * 3 // 2) as asking:
        with pytest.raises(BudgetExceeded):
            await asking.item(0)("q", caption())
    assert [row.cost for row in await desk.rows()] == [worst]
    assert await desk.taken() == worst


async def test_one_that_is_asked_too_often_is_left_alone_and_the_next_is_asked(desk):
    desk.server.faults, desk.server.retry_after = ["429 later"], "60"
    for asked in (["first", "second"], ["second"]):
        async with desk.claim(10**9) as asking:
            answer = await asking.item(0)("q", caption())
            await asyncio.gather(*asking.gate._telling)
        rows = [row for row in await desk.rows() if row.called]
        assert [row.provider for row in rows] == asked
        assert answer.provider == "second"


async def test_a_key_that_a_server_quotes_is_in_no_row_no_error_and_no_log(desk, capsys):
    refused = openai_error(401, "invalid_api_key", f"Incorrect API key provided: {KEY}.")
    desk.server.respond = lambda request: refused
    configure_logging("json", "debug")
    with pytest.raises(MediamillError) as raised:
        async with desk.claim(10**9) as asking:
            await asking.item(0)("q", caption())
    configure_logging("json", "error")
    printed = capsys.readouterr()
    rows = await desk.rows()
    assert [row.error for row in rows] == [
        f"{name} answers 401: Incorrect API key provided: …." for name in ("first", "second")
    ]
    told = f"{raised.value!r} {raised.value.details} {rows} {printed}"
    assert KEY not in told


async def test_a_call_under_way_is_answered_whatever_is_set_up_meanwhile(desk):
    server, before = desk.server, len(desk.server.requests)
    server.delay = 0.3
    async with desk.claim(10**9) as asking:
        asked = asyncio.create_task(asking.item(0)("q", caption()))
        while len(server.requests) == before:
            await asyncio.sleep(0.001)
        for change in ({"concurrency": 3}, {"timeout": 33.0}):
            await desk.panel.seat(replace(desk.configured("first"), **change))
        assert (await asked).provider == "first"
    assert [row.state for row in await desk.rows()] == [AttemptState.ANSWERED]


async def test_the_deadline_holds_for_the_whole_chain(desk):
    desk.server.faults = ["timeout", "drip"]
    loop = asyncio.get_running_loop()
    async with desk.claim(10**9) as asking:
        asking.seconds, began = 1.0, loop.time()
        with pytest.raises(ProviderUnavailable):
            await asking.item(0)("q", caption())
        assert loop.time() - began >= 0.9
    first, second = await desk.rows()
    assert (second.provider, second.state) == ("second", AttemptState.SKIPPED)
    assert first.state is LOST
    assert first.cost == first.reserved == await desk.taken()
