"""Uploads in the browser: what breaks goes on, what is refused says why, and each arrives once."""

import asyncio
import hashlib
import json
import os
import re
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import expect

from tests.support.cutting import cutting
from tests.support.gates import gate_to
from tests.support.judging import judged

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHUNK = 16 << 20
MANY = """async () => {
    const { upload } = await import("/static/upload.js");
    const files = Array.from({length: 10_000}, (_, n) => new File([String(n)], `${n}.bin`));
    await upload(files);
}"""


@pytest.fixture
def some(tmp_path):
    """Makes files of random bytes by name and size."""

    def make(**sizes):
        paths = [tmp_path / name.replace("_", ".") for name in sizes]
        for path, size in zip(paths, sizes.values(), strict=True):
            path.write_bytes(os.urandom(size))
        return paths

    return make


@asynccontextmanager
async def at(browser, port):
    """Sign somebody in at a port, and open the page of files there."""
    base = f"http://127.0.0.1:{port}"
    account = {"email": f"a-{os.urandom(4).hex()}@example.org", "password": "correct horse battery"}
    context = await browser.new_context()
    for step in ("register", "login"):
        assert (await context.request.post(f"{base}/v1/auth/{step}", data=account)).ok
    page = await context.new_page()
    await page.goto(base)
    yield page
    await context.close()


def panel(page):
    return page.get_by_role("region", name="Uploads", exact=True)


def line(page, name):
    return panel(page).get_by_role("listitem").filter(has_text=name)


async def files_of(page):
    found, after = [], ""
    while True:
        address = f"{page.url.rstrip('/')}/v1/files?limit=100{after}"
        answer = await page.context.request.get(address)
        listed = await answer.json()
        found += listed["data"]
        if not listed["has_more"]:
            return found
        after = f"&after={listed['after']}"


def digests(paths):
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)


@pytest.mark.timeout(300)
async def test_two_hundred_files_over_a_connection_that_breaks(browser, everybodys, some):
    small = some(**{f"small-{n}_bin": 4_000 + n for n in range(196)})
    paths = [*small, *some(**{f"large-{n}_bin": 6_000_000 + n for n in range(4)})]
    cuts = [40_000, 150_000, 2_000_000, 30_000, 1_500_000, 90_000]
    async with cutting(everybodys.port) as way, at(browser, way.port) as page:
        way.cuts += cuts  # those of connections that are made from here on, or go on
        await page.set_input_files("#choose", paths)
        await expect(panel(page)).to_contain_text("200 files are ready", timeout=200_000)
        assert way.done > 0, "no connection broke"
        found = await files_of(page)
        assert sorted(file["sha256"] for file in found) == digests(paths)


async def test_without_a_connection_it_waits_and_goes_on_by_itself(browser, everybodys, some):
    async with gate_to(everybodys.port) as gate, at(browser, gate.port) as page:
        await page.evaluate("import('/static/uploading/panel.js')")
        gate.close()
        await page.set_input_files("#choose", some(a_bin=3_000, b_bin=6_000_000))
        await expect(panel(page)).to_contain_text("Waiting for the connection")
        gate.open()
        await expect(panel(page)).to_contain_text("2 files are ready", timeout=90_000)
        assert len(await files_of(page)) == 2


async def test_an_answer_that_is_lost_makes_nothing_twice(browser, everybodys, some):
    async with gate_to(everybodys.port) as gate, at(browser, gate.port) as page:
        gate.losing = [b"POST /v1/files?name=small", b"POST /v1/uploads ", b"PATCH /v1/uploads/"]
        gate.cut()  # connections that are made from here on lose answers
        await page.set_input_files("#choose", some(small_bin=3_000, large_bin=6_000_000))
        await expect(panel(page)).to_contain_text("2 files are ready", timeout=90_000)
        assert gate.losing == []
        assert len(await files_of(page)) == 2
        usage = await page.context.request.get(f"{page.url}v1/usage")
        assert (await usage.json())["bytes"] == 6_003_000, "an upload was begun twice"
        await expect(panel(page)).not_to_contain_text("already here")


async def test_paused_and_after_a_reload_it_goes_on_where_it_was(page, some):
    (path,) = some(long_bin=CHUNK + 2_000_000)
    offsets, closed = [], asyncio.Event()

    async def second(route):
        """Let the first chunk through, and keep the others waiting while the way is closed."""
        offset = int(route.request.headers.get("upload-offset", 0))
        if route.request.method == "PATCH":
            offsets.append(offset)
        if route.request.method == "PATCH" and offset and not closed.is_set():
            return
        await route.continue_()

    await page.route(re.compile("/v1/uploads/upload_"), second)
    await page.set_input_files("#choose", path)
    await expect(line(page, "long.bin")).to_contain_text("16.8 MB of 18.8 MB")
    await page.get_by_role("button", name="Pause: long.bin").click()
    await expect(line(page, "long.bin")).to_contain_text("paused · 16.8 MB of 18.8 MB")
    await page.get_by_role("button", name="Resume: long.bin").click()
    await expect(page.get_by_role("button", name="Pause: long.bin")).to_be_visible()
    await page.reload()
    await expect(line(page, "long.bin")).to_contain_text("Choose the file again to go on")
    offsets.clear()
    closed.set()
    await page.set_input_files("#choose", path)
    await expect(panel(page)).to_contain_text("1 file is ready", timeout=60_000)
    assert offsets == [CHUNK]
    assert [file["sha256"] for file in await files_of(page)] == digests([path])
    await page.reload()
    await expect(page.get_by_text("long.bin").first).to_be_visible()
    assert (
        await page.evaluate("Object.keys(localStorage).filter(it => it.includes('upload'))") == []
    )


async def test_a_refused_file_says_why_and_all_is_done_by_keys_on_a_phone(page, some):
    empty, good = some(empty_mp4=0, good_bin=2_000)
    await page.set_input_files("#choose", [empty, good])
    refused = line(page, "empty.mp4")
    await expect(refused).to_contain_text("The file is empty.")
    await expect(panel(page)).to_contain_text("1 file is ready · 1 refused")
    await expect(panel(page).get_by_role("status")).to_contain_text("1 refused")
    await judged(page)
    fold = panel(page).locator("[aria-expanded]")
    await fold.focus()
    await page.keyboard.press("Enter")
    await expect(fold).to_have_attribute("aria-expanded", "false")
    await expect(refused).to_be_hidden()
    await page.keyboard.press("Enter")
    for name in ("Close", "Try again: empty.mp4", "Dismiss: empty.mp4"):
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name=name)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(refused).to_have_count(0)
    await panel(page).get_by_role("button", name="Close").press("Enter")
    await expect(panel(page)).to_be_hidden()
    (file,) = await files_of(page)

    async def old(route):
        """Answer as for a file of long ago; what was sent a moment ago counts as sent now."""
        assert "if_absent=true" in route.request.url
        told = {**file, "duplicate": True, "created_at": "2026-01-01T00:00:00.000Z"}
        await route.fulfill(json=told, headers={"Date": "Fri, 02 Jan 2026 00:00:00 GMT"})

    await page.route("**/v1/files?name=*", old)
    await page.set_input_files("#choose", good)
    await expect(line(page, "good.bin")).to_contain_text("already here")


async def test_a_quota_stops_all_and_a_limit_is_waited_for(page, some):
    quota = {"code": "quota_exceeded", "detail": "You keep all that you may."}
    limit = {"code": "rate_limited", "detail": "Too fast."}
    answers = [(quota, "10"), (limit, "1")]

    async def refuse(route):
        if not answers or (len(answers) == 1 and not over):
            await route.continue_()
            return
        problem, wait = answers.pop(0)
        headers = {"Retry-After": wait, "Content-Type": "application/problem+json"}
        await route.fulfill(status=429, headers=headers, body=json.dumps(problem))

    over = False
    await page.route("**/v1/files?name=*", refuse)
    await page.set_input_files("#choose", some(a_bin=2_000))
    await expect(panel(page)).to_contain_text("You keep all that you may. Uploads wait until")
    over = True
    await panel(page).get_by_role("button", name="Go on").click()
    await expect(panel(page)).to_contain_text("1 file is ready")
    assert answers == []


async def test_a_folder_becomes_a_tag(page, some, tmp_path):
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for place, name in ((folder, "a.bin"), (folder / "deep", "b.bin"), (folder, ".hidden")):
        (place / name).write_bytes(os.urandom(100))
    await page.set_input_files("#choose-folder", folder)
    await expect(panel(page)).to_contain_text("2 files are ready")
    await expect(panel(page).locator("[aria-expanded]")).to_have_attribute("aria-expanded", "false")
    tags = {file["name"]: file["tags"] for file in await files_of(page)}
    assert tags == {"a.bin": ["folder:photos"], "b.bin": ["folder:photos/deep"]}


async def test_ten_thousand_files_are_a_few_lines(page):
    await page.route("**/v1/files?name=*", lambda route: route.abort())
    await page.evaluate(MANY)
    await expect(panel(page)).to_contain_text("0 of 10,000 files")
    await expect(panel(page)).to_contain_text("Waiting for the connection")
    assert await panel(page).locator("*").count() < 150
