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
