"""Uploads in the browser: what breaks goes on, what is refused says why, and each arrives once."""

import asyncio
import hashlib
import json
import os
import re
import time
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from playwright.async_api import Error, expect

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
GONE = """async () => {
    const { dropped } = await import("/static/dropping.js");
    const gone = (_, failed) => failed(new DOMException("gone", "NotFoundError"));
    const there = (take) => take(new File(["b"], "b.bin"));
    const rounds = [[
        { name: "a.bin", isFile: true, fullPath: "/set/a.bin", file: gone },
        { name: "b.bin", isFile: true, fullPath: "/set/b.bin", file: there },
        { name: "deep", isFile: false, createReader: () => ({ readEntries: gone }) },
    ], []];
    const readEntries = (take) => take(rounds.shift());
    const folder = { name: "set", isFile: false, createReader: () => ({ readEntries }) };
    const found = await dropped({ items: [{ webkitGetAsEntry: () => folder }] });
    return found.map((file) => file.name);
}"""
"""A folder of which some is taken away while it is read, which cannot be had for certain."""
PROJECT = """async () => {
    const { call } = await import("/static/api.js");
    return (await call("POST", "/v1/projects", { name: "Birds" })).id;
}"""
KEPT = "Object.keys(localStorage).filter(it => it.includes('upload'))"
DATA = """name => {
    const data = new DataTransfer();
    data.items.add(new File([name], name));
    return data;
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


async def drop(page, *paths):
    """Drop files and folders on the middle of the page, as from the desktop."""
    browser = await page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        await browser.send(
            "Input.dispatchDragEvent", {"type": kind, "x": 500, "y": 400, "data": data}
        )
    await browser.detach()


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
async def test_two_hundred_files_over_a_connection_that_breaks(browser, everybodys, tmp_path):
    small, large = tmp_path / "set", tmp_path / "set" / "large"
    large.mkdir(parents=True)
    paths = [small / f"small-{n}.bin" for n in range(196)]
    paths += [large / f"large-{n}.bin" for n in range(4)]
    for n, path in enumerate(paths):
        path.write_bytes(os.urandom(n + (4_000 if n < 196 else 6_000_000)))
    cuts = [40_000, 150_000, 2_000_000, 30_000, 1_500_000, 90_000]
    begun = set()
    async with cutting(everybodys.port) as way, at(browser, way.port) as page:
        page.on("request", lambda it: it.method == "PATCH" and begun.add(it.url))
        way.cuts += cuts  # those of connections that are made from here on, or go on
        await drop(page, small)
        await expect(panel(page)).to_contain_text("200 files are ready", timeout=200_000)
        assert way.done == len(cuts)
        assert len(begun) == 4, "what was cut off was begun anew"
        found = await files_of(page)
        assert sorted(file["sha256"] for file in found) == digests(paths)
        tags = {file["name"]: file["tags"] for file in found}
        assert tags["small-0.bin"] == ["folder:set"]
        assert tags["large-3.bin"] == ["folder:set/large"]


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


async def test_what_is_paused_goes_on_where_it_was_also_after_a_reload(page, some):
    first, second = some(first_bin=CHUNK + 2_000_000, second_bin=CHUNK + 2_000_001)
    offsets, held, way = [], asyncio.Event(), asyncio.Event()

    async def rest(route):
        """Let first chunks through, and keep the others waiting while the way is shut."""
        offset = int(route.request.headers.get("upload-offset", 0))
        if route.request.method == "PATCH":
            offsets.append(offset)
        if route.request.method == "PATCH" and offset:
            held.set()
            await way.wait()
        with suppress(Error):  # whoever asked is gone
            await route.continue_()

    await page.route(re.compile("/v1/uploads/upload_"), rest)
    await page.set_input_files("#choose", first)
    await held.wait()
    await expect(line(page, "first.bin")).to_contain_text("16.8 MB of 18.8 MB")
    await page.get_by_role("button", name="Pause: first.bin").click()
    await expect(line(page, "first.bin")).to_contain_text("paused · 16.8 MB of 18.8 MB")
    offsets.clear()
    way.set()
    await page.get_by_role("button", name="Resume: first.bin").click()
    await expect(panel(page)).to_contain_text("1 file is ready")
    assert offsets == [CHUNK]
    way.clear()
    held.clear()
    await page.set_input_files("#choose", second)
    await held.wait()
    await expect(line(page, "second.bin")).to_contain_text("16.8 MB of 18.8 MB")
    await page.reload()
    await expect(line(page, "second.bin")).to_contain_text("Choose the file again to go on")
    offsets.clear()
    way.set()
    await page.set_input_files("#choose", second)
    await expect(panel(page)).to_contain_text("1 file is ready")
    assert offsets == [CHUNK]
    found = await files_of(page)
    assert sorted(file["sha256"] for file in found) == digests([first, second])
    await page.reload()
    await expect(page.get_by_text("second.bin").first).to_be_visible()
    assert await page.evaluate(KEPT) == []


async def test_all_that_begin_at_once_can_be_paused_and_given_up(page, some):
    """The first files of a page: what the server takes is asked once for all of them."""
    paths = some(**{f"part-{n}_bin": 5_000_001 + n for n in range(4)})
    begun, way, asked = asyncio.Event(), asyncio.Event(), []

    async def held(route):
        asked.append(route.request.method)
        if route.request.method == "PATCH":
            if asked.count("PATCH") == len(paths):
                begun.set()
            await way.wait()
        with suppress(Error):
            await route.continue_()

    await page.route(re.compile("/v1/uploads"), held)
    await page.set_input_files("#choose", paths)
    await begun.wait()
    await panel(page).get_by_role("button", name="Pause", exact=True).click()
    await expect(panel(page).get_by_text("Paused", exact=True)).to_be_visible()
    async with page.expect_request(lambda it: it.method == "DELETE") as given_up:
        await page.get_by_role("button", name="Cancel: part-3.bin").click()
    assert await (await given_up.value).response()
    way.set()
    await panel(page).get_by_role("button", name="Go on").click()
    await expect(panel(page)).to_contain_text("3 files are ready")
    assert (asked.count("OPTIONS"), asked.count("DELETE")) == (1, 1)
    found = await files_of(page)
    assert sorted(file["sha256"] for file in found) == digests(paths[:3])
    assert await page.evaluate(KEPT) == []


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
    chosen = page.get_by_role("checkbox", name="Select good.bin")
    await chosen.check()
    await panel(page).get_by_role("button", name="Try again: empty.mp4").focus()
    await page.keyboard.press("Escape")
    await expect(refused).to_be_hidden()
    await expect(fold).to_be_focused()
    await expect(chosen).to_be_checked()
    await page.keyboard.press("Enter")
    for name in ("Close", "Try again: empty.mp4", "Dismiss: empty.mp4"):
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name=name)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(refused).to_have_count(0)
    await expect(fold).to_be_focused()
    await panel(page).get_by_role("button", name="Close").press("Enter")
    await expect(panel(page)).to_be_hidden()
    (file,) = await files_of(page)

    refusing = {"b.bin", "c.bin", "good.bin"}

    async def old(route):
        """Refuse each once, then answer as for a file of long ago.

        What was sent a moment ago counts as sent now.
        """
        asked = parse_qs(urlsplit(route.request.url).query)
        assert asked["if_absent"] == ["true"]
        if (name := asked["name"][0]) in refusing:
            refusing.remove(name)
            await route.fulfill(status=422, json={"detail": "Not this one."})
            return
        told = {**file, "duplicate": True, "created_at": "2026-01-01T00:00:00.000Z"}
        await route.fulfill(json=told, headers={"Date": "Fri, 02 Jan 2026 00:00:00 GMT"})

    await page.route("**/v1/files?name=*", old)
    await page.set_input_files("#choose", [good, *some(b_bin=2_000, c_bin=2_000)])
    await expect(panel(page).get_by_text("Not this one.")).to_have_count(3)
    await page.get_by_role("button", name="Try again: good.bin").press("Enter")
    await expect(line(page, "good.bin")).to_contain_text("already here")
    await panel(page).get_by_role("button", name="Try all again").press("Enter")
    await expect(panel(page).get_by_text("already here")).to_have_count(3)


async def test_a_quota_stops_all_and_a_limit_is_waited_for(page, some):
    quota = {"code": "quota_exceeded", "detail": "You keep all that you may."}
    limit = {"code": "rate_limited", "detail": "Too fast."}
    answers, asked = [(quota, "10"), (limit, "3600"), (limit, "2")], []

    async def refuse(route):
        asked.append(time.monotonic())
        if not answers:
            await route.continue_()
            return
        problem, wait = answers.pop(0)
        headers = {"Retry-After": wait, "Content-Type": "application/problem+json"}
        await route.fulfill(status=429, headers=headers, body=json.dumps(problem))

    await page.route("**/v1/files?name=*", refuse)
    await page.set_input_files("#choose", some(a_bin=2_000))
    await expect(panel(page)).to_contain_text("You keep all that you may. Uploads wait until")
    assert len(asked) == 1
    await panel(page).get_by_role("button", name="Go on").click()
    await expect(panel(page)).to_contain_text(
        re.compile(r"The server asks to wait 3,\d\d\d seconds")
    )
    await panel(page).get_by_role("button", name="Try now").click()
    await expect(panel(page)).to_contain_text("1 file is ready")
    assert len(asked) == 4
    assert asked[3] - asked[2] > 1.9, "it did not wait"


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


async def test_files_are_dropped_on_a_project_and_on_a_new_job(page):
    project = await page.evaluate(PROJECT)
    here = f"/projects/{project}"
    for path, script in ((here, "panel"), ("/jobs/new", "queue")):
        await page.goto(urljoin(page.url, path))
        await page.route(f"**/static/uploading/{script}.js", lambda route: route.abort())
        name = f"{script}.bin"
        for told in ("The uploader could not be loaded", "1 file is ready"):
            data = await page.evaluate_handle(DATA, name)
            await page.dispatch_event("#drop", "drop", {"dataTransfer": data})
            await expect(page.get_by_text(told).first).to_be_visible()
            await page.unroute(f"**/static/uploading/{script}.js")
    await expect(page.get_by_role("checkbox", name="queue.bin")).to_be_checked()
    joined = await page.context.request.get(urljoin(page.url, f"/v1{here}/files"))
    listed = await joined.json()
    assert [file["name"] for file in listed["data"]] == ["panel.bin"]
    assert await page.evaluate(GONE) == ["b.bin"]
    await expect(page.get_by_text("2 of the files could not be read")).to_be_visible()
