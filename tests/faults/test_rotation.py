"""The database's password changes under load, and in Secrets Manager: no process starts again.

Between the two changes nobody gets in; who asks then is told to come back, by 503 and nothing else.
The soak rotates 20 times, with API and worker apart, in about three minutes.
"""

import asyncio
import json
import secrets
import time

import httpx
import psycopg
import pytest

from mediamill.adapters.secrets import reading
from mediamill.adapters.secrets.file import FileKeeper
from mediamill.adapters.secrets.reading import Secrets
from mediamill.core import libpq
from mediamill.core.errors import Unavailable
from mediamill.core.settings import Settings
from mediamill.store.opening import open_store
from mediamill.store.repositories.users import User
from mediamill.store.sql.postgres.login import Login
from tests.faults.history import History
from tests.faults.test_killed_workers import SHORT, all_ended
from tests.faults.test_restarted_database import Load
from tests.support.postgres import postgres_server
from tests.support.processes import running, signed_in
from tests.support.secrets import judge, place, secret_server

END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'mill'"
RULES = "host all mill 127.0.0.1/32 scram-sha-256\n"
WITHIN, AT_LAST = 10, 60
"""Seconds after the change of the secret in which the service writes again; beside other tests."""
NAME = "mill/database"


@pytest.fixture
async def kept(tmp_path, monkeypatch):
    """A store whose password lies in a file, which only a refusal has it read again."""
    monkeypatch.setattr(FileKeeper, "holds_seconds", None)
    monkeypatch.setattr(reading, "PAUSE_SECONDS", 0.0)
    with postgres_server(rules=RULES) as server:
        ask(server.url(), "CREATE ROLE mill LOGIN PASSWORD 'first/@:%'")
        ask(server.url(), "CREATE DATABASE mill OWNER mill")
        (tmp_path / "password").write_text("first/@:%")
        where = f"127.0.0.1:{server.port}/mill?timeout=1"
        text = f"postgresql://mill:${{file:{tmp_path}/password}}@{where}"
        source = Secrets().of(text, "MEDIAMILL_STORE_URL")
        store = await open_store(source)
        yield server, store, source
        await store.close()


async def test_a_refused_password_is_looked_up(kept, tmp_path):
    """The store by itself: nobody else asks the keeper, and time alone would not either."""
    server, store, _ = kept
    assert await store.get(User, "user_x") is None
    ask(server.url(), "ALTER ROLE mill PASSWORD 'second/@:%'")
    assert await store.get(User, "user_x") is None  # who is connected stays so
    ask(server.url(), END)
    with pytest.raises(Unavailable):
        await store.get(User, "user_x")
    (tmp_path / "password").write_text("second/@:%")
    assert await store.get(User, "user_x") is None
    assert "/@:%" not in repr(vars(store))


async def test_a_refusal_is_known_in_any_language_and_not_repeated(kept, tmp_path, monkeypatch):
    """The server's words do not matter; it is not asked ever again, since some lock us out then."""
    server, store, _ = kept
    monkeypatch.setattr(libpq, "REFUSING", ())
    made, tried = Login._made, []

    async def counted(self, address):
        tried.append(address)
        return await made(self, address)

    monkeypatch.setattr(Login, "_made", counted)
    ask(server.url(), "ALTER ROLE mill PASSWORD 'second/@:%'")
    ask(server.url(), END)
    found = await asyncio.gather(
        *(store.get(User, "user_x") for _ in range(8)), return_exceptions=True
    )
    assert {type(one) for one in found} == {Unavailable}
    assert 1 <= len(tried) <= 8
    (tmp_path / "password").write_text("second/@:%")
    assert await store.get(User, "user_x") is None


async def test_connections_of_the_former_password_are_replaced(kept, tmp_path):
    server, store, source = kept
    async with store._pool.connection() as former:
        ask(server.url(), "ALTER ROLE mill PASSWORD 'second/@:%'")
        (tmp_path / "password").write_text("second/@:%")
        await source.renewed()
        async with store._pool.connection() as fresh:
            assert fresh.info.backend_pid != former.info.backend_pid
    for _ in range(3):
        async with store._pool.connection() as lent:
            assert lent.info.backend_pid == fresh.info.backend_pid


def ask(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


class Rotation:
    """Changes the password of a role, and then what Secrets Manager says of it."""

    def __init__(self, server, keepers) -> None:
        self.server, self.manager = server, judge(keepers, "secretsmanager")
        self.passwords = [secrets.token_urlsafe(9) + "/@:%"]
        ask(server.url(), f"CREATE ROLE mill LOGIN PASSWORD '{self.passwords[0]}'")
        ask(server.url(), "CREATE DATABASE mill OWNER mill")
        self.manager.create_secret(Name=NAME, SecretString=self._said())

    def url(self, keepers) -> str:
        user, password = (
            f"${{secretsmanager:{NAME}?{place(keepers)}#{key}}}" for key in ("username", "password")
        )
        return f"postgresql://{user}:{password}@127.0.0.1:{self.server.port}/mill"

    def turn(self) -> None:
        """Change the role's password and end its connections, then tell Secrets Manager."""
        self.passwords.append(secrets.token_urlsafe(9) + "/@:%")
        ask(self.server.url(), f"ALTER ROLE mill PASSWORD '{self.passwords[-1]}'")
        ask(self.server.url(), END)
        time.sleep(0.5)
        self.manager.put_secret_value(SecretId=NAME, SecretString=self._said())

    def _said(self) -> str:
        return json.dumps({"username": "mill", "password": self.passwords[-1]})


async def bell_is_back(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while "mediamill_doorbell_connected 1.0" not in (await client.get("/metrics")).text:
            await asyncio.sleep(0.1)


async def rotate_in_turn(folder, monkeypatch, times: int, roles: list[str]):
    """Rotate so many times; return what people were told, how long until they could write."""
    home, history, back = folder / "home", History(), []
    (folder / "keepers").mkdir()
    with postgres_server(rules=RULES) as server, secret_server(folder / "keepers") as keepers:
        rotation = Rotation(server, keepers)
        for name, value in keepers.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("MEDIAMILL_STORE_URL", rotation.url(keepers))
        async with running(roles[0], home, **SHORT) as api, signed_in(api) as client:
            others = [running(role, home, **SHORT) for role in roles[1:]]
            workers = [await other.__aenter__() for other in others]
            try:
                load = Load(client, history)
                people = [asyncio.create_task(load.go_on()) for _ in range(3)]
                for _ in range(times):
                    await asyncio.sleep(1)
                    await asyncio.to_thread(rotation.turn)
                    begun = time.monotonic()
                    await load.upload()
                    back.append(time.monotonic() - begun)
                    await asyncio.gather(*(person for person in people if person.done()))
                for person in people:
                    person.cancel()
                await asyncio.gather(*people, return_exceptions=True)
                await all_ended(client, history)
                await bell_is_back(client)
                monkeypatch.setenv(
                    "MEDIAMILL_STORE_URL", f"postgresql://postgres@127.0.0.1:{server.port}/mill"
                )
                assert await history.check(client, Settings(home=home, min_free_bytes=0)) == []
                assert all(process.child.poll() is None for process in (api, *workers))
            finally:
                for other in others:
                    await other.__aexit__(None, None, None)
        for process in (api, *workers):
            log = process.log()
            errors = [line for line in log.splitlines() if '"level": "error"' in line]
            assert all('"doorbell_refused"' in line for line in errors), errors[:5]
            assert not [password for password in rotation.passwords if password in log]
            assert "secret_changed" in log
    return load, back


@pytest.mark.embedded("it has a server of its own, whose passwords it changes")
@pytest.mark.parametrize(
    ("times", "roles"),
    [(1, ["up"]), pytest.param(20, ["api", "worker", "worker"], marks=pytest.mark.soak)],
    ids=["once", "20 times"],
)
@pytest.mark.timeout(1200)
async def test_a_rotated_password_is_an_interruption(tmp_path, monkeypatch, times, roles):
    load, back = await rotate_in_turn(tmp_path, monkeypatch, times, roles)
    done = f"{len(load.history.uploads)} uploads, {len(load.history.jobs)} jobs"
    print(f"{times} rotations, {done}; told {dict(load.told)}; back after ≤ {max(back):.1f} s")
    assert set(load.told) <= {200, 201, 202, 503}
    assert max(back) <= (WITHIN if times > 1 else AT_LAST)
