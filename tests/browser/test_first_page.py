"""The first way through: signed in by the link, from a video to its frames, and out again."""

import asyncio
import os
import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.media_factory import clip
from tests.support.pressing import account_menu, enter

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def video(tmp_path):
    """A real video of some length, or one that FFmpeg makes."""
    samples = os.environ.get("MEDIAMILL_SAMPLES")
    if samples:
        return Path(samples) / "bottle-detection.mp4"
    return clip(tmp_path / "clip.mp4", seconds=40, size="640x360")


async def test_from_a_video_to_its_frames(page, video):
    """Two clicks from a file to the form of a job, two more to the job."""
    await expect(page.get_by_role("heading", name="Nothing here yet")).to_be_visible()
    await page.set_input_files("#choose", video)
    await expect(page.locator("#grid img")).to_have_js_property("complete", True)
    await page.get_by_role("checkbox", name=f"Select {video.name}").check()
    await page.get_by_role("button", name="New job").click()
    await page.wait_for_url(re.compile(r"/jobs/new\?files=file_"))
    await page.get_by_role("button", name=re.compile("^Extract frames ")).click()
    await page.get_by_role("button", name="Run", exact=True).click()
    await page.wait_for_url(re.compile(r"/jobs/job_"))
    await expect(page.locator("#state")).to_have_text("succeeded", timeout=60_000)


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
