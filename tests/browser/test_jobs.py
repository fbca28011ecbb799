"""The pages of jobs: the list and one job, live, by mouse, keys and thumb."""

import json
import os
import re
import signal
import zipfile
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.media_factory import clip
from tests.support.judging import PHONE, judged, sideways
from tests.support.processes import until_live

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c636078"
    "7300000253012d99ae6b3d0000000049454e44ae426082"
)
EVERY = ("extract-frames", {"mode": "all"})
GREY = ("preprocess", {"methods": ["grayscale"]})


@pytest.fixture
def video(tmp_path):
    """A real video of some length, or one that FFmpeg makes."""
    if samples := os.environ.get("MEDIAMILL_SAMPLES"):
        return Path(samples) / "bottle-detection.mp4"
    return clip(tmp_path / "clip.mp4", seconds=40, size="640x360")


def base_of(page):
    return "/".join(page.url.split("/", 3)[:3])


async def asked(page, method, path, **given):
    """Send a request with the page's session; return the answer's JSON."""
    base = base_of(page)
    headers = {"origin": base, **given.pop("headers", {})}
    answer = await page.context.request.fetch(
        f"{base}{path}", method=method, headers=headers, **given
    )
    assert answer.ok, await answer.text()
    return None if answer.status == 204 else await answer.json()


async def put(page, name, content):
    """Upload bytes; return the file's id."""
    headers = {"content-type": "application/octet-stream"}
    path = f"/v1/files?name={name}"
    return (await asked(page, "POST", path, data=content, headers=headers))["id"]


async def submit(page, files, *steps, **given):
    """Submit a job; return its id. A step is a name, or a name with its parameters."""
    told = [{"operation": step} if isinstance(step, str) else
            {"operation": step[0], "parameters": step[1]} for step in steps]  # fmt: skip
    body = {"files": files, "steps": told, **given}
    return (await asked(page, "POST", "/v1/jobs", data=body))["id"]


async def ended(page, job):
    """Wait for a job's end."""
    while True:
        found = await asked(page, "GET", f"/v1/jobs/{job}?wait=20")
        if found["finished_at"]:
            return found


async def look_at(page, path):
    await page.goto(f"{base_of(page)}{path}")


async def test_a_job_is_watched_to_its_end_and_a_frame_is_used_again(page, video, tmp_path):
    """The way through: started, followed by events alone, looked at, picked, used, downloaded."""
    film = await put(page, "film.mp4", video.read_bytes())
    asks = []
    page.on("request", lambda request: asks.append(request.url))
    fps = ("extract-frames", {"mode": "fps", "fps": 2})
    job = await submit(page, [film], fps, name="Film")
    await look_at(page, f"/jobs/{job}")
    await expect(page.locator("#state")).to_have_text("succeeded", timeout=60_000)
    assert any(url.endswith("/v1/events") for url in asks)
    await expect(page.locator("#summary")).to_contain_text("1 of 1 file done")
    await expect(page).to_have_title(re.compile("^succeeded · Film"))
    assert await page.locator("link[rel=icon]").get_attribute("href") != "/static/icon.svg"

    sheet = page.get_by_role("region", name="Pictures of film.mp4")
    told = await sheet.locator(".heading .muted").inner_text()
    count = int(told.split()[0])
    assert count > 60
    first = sheet.get_by_role("link", name=re.compile("^Frame 1 at 0:0"))
    await expect(first.locator("img")).to_have_js_property("complete", True)
    await first.click()
    seen = page.get_by_role("dialog", name="film.mp4")
    await expect(seen.locator("p")).to_contain_text(f"1 of {count}")
    await page.keyboard.press("ArrowRight")
    await expect(seen.locator("p")).to_contain_text(f"2 of {count}")
    await page.keyboard.press("Space")
    await expect(seen.get_by_role("button", name="Pick")).to_have_attribute("aria-pressed", "true")
    await page.keyboard.press("End")
    await expect(seen.locator("p")).to_contain_text(f"{count} of {count}")
    await page.keyboard.press("Home")
    await expect(seen.locator("p")).to_contain_text(f"1 of {count}")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Escape")
    await expect(sheet.get_by_role("link", name=re.compile("^Frame 2 at"))).to_be_focused()

    await expect(page.locator("#picked-count")).to_have_text("1 picture picked")
    await sheet.get_by_role("checkbox", name=re.compile("^Pick Frame 4 at")).click(
        modifiers=["Shift"]
    )
    await expect(page.locator("#picked-count")).to_have_text("3 pictures picked")
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="Download as zip").click()
    await (await coming.value).save_as(tmp_path / "picked.zip")
    with zipfile.ZipFile(tmp_path / "picked.zip") as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 3
    await page.get_by_role("button", name="Add to a project").click()
    await page.get_by_label("Its name").fill("Picked frames")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_text("3 pictures added to Picked frames.")).to_be_visible()
    async with page.expect_download() as coming:
        await page.get_by_role("link", name=re.compile("^Download ")).first.click()
    await (await coming.value).save_as(tmp_path / "frames.zip")
    with zipfile.ZipFile(tmp_path / "frames.zip") as archive:
        assert sum(name.endswith(".jpg") for name in archive.namelist()) == count
    await page.get_by_role("button", name="Use in a new job").click()
    await page.wait_for_url(re.compile(r"/jobs/new\?archive=file_.*(&members=frame-[^&]+){3}$"))


async def test_what_failed_says_why_and_is_tried_again(page):
    """A text among pictures fails alone; retried, it fails again, and the list says so."""
    good = await put(page, "dot.png", PNG)
    bad = await put(page, "holiday.mp4", b"#EXTM3U\nfile:///etc/passwd\n" * 50)
    job = await submit(page, [good, bad], "thumbnail", name="Dots")
    await ended(page, job)
    await look_at(page, f"/jobs/{job}")
    failure = page.locator("#failures li")
    await expect(failure).to_contain_text("holiday.mp4")
    await expect(failure).to_contain_text("unsupported_media")
    await expect(failure).to_contain_text("check what the file is")
    rows = page.locator("#items-table tbody tr")
    await expect(rows).to_have_count(2)
    await page.get_by_label("Show").select_option("failed")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("check what the file is")
    await judged(page)

    await page.get_by_role("button", name="Retry failed").click()
    await expect(page.locator("#milestone")).to_contain_text("The job has ended: failed in part")
    assert (await asked(page, "GET", f"/v1/jobs/{job}"))["generation"] == 2
    await expect(failure).to_contain_text("holiday.mp4")

    await page.get_by_text("Parameters").click()
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy as JSON").click()
    await expect(page.get_by_text("Copied.")).to_be_visible()
    said = json.loads(await page.evaluate("navigator.clipboard.readText()"))
    assert said["files"] == [good, bad]
    assert said["steps"][0]["operation"] == "thumbnail"
    again = page.get_by_role("link", name="Run again")
    assert await again.get_attribute("href") == f"/jobs/new?again={job}"

    await page.get_by_role("link", name="All jobs").click()
    row = page.get_by_role("listitem").filter(has=page.get_by_role("link", name="Dots", exact=True))
    await expect(row).to_contain_text("failed in part")
    await expect(row).to_contain_text("1 failed")
    await row.get_by_role("button", name="Delete Dots").click()
    await expect(row).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    await expect(row).to_contain_text("failed in part")
    await judged(page)


async def test_cancelled_and_run_on_while_the_service_restarts(page, video, everybodys):
    """The list goes on by itself: a job comes, its service is started anew, it is cancelled."""
    await look_at(page, "/jobs")
    await expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
    film = await put(page, "film.mp4", video.read_bytes())
    other = await page.context.new_page()  # hears by the same stream
    streams = []
    for one in (page, other):
        one.on("request", lambda request: streams.append(request.url.endswith("/v1/events")))
    await other.goto(page.url)
    await expect(other.get_by_role("heading", name="No jobs yet")).to_be_visible()
    await submit(page, [film], EVERY, name="Long")
    for one in (page, other):
        await expect(one.get_by_role("link", name="Long", exact=True)).to_be_visible()
    assert not any(streams)  # the first page had its stream before
    everybodys.end(signal.SIGTERM)
    for one in (page, other):
        await expect(one.get_by_role("alert")).to_contain_text("The service does not answer")
    everybodys.start()
    await until_live(everybodys)
    for one in (page, other):
        await expect(one.locator("#lost")).to_be_hidden(timeout=60_000)
    row = page.locator(".job-row").filter(has=page.get_by_role("link", name="Long", exact=True))
    cancel = row.get_by_role("button", name="Cancel Long")
    again = row.get_by_role("button", name="Run what was cancelled in Long")
    await expect(cancel.or_(row.locator(".badge.succeeded"))).to_be_visible(timeout=60_000)
    if await cancel.count() and await cancel.is_visible():
        await cancel.click()
        await expect(again.or_(row.locator(".badge.succeeded")).first).to_be_visible(timeout=60_000)
        if await again.is_visible():
            await page.get_by_role("button", name="Undo").click()
    await expect(row.locator(".badge")).to_have_text("succeeded", timeout=120_000)
    await expect(other.locator(".job-row .badge")).to_have_text("succeeded", timeout=60_000)
    await other.close()


async def test_filters_stand_in_the_address(page):
    dot = await put(page, "dot.png", PNG)
    for name, step in (("Small", "thumbnail"), ("Grey", GREY)):
        await ended(page, await submit(page, [dot], step, name=name))
    await look_at(page, "/jobs?operation=preprocess")
    rows = page.locator(".job-row")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("Grey")
    await page.get_by_label("Name").fill("small")
    await expect(page.get_by_role("heading", name="No job is like that")).to_be_visible()
    assert "name=small" in page.url
    await page.locator("#no-match").get_by_role("button", name="Clear the filters").click()
    await expect(rows).to_have_count(2)
    await page.get_by_label("State").select_option("failed")
    await expect(rows).to_have_count(0)
    assert page.url.endswith("/jobs?state=failed")


async def test_by_keys_alone_on_a_phone(page):
    """From the list to a picture that is picked and put into a new job, without a mouse."""
    dots = [await put(page, f"dot-{n}.png", PNG) for n in range(3)]
    job = await submit(page, dots, GREY, name="Grey")
    await ended(page, job)
    await page.set_viewport_size(PHONE)
    await look_at(page, "/jobs")
    link = page.get_by_role("link", name="Grey", exact=True)
    await expect(link).to_be_visible()
    assert await sideways(page) == []
    await tabbed(page, link)
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(rf"/jobs/{job}$"))
    cells = page.locator(".contact a")
    await expect(cells).to_have_count(3)
    await tabbed(page, cells.first)
    await page.keyboard.press("ArrowRight")
    await expect(cells.nth(1)).to_be_focused()
    await page.keyboard.press("Space")
    await expect(page.locator("#picked-count")).to_have_text("1 picture picked")
    await page.keyboard.press("Shift+ArrowRight")
    await expect(page.locator("#picked-count")).to_have_text("2 pictures picked")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("3 of 3")
    await expect(page.get_by_role("button", name="Show the original")).to_be_visible()
    await page.keyboard.press("Escape")
    assert await sideways(page) == []
    await tabbed(page, page.get_by_role("button", name="Use in a new job"))
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(r"/jobs/new\?files=file_.*%2Cfile_"))


async def tabbed(page, target):
    """Press Tab until something has the focus."""
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await target.evaluate("it => it === document.activeElement"):
            return
    raise AssertionError(f"Tab does not lead to {target}")


async def test_a_sheet_of_thousands_keeps_few_elements(page):
    """Each of its places can be gone to at once; what is not known yet is asked for there."""
    dot = await put(page, "dot.png", PNG)
    job = await submit(page, [dot], "thumbnail")
    await ended(page, job)
    await page.route("**/results?*", lambda route: route.fulfill(json=MANY))
    await page.route("**/members?*", members)
    await page.route("**/v1/files/file_many/members/*", lambda route: route.fulfill(body=PNG))
    await look_at(page, f"/jobs/{job}")
    sheet = page.get_by_role("region", name="Pictures of many")
    await expect(sheet.locator(".muted").first).to_contain_text("10,000 pictures")
    await sheet.get_by_role("link", name=re.compile("^Frame 1 at")).focus()
    await page.keyboard.press("End")
    await expect(sheet.get_by_role("link", name="Frame 10,000 at 1:23:20.00")).to_be_focused()
    for top in (0, 0.5, 0.9, 0.2):
        await page.evaluate("top => scrollTo(0, top * document.body.scrollHeight)", top)
        await expect(sheet.locator("img").first).to_be_attached()
        assert await page.evaluate("document.querySelectorAll('*').length") < 2_000


MANY = {"has_more": False, "after": None, "data": [{"name": "many", "path": "", "report": {},
        "input": "", "files": [{"id": "file_many", "media_type": "application/zip", "name": "many",
                                "size": 1, "url": "", "info": {"frames": 10_000}}]}]}  # fmt: skip


async def members(route):
    """Answer as for an archive of ten thousand frames, one for each half second."""
    start = int(re.search(r"after=(\d+)", route.request.url)[1])
    names = [f"frame-{n:06d}-{(n + 1) * 500}.jpg" for n in range(start, min(start + 100, 10_000))]
    rows = [{"path": name, "size": 1, "url": f"/v1/files/file_many/members/{name}"}
            for name in names]  # fmt: skip
    await route.fulfill(json={"data": rows, "has_more": True, "after": "", "count": 10_001})


async def test_waiting_is_explained(page):
    """What the service tells of a job that has not begun is said in words."""
    dot = await put(page, "dot.png", PNG)
    job = await ended(page, await submit(page, [dot], "thumbnail", name="Later"))
    waits = {**job["progress"], "fraction": 0, "queue_position": 3, "seconds_left": 240}
    told = {**job, "state": "running", "started_at": None, "finished_at": None, "download": None,
            "counts": dict.fromkeys(job["counts"], 0), "progress": waits}  # fmt: skip
    await page.route(f"**/v1/jobs/{job['id']}", lambda route: route.fulfill(json=told))
    await page.route("**/v1/events", lambda route: route.abort())  # a gateway lets none through
    await look_at(page, f"/jobs/{job['id']}")
    await expect(page.locator("#summary")).to_contain_text("3 jobs ahead · about 4 min left")
    await page.unroute(f"**/v1/jobs/{job['id']}")
    await expect(page.locator("#state")).to_have_text("succeeded")  # it was asked for
