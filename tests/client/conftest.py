"""One suite for both clients: what is awaited is awaited for the test, in a loop of its own."""

import inspect
import io
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from PIL import Image

from mediamill.cli.remote.home import Credentials
from mediamill.client import AsyncMediamill, Mediamill, Retries
from tests.cli.conftest import clip, service  # noqa: F401 - fixtures
from tests.support.faulty import Faulty, faulty_server
from tests.support.listening import beside

QUICK = Retries(tries=6, first=0.02, longest=0.2, total=60)


class Waited:
    """A client or a resource of one whose calls are awaited before they return."""

    def __init__(self, one: Any, portal: BlockingPortal) -> None:
        self._one, self._portal = one, portal

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._one, name)
        if not callable(found):
            return Waited(found, self._portal) if hasattr(found, "calls") else found

        def call(*args: Any, **kwargs: Any) -> Any:
            async def made() -> Any:
                answer = found(*args, **kwargs)
                return await answer if inspect.isawaitable(answer) else answer

            answer = self._portal.call(made)
            return self._given(answer) if hasattr(answer, "__anext__") else answer

        return call

    def _given(self, rows: Any) -> Iterator[Any]:
        end = object()

        async def following() -> Any:
            return await anext(rows, end)

        try:
            while (row := self._portal.call(following)) is not end:
                yield row
        finally:
            self._portal.call(rows.aclose)


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(params=["blocking", "awaited"])
def connect(request: pytest.FixtureRequest, portal: BlockingPortal):
    """Return what opens a client of either kind; all are closed in the end."""
    made: list[Any] = []

    def open_(server: str, token: str, **options: Any) -> Any:
        options = {"retries": QUICK, **options}
        if request.param == "blocking":
            made.append(client := Mediamill(server, token, **options))
            return client

        async def begin() -> AsyncMediamill:
            return AsyncMediamill(server, token, **options)

        made.append(client := Waited(portal.call(begin), portal))
        return client

    yield open_
    for client in made:
        client.close()


@pytest.fixture
def client(connect, service: Credentials):
    return connect(service.server, service.token)


@pytest.fixture
def picture() -> bytes:
    """A picture that no other test has."""
    noise = np.random.default_rng().integers(0, 255, (48, 64, 3), np.uint8)
    made = io.BytesIO()
    Image.fromarray(noise).save(made, "PNG")
    return made.getvalue()


@pytest.fixture(scope="session")
def faults(service: Credentials) -> Iterator[Faulty]:
    """A way to the service on which things go wrong as a test says."""
    with beside(faulty_server(service.server)) as faulty:
        yield faulty


@pytest.fixture
def far(connect, service: Credentials, faults: Faulty):
    """A client that goes through `faults`."""
    faults.clear()
    yield connect(f"http://127.0.0.1:{faults.port}", service.token)
    faults.clear()


@pytest.fixture
def some(tmp_path: Path):
    """Return what writes a file of so many random bytes."""

    def write(size: int, name: str = "some.bin") -> Path:
        path = tmp_path / name
        path.write_bytes(random.Random(time.time_ns()).randbytes(size))
        return path

    return write
