"""The web application over a real `App` on a temporary home."""

from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from mediamill.app import App
from mediamill.core.clock import FixedClock
from mediamill.core.logs import configure_logging
from mediamill.core.settings import Settings
from mediamill.web.app import create_app

PASSWORD = "a long enough secret"


@dataclass
class Person:
    """Somebody signed in, with a client of theirs."""

    client: httpx.AsyncClient
    token: str
    id: str
    email: str


@pytest.fixture
async def mill(tmp_path):
    settings = Settings(home=tmp_path / "home", slots=1, min_free_bytes=0)
    async with await App.open(settings) as app:
        yield app


@pytest.fixture
def web(mill):
    return create_app(mill)


@pytest.fixture
async def clock(mill, monkeypatch):
    """The store's clock, moved by hand: no lease ends because somebody was slow."""
    by_hand = FixedClock(await mill.store.now())

    async def now():
        return by_hand.now()

    monkeypatch.setattr(mill.store, "now", now)
    return by_hand


@pytest.fixture
async def nobody(web):
    async with client_of(web) as client:
        yield client


@asynccontextmanager
async def client_of(web, **headers):
    transport = httpx.ASGITransport(web)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://mill.test", headers=headers
    ) as client:
        yield client


def main_of(page: str) -> str:
    """Return what is in the frame of a page: without the dialogs that wait for scripts."""
    return page.partition("<main")[2].partition("</main>")[0]


@asynccontextmanager
async def person(web, name):
    """Register and sign somebody in; their client shows the token."""
    email = f"{name}@example.org"
    async with client_of(web) as client:
        body = {"email": email, "password": PASSWORD}
        registered = await client.post("/v1/auth/register", json=body)
        assert registered.status_code == 201, registered.text
        session = (await client.post("/v1/auth/login", json=body)).json()
    async with client_of(web, authorization=f"Bearer {session['token']}") as client:
        yield Person(client, session["token"], session["user"]["id"], email)


@pytest.fixture
async def admin(web):
    async with person(web, "root") as found:
        yield found


@pytest.fixture
async def ann(web, admin):
    async with person(web, "ann") as found:
        yield found


@pytest.fixture
async def bob(web, admin):
    async with person(web, "bob") as found:
        yield found


@pytest.fixture(autouse=True)
def plain_log():
    """Log as in production: tracebacks without local variables."""
    configure_logging("json", "error")
