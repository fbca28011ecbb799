"""The contract through a real PostgreSQL, and what a restart of it does."""

import asyncio

import psycopg
import pytest

from mediamill.adapters.brokers import postgresql
from mediamill.adapters.brokers.opening import open_bell
from mediamill.core.errors import ConfigurationError
from tests.contracts.doorbell_contract import DoorbellContract, heard
from tests.support.postgres import postgres_server


@pytest.fixture(scope="module")
def server():
    with postgres_server() as running:
        yield running


class TestPostgresql(DoorbellContract):
    @pytest.fixture
    async def bell(self, server):
        bell = open_bell("postgresql:", server.url())
        yield bell
        await bell.close()

    @pytest.fixture
    async def other(self, server):
        bell = open_bell(server.url(), "sqlite:///elsewhere")
        yield bell
        await bell.close()

    async def test_it_rings_again_after_a_restart(self, server, bell, other):
        with other.listen("a") as ear:
            await heard(bell, "a", ear)
            await asyncio.to_thread(server.control, "-m", "immediate", "stop")
            ear.clear()
            await bell.ring("a")  # lost
            await asyncio.to_thread(server.start)
            assert await ear.wait(20), "nobody is told to look for what was missed"
            ear.clear()
            await heard(bell, "a", ear)

    async def test_a_connection_that_was_ended_is_made_again(self, server, bell, other):
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
        with other.listen("a") as ear:
            await heard(bell, "a", ear)
            ear.clear()
            with psycopg.connect(server.url(), autocommit=True) as connection:
                assert connection.execute(end, ("mediamill-doorbell",)).rowcount >= 2
            assert await ear.wait(20), "nobody is told to look for what was missed"
            ear.clear()
            await heard(bell, "a", ear)

    async def test_a_name_too_long_to_be_sent_rings_everybody(self, bell, other):
        with other.listen("a") as ear, other.listen("ä" * 6000) as long:
            await heard(bell, "a", ear)
            ear.clear()
            long.clear()
            await bell.ring("ä" * 6000)
            assert await long.wait(10)
            assert await ear.wait(10)

    async def test_what_nobody_can_be_told_does_not_pile_up(self, monkeypatch):
        monkeypatch.setattr(postgresql, "MOST_WAITING", 100)
        bell = open_bell("postgresql://nobody@127.0.0.1:1/nothing", "sqlite:///elsewhere")
        for n in range(1000):
            await bell.ring(f"job:{n}")
        assert list(bell._waiting) == [postgresql.EVERYBODY]
        await bell.close()

    async def test_it_goes_by_the_stores_address(self, server):
        ours = "pool=3&timeout=5&prepare=no&options=-c%20jit%3Doff"
        bell = open_bell("postgresql:", f"{server.url()}?{ours}")
        with bell.listen("a") as ear:
            assert await ear.wait(20), "it does not connect"
        await bell.close()

    async def test_who_is_cut_off_is_noticed(self, server):
        bell = open_bell(server.url(), "sqlite:///elsewhere")
        for name in ("keepalives_idle=15", "tcp_user_timeout=15000", "connect_timeout=10"):
            assert name in bell._address
        own = open_bell(f"{server.url()}?keepalives_idle=99", "sqlite:///elsewhere")
        assert "keepalives_idle=99" in own._address


@pytest.mark.parametrize("url", ["postgresql://u:%zzs3cret@h/d", "postgresql://u:s3cret@h/d?no=1"])
def test_an_address_that_cannot_be_read_is_refused_without_the_password(url):
    with pytest.raises(ConfigurationError, match="MEDIAMILL_BROKER_URL") as caught:
        open_bell(url, "sqlite:///elsewhere")
    assert "s3cret" not in repr(caught.value)


def test_a_store_that_cannot_ring_is_refused():
    with pytest.raises(ConfigurationError, match="MEDIAMILL_BROKER_URL"):
        open_bell("postgresql:", "sqlite:///elsewhere")
