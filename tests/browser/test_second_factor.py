"""The second factor in a browser: set up with an app, asked for at the sign-in and once more."""

import re
import time

import pytest
from playwright.async_api import expect

from tests.services.test_factors import Phone
from tests.support.pressing import account_menu, enter

PASSWORD = "correct horse battery"

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Now:
    """The machine's clock, which the service has too."""

    @staticmethod
    def now() -> int:
        return time.time_ns() // 1_000_000


async def test_set_up_sign_in_and_confirm(page):
    me = await (await page.request.get(f"{page.url}v1/me")).json()
    await account_menu(page, "Your account")
    card = page.locator("#second-factor")
    await card.get_by_role("button", name="Set up an authenticator app").click()
    picture = card.get_by_alt_text("QR code for the authenticator app")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    secret = (await card.locator("#factor-secret").text_content()).replace(" ", "")
    await card.get_by_label("The code that the app shows now").fill("no code")
    await card.get_by_role("button", name="Turn it on").click()
    await expect(card.locator("#factor-code-error")).to_contain_text("another code")
    await card.get_by_label("The code that the app shows now").fill(Phone(secret, Now).code())
    await card.get_by_role("button", name="Turn it on").click()
    await expect(card.locator("#recovery code")).to_have_text(re.compile(r"(\S{29}\n){9}\S{29}"))
    codes = (await card.locator("#recovery code").text_content()).split()
    await card.get_by_role("button", name="I have kept them").click()
    await expect(card.locator("#codes-left")).to_have_text("10")

    await account_menu(page, "Sign out")
    # a key that is faster than the page's script does nothing
    await expect(page.get_by_role("button", name="Sign in")).to_be_enabled()
    await page.fill("#login-email", me["email"])
    await page.fill("#login-password", PASSWORD)
    await expect(page.locator("#login-code")).to_be_hidden()
    await enter(page)
    await expect(page.locator("#login-code")).to_be_focused()
    await page.keyboard.type(codes[0])
    await enter(page)
    await page.wait_for_url(re.compile(r"^http://[^/]+/$"))

    await account_menu(page, "Your account")
    await expect(card.locator("#codes-left")).to_have_text("9")
    asked = {"code": "confirmation_needed", "detail": "Confirm that it is you.", "errors": []}
    await page.route(
        "**/v1/me/factors/recovery-codes",
        lambda route: route.fulfill(status=403, json=asked),  # as of an old session
        times=1,
    )
    await card.get_by_role("button", name="Make new recovery codes").click()
    dialog = page.get_by_role("dialog", name="Is it you?")
    await dialog.get_by_label("Password").fill(PASSWORD)
    await enter(page)
    await dialog.get_by_label("Code of your app, or a recovery code").fill(codes[1])
    await dialog.get_by_role("button", name="Confirm").click()
    await expect(dialog).to_have_count(0)
    await expect(card.locator("#recovery code")).to_have_text(re.compile(r"(\S{29}\n){9}\S{29}"))
    assert codes[1] not in await card.locator("#recovery code").text_content()
    await card.get_by_role("button", name="I have kept them").click()
    await card.get_by_role("button", name="Turn it off").click()
    await expect(card.get_by_role("button", name="Set up an authenticator app")).to_be_visible()
