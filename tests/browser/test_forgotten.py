"""A forgotten password, as a person meets it: the page, the mail, the link in it, in again."""

import asyncio
import re
from email import message_from_bytes
from email.policy import default

import pytest
from playwright.async_api import expect

from tests.support.pressing import enter
from tests.support.processes import signed_in

EMAIL, OTHER = "forgetful@example.org", "copper kettle on the blue bridge"

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def link_in_the_mail(service):
    async with asyncio.timeout(60):
        while True:
            for one in (service.home / "outbox").glob("*.eml"):  # there are mails about more
                mail = message_from_bytes(one.read_bytes(), policy=default)
                text = mail.get_body(("plain",)).get_content()
                if found := re.search(r"http\S+/reset#\S+", text):
                    return found[0]
            await asyncio.sleep(0.05)


async def test_from_forgotten_to_in_again(everybodys, browser):
    base = f"http://127.0.0.1:{everybodys.port}"
    async with signed_in(everybodys, EMAIL):
        pass
    context = await browser.new_context(viewport={"width": 390, "height": 844})
    page, complaints = await context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"{base}/signin")
    await page.get_by_role("link", name="Forgotten your password?").click()
    await page.get_by_label("E-mail address").fill(EMAIL)
    await enter(page)
    await expect(page.get_by_role("status")).to_contain_text("a mail with a link is on its way")
    await page.goto(await link_in_the_mail(everybodys))
    assert page.url == f"{base}/reset", "the secret stays in no history"
    await page.get_by_label("New password").fill("password")
    await enter(page)
    await expect(page.locator("#password-error")).to_contain_text("15 to 1,024 characters")
    await page.get_by_label("New password").fill(OTHER)
    await page.get_by_role("button", name="Set the password").click()
    await expect(page.locator("#done")).to_contain_text("Your new password is set")
    await page.locator("#main").get_by_role("link", name="Sign in").click()
    await expect(page.get_by_role("button", name="Sign in")).to_be_enabled()
    await page.fill("#login-email", EMAIL)
    await page.fill("#login-password", OTHER)
    await enter(page)
    await page.wait_for_url(f"{base}/")
    await page.goto(f"{base}/account")
    await page.get_by_label("Current password").fill(OTHER)
    await page.get_by_label("New password").fill("silver kettle on the red bridge")
    await page.get_by_role("button", name="Change the password").click()
    await expect(page.locator("#password-form .actions [role=status]")).to_contain_text("Changed.")
    await asked_once_and_no_more(page)
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= await page.evaluate("innerWidth")
    assert complaints == []
    await context.close()


async def asked_once_and_no_more(page):
    """Who closes the question whether it is them is told why nothing was done."""
    asked = {"code": "confirmation_needed", "detail": "Confirm that it is you.", "errors": []}
    await page.route("**/v1/auth/password", lambda route: route.fulfill(status=403, json=asked))
    await page.get_by_role("button", name="Change the password").click()
    dialog = page.get_by_role("dialog", name="Is it you?")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(page.locator("#password-form [data-error]")).to_have_text(asked["detail"])
    await expect(dialog).to_have_count(0)
