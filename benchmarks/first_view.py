"""How soon a first view can be used: pages of a real service in a real Chromium that kept nothing.

    .venv/bin/python benchmarks/first_view.py [--rounds 5]

For each page: bytes over the line without users' data, and the milliseconds from the navigation's
begin to the first contentful paint, and until the page can be used: its scripts have run with all
that they await (`tests/support/usable.py`), such as the first rows of a list. The installation has
the sample project of 24 images and a job with its frames. Service, worker and browser share this
machine; printed are medians, and the worst time of all rounds. Aim: used within a second.
"""

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from playwright.async_api import Browser, Page, async_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripts.chromium import CHROMIUM, FLAGS
from tests.media_factory import clip
from tests.support.usable import usable, watched

PATHS = (
    "/", "/files/{file}", "/jobs", "/jobs/new?files={file}", "/jobs/{job}", "/projects",
    "/projects/{project}", "/projects/{project}/annotate/{file}", "/projects/{project}/process",
    "/captions", "/prompts", "/account", "/admin", "/docs",
)  # fmt: skip
PAINTED = """() => {
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  return paint ? paint.startTime : 0;
}"""


async def main() -> None:
    """Measure each page, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
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
                await measure(chromium, link, Path(folder), rounds)
                await chromium.close()
        finally:
            process.terminate()
            process.wait(40)


async def measure(browser: Browser, link: str, folder: Path, rounds: int) -> None:
    """Open each page some times, in turns."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(link)
    await page.wait_for_url(re.compile("/$"))
    base = link.partition("/signin")[0]
    ids = await filled(page, base, folder)
    state = folder / "state.json"
    await context.storage_state(path=state)
    found: dict[str, list[tuple[float, float, float]]] = {path: [] for path in PATHS}
    for _ in range(rounds):
        for path, times in found.items():
            times.append(await view(browser, base + path.format(**ids), state))
    print(f"{'page':37} {'kB':>6} {'painted ms':>11} {'usable ms':>10} {'worst':>6}")
    for path, times in found.items():
        size, painted, ready = (median(column) for column in zip(*times, strict=True))
        worst = max(one[2] for one in times)
        name = re.sub(r"\{\w+\}", "…", path)
        print(f"{name:37} {size / 1000:6.1f} {painted:11.0f} {ready:10.0f} {worst:6.0f}")


async def filled(page: Page, base: str, folder: Path) -> dict[str, str]:
    """Put something into the service; return the ids of it."""
    asking = page.request
    headers = {"Origin": base}
    sample = await asking.post(f"{base}/v1/projects/sample", headers=headers)
    project = sample.headers["location"].rpartition("/")[2]
    while (await (await asking.get(f"{base}/v1/projects/{project}")).json())["files"] < 24:
        await page.wait_for_timeout(200)
    listed = await (await asking.get(f"{base}/v1/projects/{project}/files")).json()
    film = clip(folder / "film.mp4", seconds=10)
    raw = {**headers, "Content-Type": "application/octet-stream"}
    put = await asking.post(f"{base}/v1/files?name=film.mp4", data=film.read_bytes(), headers=raw)
    step = {"operation": "extract-frames", "parameters": {"every": 1}}
    wanted = {"files": [(await put.json())["id"]], "steps": [step]}
    job = await (await asking.post(f"{base}/v1/jobs", data=wanted, headers=headers)).json()
    await asking.get(f"{base}/v1/jobs/{job['id']}?wait=60", timeout=90_000)
    return {"project": project, "file": listed["data"][0]["id"], "job": job["id"]}


async def view(browser: Browser, address: str, state: Path) -> tuple[float, float, float]:
    """Open a page in a context that has nothing but the session; return bytes and two times."""
    context = await browser.new_context(storage_state=state)
    await watched(context)
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
    ready = await usable(page)
    painted = await page.evaluate(PAINTED)
    await context.close()
    return sum(size for url, size in sizes.items() if "/v1/" not in url), painted, ready


if __name__ == "__main__":
    asyncio.run(main())
