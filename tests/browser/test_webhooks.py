"""Webhooks in a browser: add one, try it, see what became of it, send it again; mostly by keys."""

import asyncio
import re

import pytest
from playwright.async_api import expect
from standardwebhooks import Webhook as Verifier

from tests.support.judging import judged
from tests.support.pressing import enter
from tests.support.receivers import receiver, reply

SERVICE = {"slots": 1, "min_free_bytes": 0, "fetch_allow": "127.0.0.1:*"}
pytestmark = pytest.mark.asyncio(loop_scope="session")


async def overtaken(route, late):
    """Answer with what was so when it was asked, but later."""
    answer = await route.fetch()
    await late.wait()
    await route.fulfill(response=answer)


async def test_a_webhook_from_adding_it_to_sending_again(page, everybodys):
    base = f"http://127.0.0.1:{everybodys.port}"
    async with receiver() as there:
        await page.goto(f"{base}/webhooks")
        await page.get_by_label("Address").fill("https://10.0.0.1/")
        await enter(page)
        await expect(page.locator("#url-error")).to_contain_text("MEDIAMILL_FETCH_ALLOW")
        await page.get_by_label("Address").fill(there.url())
        await page.get_by_label("job.failed").check()
        await expect(page.get_by_label("all, also later ones")).not_to_be_checked()
        await page.get_by_role("button", name="Add").click()
        await expect(page.locator("#secret")).to_contain_text("whsec_")
        secret = await page.locator("#secret").text_content()
        await page.get_by_role("link", name="Try it").press("Enter")
        await page.wait_for_url(re.compile(r"/webhooks/hook_"))
        assert secret not in await page.content()

        there.answers = [reply(410, b"gone")]
        await page.get_by_role("button", name="Send a test").press("Enter")
        row = page.locator("[data-delivery]").first
        await expect(row.locator(".tag")).to_have_text("failed")
        await page.reload()
        await expect(page.locator("#reason")).to_contain_text("410")
        await page.get_by_text("Change it").press("Enter")
        await page.get_by_label("Events are sent to it").check()
        await page.get_by_role("button", name="Save").click()
        saved = page.locator("#change [data-told]")
        await expect(saved).to_have_text("Saved.")
        await expect(page.locator("#enabled")).to_have_text("on")

        late = asyncio.Event()
        await page.route("**/parts/webhooks/**", lambda route: overtaken(route, late), times=1)
        async with page.expect_request("**/parts/webhooks/**"):
            await page.get_by_role("button", name="Save").click()
        await row.get_by_role("button", name="Send webhook.test").press("Enter")
        await expect(row.locator(".tag")).to_have_text("delivered")
        late.set()
        await expect(saved).to_have_text("Saved.")
        await expect(row.locator(".tag")).to_have_text("delivered")
        await row.locator("summary").press("Enter")
        await expect(row.locator("[data-body]")).to_contain_text('"type": "webhook.test"')
        await expect(row.locator("tbody tr")).to_have_count(2)
        for got in await there.wait(2):
            Verifier(secret).verify(got.body, got.headers)

        await page.get_by_text("Replace the secret").press("Enter")
        await page.get_by_role("button", name="Replace it").press("Enter")
        await expect(page.locator("#secret")).to_contain_text("whsec_")
        assert await page.locator("#secret").text_content() != secret
        await judged(page)
