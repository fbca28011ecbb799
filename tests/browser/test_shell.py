"""What is around every page: navigation, menu, keys, notices, on a desk and on a phone."""

import re

import pytest
from playwright.async_api import expect

from tests.support.judging import PHONE, sideways

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_around_a_page(page, everybodys):
    base = f"http://127.0.0.1:{everybodys.port}"
    await page.goto(f"{base}/projects")
    main = page.get_by_role("navigation", name="Main")
    await expect(main.locator("[aria-current=page]")).to_have_text("Projects")
    await by_keys(page)
    await menu_by_keys(page)
    await on_a_phone(page, main)
    await taken_back(page, base)
    await too_much_to_say(page)
    await offline(page)
    await page.goto(f"{base}/nothing")
    await expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    await page.get_by_role("link", name="Go to your files").click()
    await page.wait_for_url(f"{base}/")


async def by_keys(page):
    """The skip link is first; `?` lists keys, and nothing of it is typed into fields."""
    await expect(page.locator("[data-keys]")).to_be_enabled()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    help_ = page.get_by_role("dialog", name="Keyboard shortcuts")
    await page.keyboard.press("?")
    await expect(help_).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(help_).to_be_hidden()
    await page.locator("#new-name").focus()
    await page.keyboard.press("?")
    await expect(help_).to_be_hidden()
    await expect(page.locator("#new-name")).to_have_value("?")


async def menu_by_keys(page):
    summary = page.locator("header summary")
    await summary.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    await expect(summary).to_be_focused()
    await summary.click()
    await page.locator("h1").click()
    await expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    await summary.click()
    await page.get_by_role("button", name="Keyboard shortcuts").click()
    await page.get_by_role("dialog").get_by_role("button", name="Close").click()


async def on_a_phone(page, main):
    """The same links are tabs at the foot, each large enough for a thumb."""
    wide = page.viewport_size
    await page.set_viewport_size(PHONE)
    assert await sideways(page) == []
    bar = await main.bounding_box()
    assert bar["y"] + bar["height"] == PHONE["height"]
    for one in await main.get_by_role("link").all():
        box = await one.bounding_box()
        assert box["height"] >= 44, box
        assert box["width"] >= 44, box
    await page.set_viewport_size(wide)


async def taken_back(page, base):
    """A project is deleted at once, and brought back by `Ctrl` `Z`."""
    await page.fill("#new-name", "Photos")
    await page.click("#new button")
    await page.wait_for_url(re.compile("/projects/proj_"))
    await page.goto(f"{page.url}/settings")
    await page.get_by_role("button", name="Delete").click()
    await page.wait_for_url(f"{base}/projects")
    notices = page.get_by_role("region", name="Notices")
    await expect(notices).to_contain_text("“Photos” is deleted")
    await expect(page.locator("#projects li")).to_have_count(0)
    await page.keyboard.press("Control+z")
    await expect(page.locator("#projects li")).to_have_count(1)


async def too_much_to_say(page):
    """What can be taken back and what went wrong outlast what was only told."""
    said = await page.evaluate("""async () => {
      const { toast } = await import("/static/toast.js");
      const undo = async () => {};
      const away = [1, 2].map(() => toast("Broken", { error: true }));
      away.push(toast("Gone 0", { undo }));
      for (const n of [1, 2, 3]) away.push(toast(`Told ${n}`));
      for (const n of [1, 2]) away.push(toast(`Gone ${n}`, { undo }));
      const said = [...document.querySelectorAll(".toast p")].map((one) => one.textContent);
      for (const one of away) one();
      return said;
    }""")
    assert said == ["Broken", "Gone 0", "Gone 1", "Gone 2"]


async def offline(page):
    notices = page.get_by_role("region", name="Notices")
    await page.context.set_offline(True)
    await expect(notices).to_contain_text("You are offline")
    await page.context.set_offline(False)
    await expect(notices.locator(".toast")).to_have_count(0)
