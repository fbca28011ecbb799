"""Uploads of 200 files of 1 MB in a browser: through our page, beside the shortest script.

    .venv/bin/python benchmarks/browser_upload.py [--files 200] [--megabytes 1] [--rounds 3]

The yardstick is `fetch` of the same bytes to `POST /v1/files` in the same page, as many at once,
and nothing else: no digest, no key by which a repeat is found, no progress, no list. Both answer
when the bytes are durable and looked at. Chromium and the service share this machine.
Runs alternate, each with files of its own; printed are medians of seconds, and the ratio of rates,
ours / yardstick, last: above 1 is faster. Ours also says the longest time that the page stood still
while 10,000 small files were added, and how many elements it has with them.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from statistics import median

from playwright.async_api import async_playwright

from common import client, free_port, process

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripts.chromium import CHROMIUM, FLAGS

ACCOUNT = {"email": "bench@example.org", "password": "correct horse battery"}
MAKE = """() => { window.made = (count, size) => Array.from({length: count}, (_, n) => {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return new File([bytes], `${n}.bin`, {lastModified: performance.now() * 1000});
}); }"""
OURS = """async ([count, size]) => {
  const { upload } = await import("/static/upload.js");
  const files = window.made(count, size);
  const before = performance.now();
  let left = count;
  await new Promise((resolve) => {
    document.addEventListener("mediamill:file", () => (left -= 1) || resolve());
    upload(files);
  });
  return (performance.now() - before) / 1000;
}"""
PLAIN = """async ([count, size]) => {
  const files = window.made(count, size);
  const before = performance.now();
  const send = async () => {
    for (let file = files.pop(); file; file = files.pop()) {
      const headers = {"Content-Type": "application/octet-stream"};
      const asked = {method: "POST", headers, body: file};
      const answer = await fetch(`/v1/files?name=${file.name}`, asked);
      if (!answer.ok) throw new Error(await answer.text());
    }
  };
  await Promise.all([send(), send(), send(), send()]);
  return (performance.now() - before) / 1000;
}"""
ADDED = """async () => {
  const { upload } = await import("/static/upload.js");
  const files = Array.from({length: 10_000}, (_, n) => new File([String(n)], `${n}.txt`));
  await new Promise((resolve) => { setTimeout(resolve, 500); });
  let longest = 0;
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) longest = Math.max(longest, task.duration);
  }).observe({type: "longtask"});
  await upload(files);
  await new Promise((resolve) => { setTimeout(resolve, 500); });
  return [longest, document.querySelectorAll("*").length];
}"""


async def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--megabytes", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    asked = [given.files, int(given.megabytes * 1e6)]
    seconds: dict[str, list[float]] = {"plain fetch": [], "our page": []}
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        with process("up", Path(folder) / "home", port, min_free_bytes=0):
            async with client(port, ""), async_playwright() as playwright:
                chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                context = await chromium.new_context(base_url=f"http://127.0.0.1:{port}")
                for step in ("register", "login"):
                    await context.request.post(f"/v1/auth/{step}", data=ACCOUNT)
                for _ in range(given.rounds):
                    for name, script in (("plain fetch", PLAIN), ("our page", OURS)):
                        page = await context.new_page()
                        await page.goto("/captions")
                        await page.evaluate(MAKE)
                        seconds[name].append(await page.evaluate(script, asked))
                        await page.close()
                page = await context.new_page()
                await page.goto("/captions")
                await page.route("**/v1/files?name=*", lambda route: route.abort())
                longest, elements = await page.evaluate(ADDED)
                await chromium.close()
    for name, runs in seconds.items():
        print(f"{name}: {median(runs):.2f} s")
    print(f"10,000 files added: longest task {longest:.0f} ms, {elements} elements on the page")
    print(f"ratio {median(seconds['plain fetch']) / median(seconds['our page']):.2f}")


if __name__ == "__main__":
    asyncio.run(main())
