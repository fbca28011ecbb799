"""The first page, as a person uses it."""

import asyncio
import os
import re
import zipfile
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.media_factory import clip
from tests.support.pressing import account_menu, enter

PHONE = {"width": 390, "height": 844}
FAST = ("-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-pix_fmt", "yuv420p")

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def video(tmp_path):
    """A real video of some length, or one that FFmpeg makes."""
    samples = os.environ.get("MEDIAMILL_SAMPLES")
    if samples:
        return Path(samples) / "bottle-detection.mp4"
    return clip(tmp_path / "clip.mp4", seconds=40, size="640x360")


async def upload(page, *paths):
    await page.set_input_files("#choose", paths)
    await expect(page.locator(".row")).to_have_count(len(paths), timeout=30_000)


async def fits(page):
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= await page.evaluate("innerWidth"), f"{page.url} scrolls sideways: {wide} px"


async def test_from_a_video_to_its_frames(page, video, tmp_path):
    await expect(page.locator("#no-files")).to_contain_text("Nothing here yet")
    await upload(page, video)
    await expect(page.locator("#chosen")).to_have_text("1 file selected.")
    await expect(page.locator(".row img")).to_have_js_property("complete", True)
    await page.select_option("#extract-frames-mode", "fps")
    await expect(page.locator("#extract-frames-every")).to_be_hidden()
    await page.fill("#extract-frames-fps", "2")
    seen = []
    page.on("request", lambda request: seen.append(request.url))
    await page.click("#run button[type=submit]")
    await page.wait_for_url(re.compile(r"/jobs/job_"))
    await expect(page.locator("#state")).to_have_text("succeeded", timeout=60_000)
    assert any(url.endswith("/events") for url in seen), "progress came by other ways than events"
    await expect(page.locator("#summary")).to_contain_text("1 of 1 file done")
    await expect(page.locator("#progress")).to_have_js_property("value", 1)
    frames = int((await page.locator(".sheet .muted").inner_text()).split()[0])
    assert frames > 60  # a sheet shows so many at once
    assert await every_frame(page) == frames
    async with page.expect_download() as coming:
        await page.click("#download")
    await (await coming.value).save_as(tmp_path / "frames.zip")
    with zipfile.ZipFile(tmp_path / "frames.zip") as archive:
        assert archive.testzip() is None
        assert sum(name.endswith(".jpg") for name in archive.namelist()) == frames
    await page.goto(page.url.partition("/jobs")[0])
    await expect(page.locator("#jobs .badge")).to_have_text("succeeded")


async def every_frame(page):
    """Show all frames of the sheet; return how many have been drawn."""
    while await page.locator("[data-more]").count():
        before = await page.locator("figure").count()
        await page.click("[data-more]")
        await expect(page.locator("figure").nth(before)).to_be_attached()
    images, drawn = page.locator("figure img"), 0
    for number in range(0, await images.count(), 4):  # a browser loads what is near, too
        await images.nth(number).scroll_into_view_if_needed()
    async with asyncio.timeout(60):
        while drawn < await images.count():
            drawn = await images.evaluate_all("all => all.filter(i => i.naturalWidth > 0).length")
            await asyncio.sleep(0.1)
    return drawn


@pytest.mark.timeout(300)
async def test_progress_is_live(page, tmp_path):
    """The page shows parts of the way, not just both ends: where nobody is slower than the job."""
    for tries in range(1, 4):
        long = clip(tmp_path / f"long-{tries}.mp4", seconds=11 + tries, size="640x360", codec=FAST)
        await page.set_input_files("#choose", [long])
        await expect(page.locator(".row")).to_have_count(tries)
        await page.select_option("#extract-frames-mode", "all")
        await page.click("#run button[type=submit]")
        await page.wait_for_url(re.compile(r"/jobs/job_"))
        values = set()
        while await page.locator("#state").inner_text() in ("expanding", "running"):
            values.add(await page.locator("#progress").evaluate("bar => bar.value"))
            await asyncio.sleep(0.1)
        await expect(page.locator("#state")).to_have_text("succeeded", timeout=90_000)
        if len({value for value in values if 0 < value < 1}) >= 2:
            return
        await page.goto(page.url.partition("/jobs")[0])
    raise AssertionError(values)


async def test_a_refused_upload_says_why(page, tmp_path):
    empty = tmp_path / "empty.mp4"
    empty.touch()
    await page.set_input_files("#choose", empty)
    line = page.locator(".uploads li")
    await expect(line.locator(".error")).to_have_text("The file is empty.")
    await expect(page.locator(".row")).to_have_count(0)
    await line.get_by_role("button", name="Dismiss").click()
    await expect(line).to_have_count(0)


async def test_a_text_posing_as_video_fails_alone_and_says_why(page, video, tmp_path):
    fake = tmp_path / "holiday.mp4"
    fake.write_text("#EXTM3U\nfile:///etc/passwd\n" * 50)
    await upload(page, fake)
    await page.click("#run button[type=submit]")
    await expect(page.locator("#run > [data-error]")).not_to_be_empty()
    assert page.url.endswith("/")
    await page.set_input_files("#choose", video)
    await expect(page.locator(".row")).to_have_count(2)
    await page.click("#run button[type=submit]")
    await expect(page.locator("#state")).to_have_text("partial", timeout=60_000)
    failure = page.locator("#failures li")
    await expect(failure).to_contain_text("holiday.mp4")
    assert len(await failure.locator("span").inner_text()) > 20
    await expect(page.locator("#summary")).to_contain_text("1 of 2 files done · 1 failed")
    await expect(page.locator("#retry")).to_be_visible()
    await page.click("#retry")
    await expect(page.locator("#state")).to_have_text("partial", timeout=60_000)
    await expect(failure).to_contain_text("holiday.mp4")


async def test_a_wrong_parameter_shows_beside_its_field(page, video):
    await upload(page, video)
    await page.locator("fieldset:not([hidden]) summary").click()
    await page.fill("#extract-frames-quality", "500")
    await page.click("#run button[type=submit]")
    await expect(page.locator("#extract-frames-quality-error")).to_contain_text("100")
    await expect(page.locator("#extract-frames-quality")).to_be_focused()
    assert page.url.endswith("/")


async def test_running_without_a_file_says_what_to_do(page):
    await page.click("#run button[type=submit]")
    await expect(page.locator("#run > [data-error]")).to_have_text("Tick at least one file first.")


async def test_by_keyboard_alone(page, video):
    await upload(page, video)
    await page.locator("#all").focus()
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.matches('#run button[type=submit]')"):
            break
        outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or await page.evaluate(
            "document.activeElement.matches('[type=file]')"
        )
    await enter(page)
    await page.wait_for_url(re.compile(r"/jobs/job_"))
    await expect(page.locator("#state")).to_have_text("succeeded", timeout=60_000)


async def test_nothing_scrolls_sideways_on_a_phone(page, video):
    await page.set_viewport_size(PHONE)
    await fits(page)
    await upload(page, video)
    await page.locator("fieldset:not([hidden]) summary").click()
    await fits(page)
    await page.click("#run button[type=submit]")
    await expect(page.locator("#state")).to_have_text("succeeded", timeout=60_000)
    await page.get_by_text("Parameters").click()
    await fits(page)
    for path in ("/docs", "/signin"):
        await page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/", 3)[2] + path)
        await page.locator("details").evaluate_all("all => all.forEach(it => it.open = true)")
        await fits(page)


async def test_every_control_has_a_name(page, video):
    await upload(page, video)
    controls = page.locator("input, select, button")
    assert await controls.count() > 100
    nameless = await controls.evaluate_all(
        "all => all.filter(it => !(it.labels?.length || it.ariaLabel || it.textContent.trim()))"
        ".map(it => it.outerHTML)"
    )
    assert nameless == []


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
