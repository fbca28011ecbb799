"""A real Chromium for the whole session, and a real service for all tests of a module.

Each test has a person of its own, who has nothing yet; where a service must be fresh, it is.
"""

import os
import re
import time

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright, expect
from scripts.chromium import CHROMIUM, FLAGS

from tests.conftest import chosen
from tests.support.notices import lasting
from tests.support.processes import running
from tests.support.services import unavailable

expect.set_options(timeout=30_000)
COPY = ["clipboard-read", "clipboard-write"]
"""A press of a button is enough in a browser with a window."""


SETTINGS = {"slots": 2, "min_free_bytes": 0}
LIVELY = {**SETTINGS, "lease_seconds": 2}
"""A short lease: progress is written at each third of it."""
MODULE = {"scope": "module", "loop_scope": "session"}
SESSION = {"scope": "session", "loop_scope": "session"}


@pytest_asyncio.fixture(**MODULE)
async def everybodys(request, servers, tmp_path_factory):
    """The service of all tests of a module."""
    home = tmp_path_factory.mktemp("service") / "home"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in servers.environment(chosen(request.config)).items():
            patch.setenv(name, value)
        given = getattr(request.module, "SERVICE", LIVELY)
        async with running("up", home, **given) as process:
            yield process


@pytest_asyncio.fixture(loop_scope="session")
async def service(tmp_path):
    """A service that nobody has used."""
    async with running("up", tmp_path / "home", **SETTINGS) as process:
        yield process


@pytest.fixture
def link(service):
    """The one-time sign-in link that the service printed."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if found := re.search(r"http\S+/signin\?token=\S+", service.log()):
            return found[0]
        time.sleep(0.05)
    raise AssertionError(service.log())


@pytest_asyncio.fixture(**SESSION)
async def browser():
    if CHROMIUM is None:
        unavailable("these tests need Chromium: apt install chromium-headless-shell")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser, everybodys):
    """A signed-in page; what its scripts complain of, or its policy refuses, is a failure."""
    base = f"http://127.0.0.1:{everybodys.port}"
    account = {
        "email": f"someone-{os.urandom(4).hex()}@example.org",
        "password": "correct horse battery",
    }
    context = await browser.new_context(viewport={"width": 1100, "height": 800}, permissions=COPY)
    await lasting(context)
    for step in ("register", "login"):
        answer = await context.request.post(f"{base}/v1/auth/{step}", data=account)
        assert answer.ok, await answer.text()
    page = await context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: _note(message, complaints))
    page.on("request", lambda request: _same_host(request, base, complaints))
    await page.goto(f"{base}/")
    await page.wait_for_url(re.compile(r"^http://[^/]+/$"))
    yield page
    await context.close()
    assert complaints == []


def _note(message, complaints):
    expected = "Failed to load resource"
    if message.type == "error" and not message.text.startswith(expected):
        complaints.append(message.text)


def _same_host(request, base, complaints):
    if not request.url.startswith((base, "blob:")):
        complaints.append(f"asked {request.url}")
