"""The first way in and out: by the link, and by an account of one’s own."""

import asyncio
import re

import pytest
from playwright.async_api import expect

from tests.support.pressing import account_menu, enter

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_preview_does_not_spend_the_link_and_it_works_once(link, browser):
    """A link preview fetches the page without running it."""
    for scripts, expected in ((False, False), (True, True), (True, False)):
        context = await browser.new_context(java_script_enabled=scripts)
        page = await context.new_page()
        await page.goto(link)
        if expected:
            await page.wait_for_url(re.compile("/$"))
        else:
            await asyncio.sleep(1)
            assert not page.url.endswith("/"), scripts
        if scripts and not expected:
            await expect(page.locator("#link")).to_contain_text("used already")
        assert "token" not in page.url or not scripts
        await context.close()


async def test_register_sign_in_and_sign_out(page, browser):
    base = page.url
    context = await browser.new_context()
    other = await context.new_page()
    await other.goto(base)
    assert other.url.endswith("/signin?next=/")
    await other.get_by_text("New here?").click()
    await other.fill("#register-email", "ann@example.org")
    told = other.locator("#register-password-strength")
    await other.fill("#register-password", "short")
    await expect(told).to_have_text(re.compile(r"Too short yet\.\s+5 of 15"))
    await other.click("#register button")
    await expect(other.locator("#register-password-error")).to_contain_text("15 to 1,024")
    await expect(told).to_be_hidden()  # one of both is enough
    await other.fill("#register-password", "123456789Qwerty")
    await expect(told).to_contain_text("tried first")
    await other.fill("#register-password", "a long enough secret")
    await expect(told).to_have_text(re.compile("Long enough"))
    await other.click("#register button")
    await other.wait_for_url(base)
    await account_menu(other, "Sign out")
    await other.wait_for_url(re.compile("/signin\\?left$"))
    await other.fill("#login-email", "ann@example.org")
    await other.fill("#login-password", "wrong secret here")
    await other.click("#login button")
    await expect(other.locator("#login > [data-error]")).to_contain_text("not right")
    await other.fill("#login-password", "a long enough secret")
    await enter(other)
    await other.wait_for_url(base)
    await context.close()
