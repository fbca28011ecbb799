"""The page of files with 10,000 of them: first pictures, longest task while it scrolls, elements.

    .venv/bin/python benchmarks/grid.py [--files 10000] [--runs 3]

The real service on SQLite with its worker, and Chromium on the same machine. The page is scrolled
by wheel, in steps of more than a screen, dragged to forty places, then End and Home are pressed.
A task is what keeps the page from answering: told by the wall, and by the processor time that it
took, which bears the load of others. The aims: no task over 100 ms, at most 2,000 elements.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.async_api import Browser, Page, async_playwright

from common import free_port, process

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripts.chromium import CHROMIUM, FLAGS
from tests.support.many_files import add_files

from mediamill.app import App
from mediamill.core.settings import Settings

CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline", "toplevel"]
PICTURES = "[...document.querySelectorAll('#grid img')].filter((it) => it.naturalWidth).length > 5"
NODES = "document.querySelectorAll('*').length"
ACCOUNT = {"email": "grid@example.org", "password": "correct horse battery"}


async def measure(folder: Path, files: int, runs: int) -> None:
    """Open the page some times and scroll through it."""
    port = free_port()
    with process("up", folder / "home", port, slots=1):
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            found = [await one(browser, port, folder, files, n) for n in range(runs)]
            await browser.close()
    for name, unit in (("first pictures", "s"), ("nodes", ""), ("task, wall", "ms"),
                       ("task, processor", "ms"), ("script, processor", "ms")):  # fmt: skip
        values = [run[name] for run in found]
        print(f"{name:18} median {median(values):,.4g} {unit}, most {max(values):,.4g} {unit}")


async def one(
    browser: Browser, port: int, folder: Path, files: int, number: int
) -> dict[str, float]:
    """Measure one visit by somebody who never came before; return what was found."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    page, base = await context.new_page(), f"http://127.0.0.1:{port}"
    account = {**ACCOUNT, "email": f"{number}{ACCOUNT['email']}"}
    for step in ("register", "login"):
        await up(context.request, f"{base}/v1/auth/{step}", account)
    me = await (await context.request.get(f"{base}/v1/me")).json()
    await add_files(folder / "home", me["id"], files)
    began = time.perf_counter()
    await page.goto(f"{base}/")
    await until(page, PICTURES)
    first = time.perf_counter() - began
    await until(page, f"document.getElementById('count').textContent.includes('{files:,}')")
    trace = folder / "trace.json"
    await browser.start_tracing(page=page, path=trace, categories=CATEGORIES)
    nodes = await scrolled(page)
    await browser.stop_tracing()
    await context.close()
    return {"first pictures": first, "nodes": nodes, **tasks(trace)}


async def until(page: Page, holds: str) -> None:
    """Wait until something holds on the page, whose policy lets no string wait for itself."""
    while not await page.evaluate(holds):
        await page.wait_for_timeout(10)


async def up(request, address: str, account: dict[str, str]) -> None:
    """Send something, again while the service is not there yet."""
    for _ in range(120):
        try:
            if (await request.post(address, data=account)).ok:
                return
        except Exception:  # it begins to listen in a moment
            pass
        await asyncio.sleep(0.5)
    raise AssertionError(address)


async def scrolled(page: Page) -> int:
    """Go through the page in each way; return the most elements that it had."""
    most = 0
    await page.mouse.move(600, 600)
    for _ in range(40):
        await page.mouse.wheel(0, 1200)
        await page.wait_for_timeout(30)
        most = max(most, await page.evaluate(NODES))
    tall = await page.evaluate("document.documentElement.scrollHeight")
    for place in range(40):
        await page.evaluate(f"scrollTo(0, {tall * place / 40})")
        await page.wait_for_timeout(30)
        most = max(most, await page.evaluate(NODES))
    await page.locator("#grid [data-focus]").first.focus()
    for key in ("End", "Home"):
        await page.keyboard.press(key)
        await page.wait_for_timeout(600)
        most = max(most, await page.evaluate(NODES))
    return most


def tasks(trace: Path) -> dict[str, float]:
    """Return the longest task of the page's own thread, and of the scripts in it (ms)."""
    events = json.loads(trace.read_text())["traceEvents"]
    mains = {
        (one["pid"], one["tid"]) for one in events
        if one.get("name") == "thread_name" and one["args"]["name"] == "CrRendererMain"
    }  # fmt: skip
    whole = [one for one in events if one.get("ph") == "X" and (one["pid"], one["tid"]) in mains]
    run = [one for one in whole if one["name"] in {"RunTask", "ThreadControllerImpl::RunTask"}]
    calls = [one for one in whole if one["name"] in {"FunctionCall", "FireAnimationFrame"}]
    return {
        "task, wall": max(one.get("dur", 0) for one in run) / 1000,
        "task, processor": max(one.get("tdur", 0) for one in run) / 1000,
        "script, processor": max(one.get("tdur", 0) for one in calls) / 1000,
    }


async def prepared(home: Path) -> None:
    """Make the home, so that the service finds an administrator there."""
    async with await App.open(Settings(home=home, log_level="error")) as app:
        await app.accounts.redeem(await app.accounts.sign_in_secret())


def main() -> None:
    """Measure in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(prepared(Path(folder) / "home"))
        asyncio.run(measure(Path(folder), options.files, options.runs))


if __name__ == "__main__":
    main()
