"""One service for all tests of a module, each with people of its own: a start is a second.

A module takes what it wants from here, and says how its service is set up:

    from tests.web.one_service import ann, bob, mill, web  # noqa: F401 - fixtures

    pytestmark = pytest.mark.asyncio(loop_scope="module")
    SETTINGS = {"fetch_allow": "127.0.0.1:*"}
"""

import os

import pytest
import pytest_asyncio

from mediamill.app import App
from mediamill.core.settings import Settings
from mediamill.web.app import create_app
from tests.conftest import chosen
from tests.support.receivers import receiver
from tests.web.conftest import client_of, person

ONCE = {"scope": "module", "loop_scope": "module"}


@pytest_asyncio.fixture(**ONCE)
async def mill(request, servers, tmp_path_factory):
    home = tmp_path_factory.mktemp("service") / "home"
    given = {"slots": 1, "min_free_bytes": 0, **getattr(request.module, "SETTINGS", {})}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in servers.environment(chosen(request.config)).items():
            patch.setenv(name, value)
        async with await App.open(Settings(home=home, **given)) as app:
            yield app


@pytest_asyncio.fixture(**ONCE)
async def web(mill):
    """The application, whose administrator is none of the people below."""
    web = create_app(mill)
    async with person(web, "root"):
        yield web


@pytest_asyncio.fixture(loop_scope="module")
async def ann(web):
    async with person(web, f"ann-{os.urandom(4).hex()}") as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def bob(web):
    async with person(web, f"bob-{os.urandom(4).hex()}") as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def nobody(web):
    async with client_of(web) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def there():
    """A receiver of webhooks."""
    async with receiver() as made:
        yield made
