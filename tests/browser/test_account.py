"""The account's page: sessions, tokens, activity, limits; by keys, on a phone, light and dark."""

import zipfile
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import expect

from tests.support.pressing import account_menu, enter
from tests.web.test_uploading import PNG

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_somebody_looks_after_their_account(page, everybodys, browser):
    base = f"http://127.0.0.1:{everybodys.port}"
    email = (await (await page.request.get(f"{base}/v1/me")).json())["email"]
    other = await browser.new_context()
    body = {"email": email, "password": "correct horse battery"}
    await other.request.post(f"{base}/v1/auth/login", data=body)
    await account_menu(page, "Your account")
    await expect(page.locator(".sections [aria-current]")).to_have_text("Profile")

    await page.get_by_label("Your name").fill("Ann Example")
    await enter(page)
    await expect(page.locator("#name-form").get_by_role("status")).to_have_text("Saved.")
    me = await (await page.request.get(f"{base}/v1/me")).json()
    assert me["name"] == "Ann Example"

    sessions = page.get_by_role("list", name="Sessions").get_by_role("listitem")
    await expect(sessions).to_have_count(2)
    await expect(sessions.filter(has_text="this one")).to_have_count(1)
    await page.get_by_role("button", name="End all others").click()
    await expect(sessions).to_have_count(1)
    assert (await other.request.get(f"{base}/v1/me")).status == 401

    await page.get_by_label("Name of a new token").fill("build server")
    await page.get_by_text("Limit what it may do").click()
    await page.get_by_role("checkbox", name="jobs:read").check()
    await page.get_by_role("button", name="Make a token").click()
    await expect(page.locator("#made-token")).to_be_visible()
    secret = await page.locator("#made-token code").text_content()
    tokens = page.get_by_role("list", name="API tokens").get_by_role("listitem")
    await expect(tokens).to_contain_text("may jobs:read")
    shown = {"Authorization": f"Bearer {secret}"}
    asked = [await other.request.get(f"{base}/v1/{it}", headers=shown) for it in ("jobs", "files")]
    assert [answer.status for answer in asked] == [200, 403]

    await in_a_zone(page, "America/New_York")
    await expect(tokens).to_contain_text("may jobs:read")
    activity = page.get_by_role("list", name="Activity")
    await expect(activity).to_contain_text("Signed in")
    await say_something(page)
    await take_everything(page)
    link = page.locator(".sections").get_by_role("link", name="Usage")
    await link.focus()
    await enter(page)
    await expect(page.locator("#usage")).to_be_in_viewport()
    await expect(page.locator(".sections [aria-current]")).to_have_count(1)
    await delete_and_keep(page, email)
    await other.close()


async def say_something(page):
    form = page.locator("#say")
    await form.get_by_label("Your words").fill("The button is blue.")
    picture = {"name": "dot.png", "mimeType": "image/png", "buffer": PNG}
    await form.get_by_label("Pictures, at most five").set_input_files(picture)
    await form.get_by_role("button", name="Send").click()
    await expect(form).to_contain_text("Thank you")


async def take_everything(page):
    place = page.locator("#export")
    await place.get_by_role("button", name="Put it together").click()
    await expect(place).to_contain_text("Ready")
    async with page.expect_download() as begun:
        await place.get_by_role("link", name="Download").click()
    download = await begun.value
    assert zipfile.is_zipfile(await download.path())


async def delete_and_keep(page, email):
    form = page.locator("#close")
    delete = form.get_by_role("button", name="Delete my account")
    await delete.click()
    await expect(page.locator("#close-word-error")).to_contain_text(email)
    await form.get_by_label("Type your mail address").fill(email)
    await delete.click()
    await expect(page.get_by_role("heading", name="Keep the account?")).to_be_visible()
    await page.get_by_role("button", name="Keep the account").click()
    await expect(page.get_by_role("heading", name="The account stays")).to_be_visible()


async def in_a_zone(page, zone):
    """Times are told in the reader's zone, which only their browser knows."""
    line = await page.context.new_cdp_session(page)
    await line.send("Emulation.setTimezoneOverride", {"timezoneId": zone})
    await page.reload()
    since = page.locator("#profile time")
    at = datetime.fromisoformat(await since.get_attribute("datetime")).astimezone(ZoneInfo(zone))
    await expect(since).to_have_text(f"{at:%b} {at.day}, {at.year}, {at:%H:%M}")
