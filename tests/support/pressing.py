"""Keys pressed in forms, as by somebody who sees that the form can be sent."""

from playwright.async_api import Page, expect


async def enter(page: Page) -> None:
    """Press Enter once the script of the form in focus is there, as its button says."""
    sending = page.locator("form:focus-within [type=submit]")
    if await sending.count():
        await expect(sending.first).to_be_enabled()
    await page.keyboard.press("Enter")


async def account_menu(page: Page, item: str) -> None:
    """Press something in the menu of the account, in the head of every page."""
    await page.locator("header").get_by_text("Account", exact=True).click()
    await page.locator("header").get_by_text(item, exact=True).click()


async def sure(page: Page, answer: str) -> None:
    """Answer the question that stands before what cannot be undone."""
    await page.get_by_role("dialog").get_by_role("button", name=answer, exact=True).click()


STOPS = """() => {
  const shown = (it, pseudo = null) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(it, pseudo);
    return outlineStyle !== "none" && parseFloat(outlineWidth) > 0 && it.checkVisibility();
  };
  window.stops = { last: null, seen: new Set(), around: false, faint: [] };
  document.activeElement.blur();
  document.addEventListener("focusin", ({ target }) => {
    if (target === stops.last) return;
    stops.last = target;
    if (stops.seen.has(target)) stops.around = true;
    stops.seen.add(target);
    const about = [target, ...(target.labels || [])];
    if (about.some((it) => shown(it)) || shown(target, "::after")) return;
    stops.faint.push(target.outerHTML.slice(0, 200));
  });
}"""


async def faint(page: Page, most: int = 200) -> list[str]:
    """Go through a page by Tab; return where nobody would see that the keyboard stands there."""
    await page.evaluate(STOPS)
    for _ in range(0, most, 10):
        for _ in range(10):
            await page.keyboard.press("Tab")
        if await page.evaluate("stops.around || document.activeElement === document.body"):
            break
    assert await page.evaluate("stops.seen.size"), "Tab leads nowhere"
    await page.evaluate("document.activeElement.blur()")
    return await page.evaluate("stops.faint")


async def tabbed(page: Page, target) -> None:
    """Press Tab until something has the focus."""
    for _ in range(80):
        await page.keyboard.press("Tab")
        if await target.evaluate("it => it === document.activeElement"):
            return
    raise AssertionError(f"Tab does not lead to {target}")
