"""Keys pressed in forms, as by somebody who sees that the form can be sent."""

from playwright.async_api import Page

READY = "!document.activeElement.form?.querySelector('[type=submit]')?.disabled"


async def enter(page: Page) -> None:
    """Press Enter once the script of the form in focus is there, as its button says."""
    await page.wait_for_function(READY)
    await page.keyboard.press("Enter")
