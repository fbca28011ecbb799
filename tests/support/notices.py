"""Notices at the foot of a page that stand for as long as a test looks at them."""

from playwright.async_api import BrowserContext

STAND = """(() => {
  const soon = window.setTimeout;
  const notices = [4000, 6000, 12000];
  window.setTimeout = (run, wait, ...more) => notices.includes(wait) ? 0 : soon(run, wait, ...more);
})()"""


async def lasting(context: BrowserContext) -> None:
    """Keep the notices of all pages that come from now on, however slow the machine is."""
    await context.add_init_script(STAND)
