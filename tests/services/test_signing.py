"""Links while their secret changes: the new one signs, the former still verifies for a while."""

import asyncio

import pytest

from mediamill.adapters.secrets import reading
from mediamill.adapters.secrets.file import FileKeeper
from mediamill.adapters.secrets.reading import Secrets
from mediamill.core.clock import DAY, HOUR
from mediamill.core.errors import Forbidden
from mediamill.services.links.signing import Grant, Signer, derived

FIRST, SECOND = "the first secret of all", "the second secret of all"


class Clock:
    def __init__(self) -> None:
        self.time = 1_000_000_000_000

    def now(self) -> int:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(tmp_path, monkeypatch, clock):
    """Give servers whose secret lies in one file; only what is not right has them look again."""
    monkeypatch.setattr(FileKeeper, "holds_seconds", None)
    monkeypatch.setattr(reading, "PAUSE_SECONDS", 0.0)
    (tmp_path / "secret").write_text(FIRST)
    (tmp_path / "previous").write_text("")

    def made(now: str = FIRST) -> Signer:
        secrets = Secrets()
        one, other = (secrets.of(f"${{file:{tmp_path}/{name}}}", f"MEDIAMILL_{name.upper()}")
                      for name in ("secret", "previous"))  # fmt: skip
        return Signer(derived(now), clock, one, other)

    return made


def grant(clock: Clock) -> Grant:
    return Grant("GET", "file:file_1", "user_1", clock.now() + 2 * DAY)


async def test_a_link_works_while_its_secret_changes(server, clock, tmp_path):
    here, there = server(), server()
    old = await here.issue(grant(clock))
    (tmp_path / "secret").write_text(SECOND)
    there_knows = server(SECOND)
    new = await there_knows.issue(grant(clock))
    assert await here.opened(new, "GET") == grant(clock)  # it looks again, since it knows it not
    assert await here.issue(grant(clock)) == new
    assert await here.opened(old, "GET") == grant(clock)
    with pytest.raises(Forbidden):
        await there_knows.opened(old, "GET")  # it never knew the former one
    assert await there.opened(old, "GET") == grant(clock)
    clock.time += DAY + HOUR
    with pytest.raises(Forbidden):
        await here.opened(old, "GET")
    assert await here.opened(new, "GET")


async def test_a_link_works_though_several_meet_the_new_secret_at_once(server, clock, tmp_path):
    here = server()
    old = await here.issue(grant(clock))
    (tmp_path / "secret").write_text(SECOND)
    new = await server(SECOND).issue(grant(clock))
    together = await asyncio.gather(*(here.opened(new, "GET") for _ in range(5)))
    assert together == [grant(clock)] * 5
    assert await here.opened(old, "GET") == grant(clock)


async def test_the_previous_secret_verifies_and_never_signs(server, clock, tmp_path):
    old = await server().issue(grant(clock))
    (tmp_path / "secret").write_text(SECOND)
    (tmp_path / "previous").write_text(FIRST)
    fresh = server(SECOND)
    assert await fresh.opened(old, "GET") == grant(clock)
    assert await fresh.issue(grant(clock)) != old
    clock.time += DAY + HOUR
    assert await fresh.opened(old, "GET")  # for as long as the setting says it
    gone = server(SECOND)
    (tmp_path / "previous").write_text("")
    with pytest.raises(Forbidden):
        await gone.opened(old, "GET")


async def test_a_secret_that_becomes_useless_changes_nothing(server, clock, tmp_path):
    here = server()
    old = await here.issue(grant(clock))
    (tmp_path / "secret").write_text("short")
    with pytest.raises(Forbidden):
        await here.opened("mmk_" + "A" * 80, "GET")  # which has it look again
    assert await here.issue(grant(clock)) == old
    assert FIRST not in repr(here)
    assert repr(here.key) not in repr(here)
