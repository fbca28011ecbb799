"""Whether a page can be used by everybody: judged by axe, in both themes, on a desk and a phone."""

import asyncio
from pathlib import Path

import axe_playwright_python

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
PHONE = {"width": 375, "height": 812}
GRAVE = {"serious", "critical"}
OF_LOOKS = ("color-contrast", "target-size", "scrollable-region-focusable")
"""Rules of axe whose outcome theme and width can change."""
BEYOND = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [document.documentElement.scrollWidth + " px",
   ...[...document.querySelectorAll("body *")]
    .filter((it) => it.getBoundingClientRect().right > innerWidth + 1)
    .slice(0, 5).map((it) => it.outerHTML.slice(0, 150))]"""


async def judged(page) -> None:
    """Assert that axe finds nothing grave and that nothing scrolls sideways on a phone.

    It is read in light as wide as it is, and in dark on a phone by the rules that theme and width
    can change: what is wrong in one theme or at one width shows in one of both.
    """
    size = page.viewport_size
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")
    assert await faults(page) == [], page.url
    await page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    await page.set_viewport_size(PHONE)
    assert await faults(page, *OF_LOOKS) == [], page.url
    assert await sideways(page) == [], page.url
    await page.emulate_media(color_scheme="null", reduced_motion="null")
    await page.set_viewport_size(size)


async def faults(page, *only: str) -> list[str]:
    """Return what axe finds to be in the way of somebody, by all its rules or by some."""
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(AXE)
    options = {"resultTypes": ["violations"]} | ({"runOnly": list(only)} if only else {})
    found = await page.evaluate("options => axe.run(options)", options)
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0]['failureSummary'][:300]}"
        for one in found["violations"]
        if one["impact"] in GRAVE
    ]


async def sideways(page) -> list[str]:
    """Return what reaches beyond the right edge, if the page can be moved sideways.

    What scripts lay out follows a new size of the window a moment later.
    """
    for _ in range(100):
        if not (beyond := await page.evaluate(BEYOND)):
            break
        await asyncio.sleep(0.1)
    return beyond
