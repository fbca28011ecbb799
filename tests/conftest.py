"""Which store the tests run on: `--store postgresql` gives each test a database of its own."""

import os
from collections.abc import Iterator
from itertools import count

import pytest

from tests.support.postgres import PostgresServer, postgres_server

numbers = count()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store", choices=("sqlite", "postgresql"), default="sqlite")


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """Run a server for the session, with a database `mill` that has our tables."""
    with postgres_server() as server:
        yield server


@pytest.fixture(autouse=True)
def chosen_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.config.getoption("store") == "sqlite":
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"test-{os.getpid()}-{next(numbers)}"
    monkeypatch.setenv("MEDIAMILL_STORE_URL", server.database(name))
