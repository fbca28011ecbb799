"""When a page can be used: when its scripts have run, with what they wait for at their top level.

A page's script awaits what somebody needs before the first press, such as the list of a page of
files. `DOMContentLoaded` does not wait for that.
"""

import asyncio

WATCH = """addEventListener("DOMContentLoaded", () => {
  const scripts = [...document.querySelectorAll("script[type=module][src]")];
  Promise.allSettled(scripts.map((one) => import(one.src))).then(() => performance.mark("usable"));
});"""
TOLD = """() => new Promise((told) => {
  new PerformanceObserver((list) => {
    for (const mark of list.getEntriesByName("usable")) told(mark.startTime);
  }).observe({ type: "mark", buffered: true });
})"""


async def watched(context) -> None:
    """Have all pages of a context tell when they can be used."""
    await context.add_init_script(WATCH)


async def usable(page) -> float:
    """Wait until a page can be used; return after how many milliseconds that was."""
    async with asyncio.timeout(100):
        return await page.evaluate(TOLD)
