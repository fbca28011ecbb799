"""What a process tells of itself: at a port where it has no API, and in its log."""

import socket
from contextlib import asynccontextmanager

import httpx
import pytest

from mediamill.app import App
from mediamill.cli.service import server
from mediamill.cli.terminal.failures import Failure
from mediamill.core.settings import Settings
from tests.support.processes import free_port

SHOWN = ("/metrics", "/health/live", "/health/ready")


def settings_of(home, port):
    return Settings(home=home, slots=1, min_free_bytes=0, metrics_port=port)


@pytest.mark.parametrize("part", ["works", "ingests"])
async def test_it_answers_until_the_process_ends(tmp_path, monkeypatch, part):
    settings, answers = settings_of(tmp_path, free_port()), []

    async def asked(stop):
        base = f"http://127.0.0.1:{settings.metrics_port}"
        async with httpx.AsyncClient(base_url=base, timeout=60, trust_env=False) as client:
            for drains in (False, True):
                if drains:
                    stop.set()
                answers.append([(await client.get(path)).status_code for path in SHOWN])

    class Ingest:
        async def run(self, stop):
            await asked(stop)

    async def work(_, stop, *, stays):
        assert not stays
        await asked(stop)

    monkeypatch.setattr(server, "_on_signals", lambda _: None)
    monkeypatch.setattr(server, "_work", work)
    monkeypatch.setattr(App, "ingest", lambda _: Ingest())
    parts = {"works": False, "ingests": False} | {part: True}
    await server._run(settings, listens=False, stays=False, **parts)
    assert answers == [[200, 200, 200]] * 2
    with socket.create_server(("127.0.0.1", settings.metrics_port)):
        pass  # it is free again


@pytest.mark.parametrize("listens", [True, False])
async def test_who_serves_the_api_tells_cloudwatch_of_the_whole(tmp_path, monkeypatch, listens):
    """Of forty workers each would read all queues."""
    told = []

    @asynccontextmanager
    async def telling(_, *, whole):
        told.append(whole)
        yield

    async def done(*_, **__):
        return

    for name, instead in (("telling", telling), ("_work", done), ("_serve", done)):
        monkeypatch.setattr(server, name, instead)
    monkeypatch.setattr(server, "_on_signals", lambda _: None)
    settings = Settings(home=tmp_path, slots=1, min_free_bytes=0, port=0, metrics_log="emf")
    await server._run(settings, listens=listens, works=True, ingests=False, stays=False)
    assert told == [listens]


async def test_a_port_that_is_taken_is_named_with_its_setting(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = settings_of(tmp_path, taken.getsockname()[1])
        with pytest.raises(Failure, match=r"Cannot listen[^$]*another MEDIAMILL_METRICS_PORT"):
            await server._run(settings, listens=False, works=True, ingests=False, stays=False)
