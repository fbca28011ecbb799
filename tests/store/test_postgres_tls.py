"""PostgreSQL under TLS: who is asked, by which authority, and what is refused."""

import tempfile
from pathlib import Path

import pytest
from tests.support.certificates import certificates
from tests.support.postgres import postgres_server

from mediamill.core.errors import ConfigurationError, Unavailable
from mediamill.store.opening import open_store, probe_store


@pytest.fixture(scope="module")
def server():
    """A server that lets nobody in without TLS but by its socket."""
    rules = "hostnossl all all 0.0.0.0/0 reject\n"
    with tempfile.TemporaryDirectory(prefix="mm-") as folder:  # a socket's path is short
        Path(folder).chmod(0o777)
        sockets = {"unix_socket_directories": folder}
        with postgres_server(rules=rules, settings=sockets, secure=True) as running:
            running.socket = folder
            running.url = lambda database="postgres": (
                f"postgresql://postgres@localhost:{running.port}/{database}?hostaddr=127.0.0.1"
            )
            yield running


async def test_a_connection_under_tls(server):
    url = f"{server.url()}&sslmode=verify-full&sslrootcert={server.folder}/authority.pem"
    store = await open_store(url)
    try:
        async with store._pool.connection() as connection:
            said = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            assert await (await connection.execute(said)).fetchone() == (True,)
    finally:
        await store.close()
    assert "under TLS" in await probe_store(url)


@pytest.mark.parametrize(
    ("query", "said"),
    [("sslmode=disable", "pg_hba.conf"), ("sslmode=verify-full&sslrootcert={other}", "SSL error"),
     ("sslmode=verify-full&sslrootcert={own}&host=db.example&allow_plaintext=true", "db.example")],
)  # fmt: skip
async def test_what_is_refused(server, tmp_path, query, said):
    other = certificates(tmp_path).authority
    query = query.format(other=other, own=server.folder / "authority.pem")
    with pytest.raises((ConfigurationError, Unavailable)) as refused:
        await open_store(f"{server.url()}&{query}")
    assert said in refused.value.message


async def test_a_socket_without_a_host(server, monkeypatch):
    """`postgresql:///database`: libpq looks for the socket where it is told by the environment."""
    for name, value in (("HOST", server.socket), ("PORT", server.port), ("USER", "postgres")):
        monkeypatch.setenv(f"PG{name}", str(value))
    for url in (
        "postgresql:///postgres",
        "postgresql:///postgres?pool=2",
        "postgresql://@/postgres",
    ):
        store = await open_store(url)
        async with store._pool.connection() as connection:
            said = "SELECT current_database(), inet_client_addr()"
            assert await (await connection.execute(said)).fetchone() == ("postgres", None)
        await store.close()


async def test_a_server_without_tls(servers):
    url = servers.postgres.database("clear")
    with pytest.raises(ConfigurationError, match="SSL"):
        await open_store(f"{url}?sslmode=require")
    assert "in the clear" in await probe_store(url)
