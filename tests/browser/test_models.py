"""Models and spending as an administrator sees them, by mouse and by keys."""

import re

import pytest
from playwright.async_api import expect

from tests.support.pressing import enter
from tests.support.processes import running
from tests.web.test_uploading import PNG

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
async def service(tmp_path):
    """A service that nobody has used, with little to spend."""
    given = {"slots": 1, "min_free_bytes": 0, "user_budget": 0.05}
    async with running("up", tmp_path / "home", **given) as process:
        yield process


async def test_an_administrator_sets_up_who_answers(service, link, browser):
    context = await browser.new_context(viewport={"width": 1100, "height": 900})
    page, complaints = await context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if _policy(said) else None)
    base = f"http://127.0.0.1:{service.port}"
    await page.goto(link)
    await page.wait_for_url(re.compile(r"^http://[^/]+/$"))
    await page.goto(f"{base}/models")
    await expect(page.get_by_text("No provider is set up yet")).to_be_visible()
    await add_providers(page)
    await order_by_keys(page)
    await order_by_mouse(page)
    await try_them(page)
    await change_and_remove(page)
    job = await caption(context, base)
    await page.goto(f"{base}/jobs/{job}")
    await expect(page.locator("#job-cost")).to_have_text("$0.004")
    await page.get_by_text("Why others were asked").click()
    await expect(page.get_by_text("bad (declined")).to_be_visible()
    await spend(page, base)
    assert complaints == []
    await context.close()


def _policy(said):
    return said.type == "error" and not said.text.startswith("Failed to load resource")


async def add_providers(page):
    form = page.locator("#provider")
    await form.get_by_label("Name").fill("Wrong Name")
    await form.get_by_label("Address").fill("echo:x")
    await form.get_by_role("button", name="Add").click()
    await expect(page.locator("#field-name-error")).to_contain_text("small letters")
    for name, address in (("bad", "echo:b?fault=declined*"), ("good", "echo:g")):
        await form.get_by_label("Name").fill(name)
        await form.get_by_label("Address").fill(address)
        await form.get_by_label("Key").fill("sk-not-to-be-shown")
        if not await form.get_by_label("Per call").is_visible():
            await form.get_by_text("Price and more").click()
        await form.get_by_label("Per call").fill("0.004")
        await form.get_by_role("button", name="Add").click()
        await expect(page.locator("#told")).to_contain_text(f"{name} is added")
    assert "sk-not-to-be-shown" not in await page.content()


async def links(page):
    found = page.locator('[data-chain="caption"] [data-link]')
    return [await one.get_attribute("data-link") for one in await found.all()]


async def order_by_keys(page):
    chain = page.locator('[data-chain="caption"]')
    for name in ("good", "bad"):
        await chain.get_by_label("Provider to add to caption").fill(name)
        await enter(page)
        await expect(chain.locator(f'[data-link="{name}"]')).to_be_visible()
    await chain.get_by_label("Ask bad earlier").focus()
    await enter(page)
    await expect(page.locator("#told")).to_contain_text("bad is asked as number 1")
    assert await links(page) == ["bad", "good"]
    await chain.get_by_label("Do not ask good").press("Enter")
    await expect(chain.locator('[data-link="good"]')).to_have_count(0)
    notices = page.get_by_role("region", name="Notices")
    await expect(notices).to_contain_text("good is not asked any more.")
    await notices.get_by_role("button", name="Undo").press("Enter")
    await expect(chain.locator("[data-link]")).to_have_count(2)
    assert await links(page) == ["bad", "good"]
    await chain.get_by_label("Provider to add to caption").fill("nobody")
    await enter(page)
    await expect(chain.get_by_role("alert")).to_contain_text("no provider called")


async def order_by_mouse(page):
    chain = page.locator('[data-chain="caption"]')
    # Which closes the list of names.
    await page.get_by_role("heading", name="Administration").click()
    for first in ("good", "bad"):
        lower, upper = (chain.locator("[data-link] .name").nth(place) for place in (1, 0))
        await lower.drag_to(upper)
        await expect(chain.locator("[data-link]").nth(0)).to_have_attribute("data-link", first)


async def try_them(page):
    good, bad = (page.locator(f'[data-provider="{name}"]') for name in ("good", "bad"))
    await good.get_by_role("button", name="Test on a sample").click()
    await expect(good.get_by_role("status")).to_contain_text("A picture of 640 by 480 pixels.")
    await expect(good.get_by_role("status")).to_contain_text("$0.004")
    await bad.get_by_role("button", name="Test on a sample").click()
    await expect(bad.get_by_role("status")).to_contain_text("will not answer this")


async def change_and_remove(page):
    form, good = page.locator("#provider"), page.locator('[data-provider="good"]')
    await good.get_by_role("button", name="Change").click()
    await expect(form.get_by_label("Address")).to_be_focused()
    await form.get_by_label("Calls at a time").fill("3")
    await form.get_by_role("button", name="Save").click()
    await expect(page.locator("#told")).to_contain_text("good is changed")
    await expect(good.get_by_text("3", exact=True)).to_be_visible()
    await good.get_by_role("button", name="Change").click()
    await form.get_by_label("Address").fill("echo:other")
    await form.get_by_role("button", name="Save").click()
    await expect(page.locator("#field-key-error")).to_contain_text("Give the key anew")
    await form.get_by_role("button", name="Do not change it").click()
    await expect(good.get_by_role("button", name="Remove")).to_be_disabled()


async def caption(context, base):
    headers = {"sec-fetch-site": "same-origin", "content-type": "application/octet-stream"}
    asked = context.request
    file = await (await asked.post(f"{base}/v1/files?name=a.png", data=PNG, headers=headers)).json()
    step = {"operation": "caption", "parameters": {"variants": ["concise"]}}
    body, own = {"files": [file["id"]], "steps": [step]}, {"sec-fetch-site": "same-origin"}
    job = await (await asked.post(f"{base}/v1/jobs", data=body, headers=own)).json()
    await asked.get(f"{base}/v1/jobs/{job['id']}?wait=30")
    return job["id"]


async def spend(page, base):
    await page.goto(f"{base}/spending")
    await expect(page.locator("#cost")).to_have_text("$0.008")
    await expect(page.get_by_text("$0.008 of $0.05 is used.").first).to_be_visible()
    chart = page.get_by_role("img", name=re.compile(r"Yours by day, .* \$0\.008"))
    await expect(chart).to_be_visible()
    await page.get_by_text("As a table").first.click()
    await expect(page.get_by_role("table", name="Yours by day (UTC)")).to_be_visible()
    await expect(page.get_by_role("img", name=re.compile("mark is at 80 %")).first).to_be_visible()
    mine = page.get_by_label(re.compile(r"Budget of admin@localhost"))
    await mine.fill("0.009")
    await enter(page)
    await expect(page.locator("[data-told]", has_text="Set.")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("$0.008 of $0.009 is used, $0.001 is left.")).to_be_visible()
    await page.get_by_role("button", name="As the settings say").click()
    await expect(page.get_by_text("$0.008 of $0.05 is used.").first).to_be_visible()
    await page.get_by_label("The month before").click()
    await expect(page.get_by_text("No model was asked for you")).to_be_visible()
