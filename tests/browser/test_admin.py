"""Administration: somebody is invited, found, limited and kept out; the trail says so."""

import os
import re

import pytest
from playwright.async_api import expect

from tests.support.pressing import enter

pytestmark = pytest.mark.asyncio(loop_scope="session")
PASSWORD = "correct horse battery"


async def test_an_administrator_looks_after_users(service, link, browser):
    context = await browser.new_context(viewport={"width": 1100, "height": 900})
    page, complaints = await context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if _policy(said) else None)
    base = f"http://127.0.0.1:{service.port}"
    await page.goto(link)
    await page.wait_for_url(re.compile(r"^http://[^/]+/$"))
    await page.get_by_role("link", name="Admin").click()
    await expect(page.get_by_text("all works")).to_be_visible()
    await expect(page.get_by_role("list", name="Workers")).to_contain_text("running")
    await page.get_by_role("link", name="Users").click()
    email = await invite_and_add(page)
    other = await browser.new_context()
    body = {"email": email, "password": PASSWORD}
    assert (await other.request.post(f"{base}/v1/auth/login", data=body)).ok
    ours = {"Origin": base}
    said = {"text": "The button is blue.", "page": "/projects"}
    assert (await other.request.post(f"{base}/v1/feedback", data=said, headers=ours)).ok
    user = await limit_and_keep_out(page)
    assert (await other.request.get(f"{base}/v1/me")).status == 401
    await page.get_by_role("link", name="what was done to their account").click()
    acts = page.get_by_role("list", name="Acts")
    await expect(acts).to_contain_text("Quota changed")
    await page.get_by_role("link", name="Feedback").click()
    await page.get_by_role("button", name="Done").click()
    await expect(page.locator("article")).to_have_count(0)
    await page.goto(f"{base}/admin{user}")
    await set_a_password(page, base)
    assert complaints == []
    await other.close()
    await context.close()


def _policy(said):
    return said.type == "error" and not said.text.startswith("Failed to load resource")


async def invite_and_add(page):
    form = page.locator("#add-user")
    await form.get_by_label("E-mail address").fill("not an address")
    await form.get_by_role("button", name="Add").click()
    await expect(page.locator("#field-email-error")).not_to_be_empty()
    await form.get_by_label("E-mail address").fill("bea@example.org")
    await form.get_by_role("button", name="Add").click()
    await expect(page.locator("#invited code")).to_contain_text("http")
    await page.reload()
    invited = page.get_by_role("list", name="Invitations").get_by_role("listitem")
    await expect(invited).to_contain_text("bea@example.org")
    await page.get_by_role("button", name="Take back the invitation of bea@example.org").click()
    await expect(invited).to_have_count(0)
    email = f"cid-{os.urandom(3).hex()}@example.org"
    await form.get_by_label("E-mail address").fill(email)
    await form.get_by_label("Password").fill(PASSWORD)
    await form.get_by_role("button", name="Add").click()
    await page.wait_for_url(re.compile(r"/admin/users/user_"))
    await expect(page.get_by_role("heading", name=email)).to_be_visible()
    return email


async def limit_and_keep_out(page):
    await page.get_by_label("Unfinished jobs").fill("3")
    await page.get_by_role("button", name="Set", exact=True).click()
    limits = page.get_by_role("list", name="Limits, and what is used of them")
    await expect(limits).to_contain_text("0 of 3")
    await page.get_by_label("Role", exact=True).select_option("analyst")
    asked = {"code": "confirmation_needed", "detail": "Confirm that it is you.", "errors": []}
    for path, answer in (  # as of an old session, whose owner knows the password
        (re.compile(r"/v1/admin/users/[^/]+$"), {"status": 403, "json": asked}),
        ("**/v1/auth/confirm", {"status": 204}),
    ):
        await page.route(path, lambda route, _, answer=answer: route.fulfill(**answer), times=1)
    await page.get_by_role("button", name="Save").click()
    dialog = page.get_by_role("dialog", name="Is it you?")
    await dialog.get_by_label("Password").fill(PASSWORD)
    await enter(page)
    await expect(page.get_by_text("Saved.")).to_be_visible()
    path = page.url.replace("/admin/", "/v1/admin/")
    ours = {"Origin": page.url.partition("/admin")[0]}
    assert (await page.request.patch(path, data={"role": "user"}, headers=ours)).ok
    await page.get_by_label("Name").fill("Cid")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_label("Role", exact=True)).to_have_value(
        "user"
    )  # taken away meanwhile, it stays so
    await page.get_by_role("button", name="Keep them out").click()
    await expect(page.get_by_role("button", name="Let them in again")).to_be_visible()
    return page.url.partition("/admin")[2]


async def set_a_password(page, base):
    """The local administrator has none; from the first on, the page asks for the one before."""
    await page.goto(f"{base}/account")
    await expect(page.get_by_label("Current password")).to_have_count(0)
    await page.get_by_label("New password").fill(PASSWORD)
    await page.get_by_role("button", name="Set a password").click()
    await expect(page.get_by_label("Current password")).to_be_visible()
