"""The pages of captions as a person uses them: made, found again, judged by keys."""

import asyncio
import re
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import expect

from tests.browser.conftest import MODULE, SETTINGS
from tests.support.judging import judged
from tests.support.pressing import sure
from tests.support.processes import running

pytestmark = pytest.mark.asyncio(loop_scope="session")
PROVIDERS = Path(__file__).parents[1] / "web" / "captions.toml"


@pytest_asyncio.fixture(**MODULE)
async def everybodys(tmp_path_factory):
    """A service with providers."""
    home = tmp_path_factory.mktemp("service") / "home"
    async with running("up", home, **SETTINGS, providers=PROVIDERS) as process:
        yield process


def pictures(folder, count):
    paths = []
    for n in range(count):
        rough = np.random.default_rng(n).integers(0, 255, (6, 8, 3), dtype=np.uint8)
        paths.append(folder / f"photo_{n}.jpg")
        Image.fromarray(rough).resize((160 + 8 * n, 120), 2).save(paths[-1])
    return paths


async def test_captions_are_made_judged_and_found(page, tmp_path):
    await page.get_by_role("link", name="Captions", exact=True).click()
    await make(page, tmp_path)
    await page.click("#job-link")
    await expect(page.locator("#said #cards > li")).to_have_count(3)
    await page.click("#captions")
    await review(page)
    await page.get_by_role("link", name="History").click()
    await find(page)


async def make(page, tmp_path):
    await expect(page.locator("#no-images")).to_be_visible()
    await page.click("#ask button[type=submit]")
    await expect(page.locator("#ask > [data-error]")).to_contain_text("Choose at least one image")
    await page.set_input_files("#choose", pictures(tmp_path, 3))
    await expect(page.locator("#chosen")).to_have_text("3 images chosen.")
    await page.fill("#languages", "en, tlhh-x")
    await page.click("#ask button[type=submit]")
    await expect(page.locator("#languages-error")).to_contain_text("no language tag")
    await page.fill("#languages", "en")
    await expect(page.locator("#estimate")).to_contain_text("3 model calls")
    await page.click("#ask summary")
    await page.select_option("#provider", "boat")
    await page.click("#ask button[type=submit]")
    await expect(page.locator("#state")).to_have_text("succeeded")
    await expect(page.locator("#cards > li")).to_have_count(3)
    first = page.locator("#cards > li", has_text="photo_0.jpg")
    await expect(first.locator(".text")).to_have_count(2)
    await expect(first).to_contain_text("A red boat 160 wide.")
    await expect(first).to_contain_text("by boat")
    await expect(page).to_have_url(re.compile(r"/captions\?job=job_"))
    await first.get_by_role("button", name="Copy <img>").click()
    await expect(page.locator("#summary")).to_contain_text("is copied")


async def review(page):
    cards = page.locator("#cards > li")
    await expect(cards).to_have_count(3)
    await page.keyboard.press("j")
    await expect(cards.nth(0)).to_be_focused()
    await page.keyboard.press("a")
    await expect(cards.nth(0).locator(".badge")).to_have_text("approved")
    await expect(cards.nth(1)).to_be_focused()
    await page.keyboard.press("r")
    await expect(cards.nth(1).locator(".badge")).to_have_text("rejected")
    await expect(cards.nth(2)).to_be_focused()
    await page.keyboard.press("e")
    area = cards.nth(2).locator("textarea").first
    await expect(area).to_be_focused()
    await area.fill("<b>Sailing</b> home & away")
    await page.keyboard.press("Control+Enter")
    await expect(cards.nth(2).locator(".badge")).to_have_text("edited")
    await expect(cards.nth(2)).to_contain_text("<b>Sailing</b> home & away")
    await expect(cards.nth(2)).to_contain_text("it has tags in it")
    await page.keyboard.press("u")
    await expect(cards.nth(2)).not_to_contain_text("Sailing")
    await page.keyboard.press("x")
    await page.click("#approve")
    await expect(cards.nth(2).locator(".badge")).to_have_text("approved")
    notices = page.get_by_role("region", name="Notices")
    await expect(notices).to_contain_text("1 approved.")
    await notices.get_by_role("button", name="Undo").click()
    await expect(cards.nth(2).locator(".badge")).to_have_count(0)
    await judged(page)
    await page.click("#again")
    await page.select_option("#again-provider", "other")
    await page.click("#again-form button[type=submit]")
    await expect(page.locator("#state")).to_have_text("succeeded")
    await expect(page.locator("#cards > li")).to_contain_text("by other")


async def find(page):
    cards = page.locator("#cards > li")
    await expect(cards).to_have_count(4)
    await expect(cards.first).to_contain_text("by other")
    await page.fill("#query", "boat 168")
    await expect(cards).to_have_count(1)
    await expect(cards.first).to_contain_text("photo_1.jpg")
    await page.click("#export summary")
    async with page.expect_download() as told:
        await page.get_by_role("link", name="CSV, all captions").click()
    exported = Path(await (await told.value).path())
    rows = (await asyncio.to_thread(exported.read_text, "utf-8-sig")).splitlines()
    assert [row.partition(",")[0] for row in rows] == ["file_name", "photo_1.jpg"]
    await cards.first.get_by_role("button", name="Delete").click()
    await sure(page, "Delete")
    await expect(cards).to_have_count(0)
    await page.fill("#query", "")
    await expect(cards).to_have_count(3)
    await judged(page)
    await page.click("#delete-all")
    await sure(page, "Delete for good")
    await expect(page.locator("#none")).to_contain_text("No captions yet")
