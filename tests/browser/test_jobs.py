"""The pages of jobs: the list and one job, live, by mouse, keys and thumb."""

import asyncio
import json
import re
import signal
import zipfile

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.conftest import LIVELY, MODULE
from tests.conftest import chosen
from tests.media_factory import clip
from tests.support.held import Held
from tests.support.judging import PHONE, judged, sideways
from tests.support.pressing import tabbed
from tests.support.processes import Process, free_port, until_live

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c636078"
    "7300000253012d99ae6b3d0000000049454e44ae426082"
)
GREY = ("preprocess", {"methods": ["grayscale"]})
AWAY = {"status": 503, "json": {"code": "unavailable", "detail": "The store is away."}}


@pytest_asyncio.fixture(**MODULE)
async def everybodys(request, servers, tmp_path_factory):
    """A service whose jobs go on when a test lets them."""
    folder = tmp_path_factory.mktemp("service")
    process = Process("up", folder / "home", free_port(), **LIVELY)
    process.program = ("tests.support.held", str(folder / "held"))
    with pytest.MonkeyPatch.context() as patch, Held(folder / "held"):
        for name, value in servers.environment(chosen(request.config)).items():
            patch.setenv(name, value)
        process.start()
        try:
            await until_live(process)
            yield process
        finally:
            process.end()


@pytest.fixture
def held(everybodys):
    """What holds items by the names of their inputs."""
    with Held(everybodys.home.parent / "held") as held:
        yield held


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


async def test_a_job_is_watched_to_its_end_and_a_frame_is_used_again(page, held, tmp_path):
    """The way through: two clicks from files to the form and two more to the job, which is followed
    by events alone; its frames are looked at, picked, used, downloaded."""
    films = [clip(tmp_path / f"{name}.mp4", rate="5", seconds=seconds, size="160x90")
             for name, seconds in (("film", 40), ("other", 39))]  # fmt: skip
    held.hold("film.mp4", "other.mp4")
    await expect(page.get_by_role("heading", name="Nothing here yet")).to_be_visible()
    await page.set_input_files("#choose", films)
    for film in films:
        await page.get_by_role("checkbox", name=f"Select {film.name}").check()
    await page.get_by_role("button", name="New job").click()
    await page.wait_for_url(re.compile(r"/jobs/new\?files=file_"))
    await page.get_by_role("button", name=re.compile("^Extract frames ")).click()
    async with page.expect_request("**/v1/events"):
        await page.get_by_role("button", name="Run", exact=True).click()
    job = page.url.rpartition("/")[2]
    await page.route(f"**/v1/jobs/{job}", lambda _: None)  # unanswered: events alone tell of it
    order = [item["name"] for item in (await asked(page, "GET", f"/v1/jobs/{job}/items"))["data"]]
    summary, progress = page.locator("#summary"), page.locator("#progress")
    await expect(summary).to_contain_text("0 of 2 files")
    held.let_go(order[0])
    await expect(summary).to_contain_text("1 of 2 files")
    await expect(progress).not_to_have_js_property("value", 0)
    assert 0 < await progress.evaluate("it => it.value") < 1
    held.let_go(order[1])
    await expect(page.locator("#state")).to_have_text("succeeded", timeout=60_000)
    await expect(summary).to_contain_text("2 of 2 files done")
    await expect(page.locator("#milestone")).to_contain_text("The job has ended: succeeded")
    await expect(page).to_have_title(re.compile("^succeeded · Extract frames"))
    assert await page.locator("link[rel=icon]").get_attribute("href") != "/static/icon.svg"

    sheet = page.get_by_role("region", name="Pictures of film.mp4")
    told = await sheet.locator(".heading .muted").inner_text()
    count = int(told.split()[0])
    assert count == 40
    for n in (count, count // 2, 1):
        await sheet.evaluate(MIDDLE, n / count)
        frame = sheet.get_by_role("link", name=re.compile(f"^Frame {n} at 0:")).locator("img")
        await expect(frame).not_to_have_js_property("naturalWidth", 0)
    first = sheet.get_by_role("link", name=re.compile("^Frame 1 at 0:0"))
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
    await seen.get_by_role("button", name="Close").press("Space")  # which picks nothing there
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
        assert sum(name.endswith(".jpg") for name in archive.namelist()) == count + 39
    await page.get_by_role("button", name="Use in a new job").click()
    await page.wait_for_url(re.compile(r"/jobs/new\?archive=file_.*(&members=frame-[^&]+){3}$"))


MIDDLE = """(it, part) => {
  const { top, height } = it.getBoundingClientRect();
  scrollBy({ top: top + part * height - innerHeight / 2, behavior: "instant" });
}"""


async def test_what_failed_says_why_and_is_tried_again(page, held):
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
    await page.route("**/items?*", lambda route: route.fulfill(**AWAY))
    await page.get_by_label("Show").select_option("succeeded")
    await expect(page.locator("#items-error")).to_have_text("The store is away.")
    await expect(rows).to_have_count(0)
    await page.unroute("**/items?*")
    await page.get_by_label("Show").select_option("failed")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("check what the file is")
    await expect(page.locator("#items-error")).to_be_hidden()
    await judged(page)

    await page.get_by_label("Show").select_option("")
    sheet = await page.locator(".contact").element_handle()
    bad_one = rows.filter(has_text="holiday.mp4")
    good_one = await rows.filter(has_text="dot.png").element_handle()
    held.hold("holiday.mp4")
    await page.get_by_role("button", name="Retry failed").click()
    await bad_one.get_by_role("link").focus()
    await expect(bad_one.locator(".badge")).to_have_text(re.compile("in work|not done yet"))
    await expect(bad_one.get_by_role("link")).to_be_focused()
    held.let_go("holiday.mp4")
    await expect(page.locator("#milestone")).to_contain_text("The job has ended: failed in part")
    await expect(bad_one.locator(".badge")).to_have_text("failed")
    await expect(bad_one.get_by_role("link")).to_be_focused()
    assert await good_one.evaluate("it => it.isConnected")  # a text marked there stays marked
    assert (await asked(page, "GET", f"/v1/jobs/{job}"))["generation"] == 2
    await expect(failure).to_contain_text("holiday.mp4")
    await expect(page.locator(".contact li")).to_have_count(1)
    await page.keyboard.press("Control+a")
    await expect(page.locator("#picked-count")).to_have_text("1 picture picked")
    assert not await sheet.evaluate("it => it.querySelector('.picked')")  # it is gone for good

    await page.get_by_text("Parameters").click()
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy as JSON").click()
    await expect(page.get_by_text("Copied.")).to_be_visible()
    said = json.loads(await page.evaluate("navigator.clipboard.readText()"))
    assert said["files"] == [good, bad]
    assert said["steps"][0]["operation"] == "thumbnail"
    again = page.get_by_role("link", name="Run again")
    assert await again.get_attribute("href") == f"/jobs/new?again={job}"
    await page.route("**/download", lambda route: route.fulfill(**AWAY))
    await page.get_by_role("link", name=re.compile(r"^Download \(")).click()
    await expect(page.get_by_text("The store is away.")).to_be_visible()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await expect(page.get_by_role("link", name="All jobs")).to_be_focused()
    await expect(page.locator("#items")).to_have_js_property("inert", True)
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator("#items")).to_have_js_property("inert", False)

    await page.get_by_role("link", name="All jobs").click()
    row = page.get_by_role("listitem").filter(has=page.get_by_role("link", name="Dots", exact=True))
    await expect(row).to_contain_text("failed in part")
    await expect(row).to_contain_text("1 failed")
    await row.get_by_role("button", name="Delete Dots").click()
    await expect(row).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    await expect(row).to_contain_text("failed in part")
    await judged(page)


async def test_cancelled_and_run_on_after_the_service_restarts(page, held, everybodys):
    """Lists go on by themselves: jobs come, the service is started anew; what is cancelled goes on
    by the Undo, and by its button."""
    dots = [await put(page, f"{n}.png", PNG) for n in range(2)]
    async with page.expect_request("**/v1/events"):
        await look_at(page, "/jobs")
    await expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
    other = await page.context.new_page()  # hears by the same stream
    asks = []
    for one in (page, other):
        one.on("request", lambda request: asks.append(request.url))
    await other.goto(page.url)
    await expect(other.get_by_role("heading", name="No jobs yet")).to_be_visible()
    await submit(page, dots[:1], "thumbnail", name="Short")
    for one in (page, other):
        await expect(one.locator(".job-row .badge")).to_have_text("succeeded", timeout=60_000)
    assert not any(url.endswith("/v1/events") for url in asks)
    everybodys.end(signal.SIGTERM)
    for one in (page, other):
        await expect(one.get_by_role("alert")).to_contain_text("The service does not answer")
    everybodys.start()
    await until_live(everybodys)
    for one in (page, other):
        await expect(one.locator("#lost")).to_be_hidden(timeout=60_000)
    await other.close()

    held.hold("1.png")
    job = await submit(page, dots, "thumbnail", name="Long")
    await submit(page, dots[1:], "thumbnail", name="Later")
    row = page.locator(".job-row").filter(has=page.get_by_role("link", name="Long", exact=True))
    await expect(row).to_contain_text("1 of 2 files")
    asks.clear()
    await page.reload()
    await expect(page.locator("#now .job-row")).to_have_count(2)
    while sum("state=unfinished" in url for url in asks) < 2:  # for itself, and for the stream
        await asyncio.sleep(0.05)
    other = await page.context.new_page()
    await other.goto(f"{base_of(page)}/jobs/{job}")
    await expect(other.locator("#summary")).to_contain_text("1 of 2 files")
    alone = [url for url in asks if re.search(r"/v1/jobs/job_\w+$", url)]
    assert alone == []  # a list is one request, not many

    await row.get_by_role("button", name="Cancel Long").click()
    again = page.expect_response("**/retry?only=cancelled", timeout=60_000)
    async with again as answer:
        await page.get_by_role("button", name="Undo").click()
    assert (await answer.value).ok  # it had been cancelled
    await expect(page.get_by_text("Undone.")).to_be_visible()
    await other.get_by_role("button", name="Cancel", exact=True).click(timeout=60_000)
    await expect(other.locator("#state")).to_have_text("cancelled", timeout=60_000)
    await expect(row.locator(".badge")).to_have_text("cancelled")
    held.let_go("1.png")
    await other.get_by_role("button", name="Run the rest").click()
    await expect(other.locator("#state")).to_have_text("succeeded", timeout=60_000)
    await expect(row.locator(".badge")).to_have_text("succeeded")
    await other.close()


async def test_filters_stand_in_the_address(page):
    dot = await put(page, "dot.png", PNG)
    for name, step in (("Small", "thumbnail"), ("Grey", GREY)):
        await ended(page, await submit(page, [dot], step, name=name))
    asks = []
    await page.route("**/v1/jobs?*", lambda route: away(route, asks))
    await look_at(page, "/jobs")
    await expect(page.get_by_text("The store is away.")).to_be_visible()
    for _ in range(10):  # as long as ten requests take
        await page.evaluate("fetch('/v1/jobs?limit=1').then(() => 0)")
    assert sum("limit=20" in url for url in asks) <= 3  # it is not asked again at once
    await page.unroute("**/v1/jobs?*")
    await expect(page.locator(".job-row")).to_have_count(2)  # but a while later
    await expect(page.get_by_text("The store is away.")).to_be_hidden()

    await look_at(page, "/jobs?operation=preprocess")
    chosen = page.get_by_label("Operation").locator("option:checked")
    await expect(chosen).to_have_text("Preprocess")
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


async def away(route, asks):
    """Answer as a service whose store is away, and note what was asked."""
    asks.append(route.request.url)
    await route.fulfill(**AWAY)


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
    await expect(cells.first.locator("img")).not_to_have_js_property("naturalWidth", 0)
    shown = re.compile(r"/content\?direct=false$")  # the page shows nothing from a bucket
    await expect(cells.first.locator("img")).to_have_attribute("src", shown)
    await tabbed(page, cells.first)
    await page.keyboard.press("ArrowRight")
    await expect(cells.nth(1)).to_be_focused()
    await page.keyboard.press("Space")
    await expect(page.locator("#picked-count")).to_have_text("1 picture picked")
    await page.keyboard.press("Shift+ArrowRight")
    await expect(page.locator("#picked-count")).to_have_text("2 pictures picked")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("3 of 3")
    await tabbed(page, page.get_by_role("button", name="Show the original"))
    await page.keyboard.press("Enter")
    large = page.get_by_role("dialog").locator("img")
    await expect(large).to_have_attribute("src", f"/v1/files/{dots[2]}/content?direct=false")
    await page.keyboard.press("ArrowLeft")
    await expect(page.get_by_role("dialog")).to_contain_text("2 of 3")
    await expect(large).not_to_have_js_property("naturalWidth", 0)
    await expect(large).to_have_js_property("onerror", None)  # or what fails is asked for ever
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Escape")
    assert await sideways(page) == []
    await tabbed(page, page.get_by_role("button", name="Use in a new job"))
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(r"/jobs/new\?files=file_.*%2Cfile_"))


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

    told |= {
        "state": "cancelled",
        "finished_at": job["finished_at"],
    }  # before its files were listed
    await page.route(f"**/v1/jobs/{job['id']}", lambda route: route.fulfill(json=told))
    await page.route("**/retry?only=cancelled", lambda route: route.fulfill(json=job))
    await page.reload()
    await page.get_by_role("button", name="Run the rest").click()
    await expect(page.get_by_text("Later goes on.")).to_be_visible()
