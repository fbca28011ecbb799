"""A real service and a real Chromium."""

import re
import shutil
import time

import pytest
from playwright.async_api import async_playwright

from tests.support.processes import running
from tests.support.services import unavailable

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
async def service(tmp_path):
    """Run it with a short lease: progress is written at each third of it."""
    settings = {"slots": 2, "min_free_bytes": 0, "lease_seconds": 3}
    async with running("up", tmp_path / "home", **settings) as process:
        yield process


@pytest.fixture
def link(service):
    """The one-time sign-in link that the service printed."""
    for _ in range(100):
        if found := re.search(r"http\S+/signin\?token=\S+", service.log()):
            return found[0]
        time.sleep(0.05)
    raise AssertionError(service.log())


@pytest.fixture
async def browser():
    if shutil.which(CHROMIUM) is None:
        unavailable("these tests need Chromium: apt install chromium")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        await chromium.close()


@pytest.fixture
async def page(browser, link):
    """A signed-in page; what its scripts complain of, or its policy refuses, is a failure."""
    context = await browser.new_context(viewport={"width": 1100, "height": 800})
    page = await context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: _note(message, complaints))
    page.on("request", lambda request: _same_host(request, link, complaints))
    await page.goto(link)
    await page.wait_for_url(re.compile(r"^http://[^/]+/$"))
    yield page
    assert complaints == []


def _note(message, complaints):
    expected = "Failed to load resource"
    if message.type == "error" and not message.text.startswith(expected):
        complaints.append(message.text)


def _same_host(request, link, complaints):
    if not request.url.startswith((link.partition("/signin")[0], "blob:")):
        complaints.append(f"asked {request.url}")
