"""How soon a first view is there: pages of a real service in a real Chromium that kept nothing.

For each page: bytes over the line without users' pictures, the time to `DOMContentLoaded`, which
comes when all modules have run, and to the first contentful paint. Aim: less than a second.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from playwright.async_api import Browser, async_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
PATHS = (
    "/",
    "/jobs",
    "/jobs/new",
    "/projects",
    "/captions",
    "/prompts",
    "/account",
    "/admin",
    "/docs",
)
ROUNDS = 5
TIMES = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return [page.domContentLoadedEventEnd, paint ? paint.startTime : 0];
}"""


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "mediamill", "up", "--home", f"{folder}/home", "--port=0"]
        settings = {**os.environ, "MEDIAMILL_MIN_FREE_BYTES": "0"}
        process = subprocess.Popen(  # noqa: ASYNC220 - before anything is waited for
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=settings
        )
        try:
            lines = iter(process.stdout or ())
            link = next(one[0] for line in lines if (one := re.search(r"http\S+token=\S+", line)))
            async with async_playwright() as playwright:
                chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                await measure(chromium, link, Path(folder))
                await chromium.close()
        finally:
            process.terminate()
            process.wait(40)


async def measure(browser: Browser, link: str, folder: Path) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(link)
    await page.wait_for_url(re.compile("/$"))
    state = folder / "state.json"
    await context.storage_state(path=state)
    base = link.partition("/signin")[0]
    print(f"{'page':12} {'kB':>6} {'ready ms':>9} {'painted ms':>11}")
    for path in PATHS:
        found = [await view(browser, base + path, state) for _ in range(ROUNDS)]
        size, ready, painted = (median(column) for column in zip(*found, strict=True))
        print(f"{path:12} {size / 1000:6.1f} {ready:9.0f} {painted:11.0f}")


async def view(browser: Browser, address: str, state: Path) -> tuple[float, float, float]:
    """Open a page in a context that has nothing but the session; return bytes and two times."""
    context = await browser.new_context(storage_state=state)
    page = await context.new_page()
    line = await context.new_cdp_session(page)
    await line.send("Network.enable")
    addresses: dict[str, str] = {}
    sizes: dict[str, float] = {}
    line.on(
        "Network.requestWillBeSent",
        lambda one: addresses.__setitem__(one["requestId"], one["request"]["url"]),
    )
    line.on(
        "Network.loadingFinished",
        lambda one: sizes.__setitem__(addresses[one["requestId"]], one["encodedDataLength"]),
    )
    await page.goto(address)
    ready, painted = await page.evaluate(TIMES)
    await context.close()
    return sum(size for url, size in sizes.items() if "/v1/" not in url), ready, painted


if __name__ == "__main__":
    asyncio.run(main())
