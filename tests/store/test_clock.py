"""The store's time, as servers tell it without asking: the machine's clock does not matter."""

import asyncio
import time

import pytest

from mediamill.app import App
from mediamill.core.clock import DAY, MINUTE
from mediamill.core.errors import Forbidden, Unauthenticated, Unavailable
from mediamill.core.settings import Settings
from mediamill.services.links.signing import Grant
from mediamill.store import clock
from mediamill.store.clock import StoreClock


class Told:
    """A store that says what a test says."""

    def __init__(self, *told: int | Exception) -> None:
        self.told = list(told)

    async def now(self) -> int:
        said = self.told.pop(0) if len(self.told) > 1 else self.told[0]
        if isinstance(said, Exception):
            raise said
        return said


@pytest.fixture
def wrong_clock(monkeypatch):
    """Let the machine's clock be wrong from now on."""
    real = time.time_ns

    def set_wrong(milliseconds: int) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: real() + milliseconds * 1_000_000)

    return set_wrong


@pytest.mark.parametrize("wrong", [-15 * MINUTE, 20 * DAY])
async def test_sessions_and_links_go_by_the_stores_time(tmp_path, wrong_clock, wrong):
    async with await App.open(Settings(home=tmp_path, min_free_bytes=0)) as app:
        link = await app.accounts.sign_in_secret()
        wrong_clock(wrong)
        session = await app.accounts.redeem(link)
        assert (await app.accounts.authenticate(session.secret)).role == "admin"
        signed = app.links.signer.sign(Grant("GET", "file:x", "user_x", app.clock.now() + MINUTE))
        assert app.links.signer.read(signed, "GET").target == "file:x"


async def test_what_has_run_out_by_the_stores_time_is_refused(tmp_path, monkeypatch):
    async with await App.open(Settings(home=tmp_path, min_free_bytes=0)) as app:
        session = await app.accounts.redeem(await app.accounts.sign_in_secret())
        signed = app.links.signer.sign(Grant("GET", "file:x", "user_x", app.clock.now() + MINUTE))
        app.clock._hear(app.clock.now() + 15 * DAY)
        with pytest.raises(Unauthenticated):
            await app.accounts.authenticate(session.secret)
        with pytest.raises(Forbidden):
            app.links.signer.read(signed, "GET")


async def test_a_server_follows_its_store(tmp_path, monkeypatch):
    monkeypatch.setattr(clock, "HEARD_EVERY", 0.01)
    async with await App.open(Settings(home=tmp_path, min_free_bytes=0)) as app:
        later = app.clock.now() + DAY
        monkeypatch.setattr(app.store, "now", Told(later).now)
        async with asyncio.timeout(60):
            while app.clock.now() < later:
                await asyncio.sleep(0.01)


async def test_it_follows_the_store_and_goes_on_without(monkeypatch):
    monkeypatch.setattr(clock, "HEARD_EVERY", 0.01)
    told = StoreClock(1_000_000)
    assert 0 <= told.now() - 1_000_000 < 60_000
    following = asyncio.create_task(told.follow(Told(Unavailable("away"), 9_000_000)))
    async with asyncio.timeout(60):
        while told.now() < 9_000_000:
            await asyncio.sleep(0.01)
    assert not following.done()
    following.cancel()
