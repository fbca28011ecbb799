"""From a mail to its job, as a person goes; and to the account, where mails are chosen."""

import asyncio
import re
from email import message_from_bytes
from email.policy import default

import pytest
from playwright.async_api import expect

from tests.support.pressing import enter
from tests.support.processes import signed_in
from tests.web.test_strangers import PNG

EMAIL, PASSWORD = "ann@example.org", "correct horse battery"

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def mail_of(service):
    """Run a job as Ann; return the mail about it."""
    async with signed_in(service, EMAIL) as client:
        file = (await client.post("/v1/files?name=dot.png", content=PNG)).json()
        body = {"files": [file["id"]], "steps": [{"operation": "thumbnail"}]}
        job = (await client.post("/v1/jobs", json=body)).json()
        await client.get(f"/v1/jobs/{job['id']}?wait=30")
    async with asyncio.timeout(60):
        while True:
            for one in (service.home / "outbox").glob("*.eml"):  # there are mails about more
                mail = message_from_bytes(one.read_bytes(), policy=default)
                if any(job["id"] in link for link in links(mail)):
                    return job["id"], mail
            await asyncio.sleep(0.1)


def links(mail):
    return re.findall(r"http\S+", mail.get_body(("plain",)).get_content())


@pytest.mark.soak  # seven seconds; where links lead is in tests/web/test_notifications.py too
async def test_a_mails_links_lead_there_by_way_of_signing_in(service, browser):
    job_id, mail = await mail_of(service)
    to_job, to_account, to_end = links(mail)
    context = await browser.new_context(viewport={"width": 390, "height": 844})
    page = await context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(to_job)
    assert page.url.endswith(f"/signin?next=/jobs/{job_id}")
    await page.fill("#login-email", EMAIL)
    await page.fill("#login-password", PASSWORD)
    await enter(page)
    await page.wait_for_url(re.compile(rf"/jobs/{job_id}$"))
    await expect(page.locator("#state")).to_have_text("succeeded")
    await page.locator("header").get_by_text("Account", exact=True).focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="Your account").focus()
    await page.keyboard.press("Enter")
    await page.wait_for_url(to_account)
    await by_keyboard(page)
    await page.reload()
    await expect(page.locator("#finished")).to_have_value("long")
    await expect(page.locator("#failed")).to_have_value("always")
    await page.goto(to_end)
    await page.get_by_role("button", name="No more mails").click()
    await expect(page.get_by_role("status")).to_contain_text("no more mails about jobs")
    await page.get_by_role("link", name="your account").click()
    await expect(page.locator("#failed")).to_have_value("never")
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= await page.evaluate("innerWidth")
    assert complaints == []
    await is_read_in_the_dark_and_without_style(browser, mail)


async def by_keyboard(page):
    """Choose and save without a mouse."""
    await page.locator("#finished").focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.id") == "failed"
    await page.keyboard.press("Tab")
    await enter(page)
    await expect(page.locator("#saved")).to_have_text("Saved.")


async def is_read_in_the_dark_and_without_style(browser, mail):
    html = mail.get_body(("html",)).get_content()
    asked = []
    for scheme, plain in (("light", False), ("dark", False), ("light", True)):
        context = await browser.new_context(color_scheme=scheme, java_script_enabled=True)
        page = await context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        text = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL) if plain else html
        await page.set_content(text)
        await expect(page.get_by_role("link", name="Open the job")).to_be_visible()
        colours = "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
        ink, ground = await page.locator("main").evaluate(colours)
        bright = sum(map(int, re.findall(r"\d+", ink)[:3])) > 384
        if not plain:
            assert bright == (scheme == "dark"), (scheme, ink, ground)
    assert asked == []
