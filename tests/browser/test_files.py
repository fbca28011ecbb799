"""The pages of files: the grid of all of them, choosing, deleting and taking back, one file."""

import asyncio
import re
import zipfile
from itertools import pairwise

import pytest
from playwright.async_api import expect

from tests.support.judging import PHONE, judged
from tests.support.many_files import add_files, picture
from tests.support.pressing import enter

MANY, SOME = 10_000, 60
MOST_NODES = 2_000
NODES = "document.querySelectorAll('*').length"

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def given(page, service, count, **more):
    """Give the page's user files, and show them; return their ids, newest first."""
    me = await (await page.context.request.get(f"{base(page)}/v1/me")).json()
    ids = await add_files(service.home, me["id"], count, **more)
    await page.reload()
    await expect(page.locator("#count")).to_have_text(f"{count:,} files")
    return ids


def base(page):
    return "/".join(page.url.split("/")[:3])


def cell(page, n):
    return page.locator(f"#grid li[aria-posinset='{n}']")


def link(page, n):
    """The nth of the files that `add_files` makes."""
    return page.get_by_role("link", name=re.compile(f"^photo-{n:05}"))


def box(page, n):
    return page.get_by_role("checkbox", name=re.compile(f"photo-{n:05}"))


async def names(page):
    """What stands in the cells, in their order."""
    await expect(page.locator("#grid li.coming")).to_have_count(0)
    return [int(name[6:11]) for name in await page.locator("#grid .name").all_inner_texts()]


async def test_ten_thousand_files(page, everybodys):
    """All of them have their place at once; only those in sight are elements."""
    await given(page, everybodys, MANY)
    tall = await page.evaluate("document.documentElement.scrollHeight")
    columns = 5
    assert tall > MANY / columns * 100
    nodes = [await page.evaluate(NODES)]
    for share in (0.02, 0.04, 0.5, 0.31, 0.9, 1):
        await page.evaluate(f"scrollTo(0, {share * tall})")
        await page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        nodes.append(await page.evaluate(NODES))
        await expect(page.locator("#grid .about .name").first).to_be_visible()
    await expect(link(page, MANY - 1)).to_be_attached()
    await page.screenshot()  # the wheel goes by what is drawn
    await page.mouse.move(500, 500)
    await page.mouse.wheel(0, -3000)
    assert max(nodes) <= MOST_NODES
    await expect(link(page, MANY - 100)).to_be_attached()
    await page.evaluate("scrollTo(0, 0)")
    await link(page, 0).focus()
    await page.keyboard.press("End")
    await expect(link(page, MANY - 1)).to_be_focused()
    await expect(link(page, MANY - 1)).to_be_in_viewport()
    await page.keyboard.press("Shift+ArrowUp")
    await expect(page.locator("#chosen")).to_have_text(f"{columns + 1} selected")
    await page.keyboard.press("Control+a")
    await expect(page.locator("#chosen")).to_have_text(f"{MANY:,} selected")
    await half_deleted(page)
    await link(page, 0).focus()
    await page.keyboard.press("Control+a")
    await page.keyboard.press("End")
    await page.click("#new-job")  # the second click from any selection
    await page.wait_for_url(re.compile(r"/jobs/new\?selection=1$"))
    chosen = await page.evaluate("JSON.parse(sessionStorage.getItem('mediamill.selection'))")
    assert len(chosen) == MANY
    await page.go_back()
    await expect(link(page, MANY - 1)).to_be_in_viewport()  # where one was
    await without_an_answer(page, tall)


async def half_deleted(page):
    """The second of many requests is refused: what the first did is said, and can be taken back."""
    asked, returned = [], []

    async def delete(route):
        asked.append(route.request.post_data_json["files"])
        if len(asked) > 1:
            await route.fulfill(status=503, json={"detail": "The store is away."})
        else:
            await done(route)

    async def restore(route):
        returned.append(route.request.post_data_json["files"])
        await done(route)

    async def done(route):
        files = route.request.post_data_json["files"]
        told = [{"file": one, "ok": True, "code": "", "error": ""} for one in files]
        await route.fulfill(json={"data": told, "failed": 0})

    await page.route("**/v1/files/delete", delete)
    await page.route("**/v1/files/restore", restore)
    await page.get_by_role("button", name="Delete").click()
    await expect(page.locator(".toast.failed")).to_have_text(re.compile("The store is away."))
    notice = page.locator(".toast", has_text="500 files are in the trash.")
    await notice.get_by_role("button", name="Undo").click()
    await expect(page.locator(".toast", has_text="Undone.")).to_be_visible()
    await page.locator(".toast.failed").get_by_role("button", name="Dismiss").click()
    assert returned == asked[:1]
    assert len(asked) == 2
    await expect(page.locator("#count")).to_have_text(f"{MANY:,} files")
    await page.unroute_all()


async def without_an_answer(page, tall):
    """It is told once, and asked again after a pause or as soon as the connection is back."""
    await page.evaluate("""() => {
      const sent = fetch;
      Object.assign(window, { cut: true, asked: [] });
      window.fetch = (address, ...more) => {
        if (!String(address).includes("ids=")) return sent(address, ...more);
        document.body.dataset.asked = asked.push(performance.now());
        if (!cut) return sent(address, ...more);
        return new Promise((_, refuse) => setTimeout(() => refuse(new TypeError("cut"))));
      };
    }""")
    await page.evaluate(f"scrollTo(0, {tall / 3})")
    await expect(page.locator("body")).to_have_attribute("data-asked", re.compile("[3-9]"))
    asked = await page.evaluate("asked")
    assert min(later - sooner for sooner, later in pairwise(asked)) > 1_000
    await expect(page.locator(".toast.failed")).to_have_count(1)
    await page.evaluate("() => { cut = false; dispatchEvent(new Event('online')); }")
    await expect(page.locator("#grid li.coming")).to_have_count(0)
    await expect(page.locator(".toast.failed")).to_have_count(0)
    first = """import("/static/files/source.js").then(({ Files }) => {
      const files = new Files(() => new URLSearchParams());
      files.take({ data: ["none", "one", "two"], has_more: false });
      return files.first([...Array(200_000).fill("two"), "one"]);
    })"""
    assert await page.evaluate(first) == 1


@pytest.mark.soak
async def test_no_task_is_long(page, everybodys):
    """By the wall: on a machine that has nothing else to do. `benchmarks/grid.py` tells more."""
    await given(page, everybodys, MANY)
    await page.evaluate("""() => { window.long = [];
      const note = (list) => long.push(...list.getEntries().map((one) => one.duration));
      new PerformanceObserver(note).observe({ type: "longtask" }); }""")
    tall = await page.evaluate("document.documentElement.scrollHeight")
    for place in range(60):
        await page.evaluate(f"scrollTo(0, {tall * place / 60})")
        await page.wait_for_timeout(30)
    assert [took for took in await page.evaluate("long") if took > 100] == []


async def test_filters_stand_in_the_address(page, everybodys):
    await given(page, everybodys, SOME, tagged=(3, 8, 9, 13))
    await page.get_by_role("searchbox").fill("0001")
    await expect(page.locator("#count")).to_have_text("11 files")
    assert await names(page) == [1, *range(10, 20)]
    await page.get_by_role("radio", name="Videos").check()
    await expect(page.locator("#count")).to_have_text("2 files")
    assert page.url.endswith("/?name=0001&kind=video")
    await page.go_back()
    await expect(page.locator("#count")).to_have_text("11 files")
    await expect(page.get_by_role("radio", name="All")).to_be_checked()
    await page.go_back()
    await expect(page.get_by_role("searchbox")).to_have_value("")
    await page.get_by_text("Filters", exact=False).first.click()
    await page.get_by_label("Tag", exact=True).fill("picked")
    await enter(page)
    await expect(page.locator("#count")).to_have_text("4 files")
    assert await names(page) == [3, 8, 9, 13]
    await page.reload()
    await expect(page.locator("#chips")).to_contain_text("Tag: picked")
    await expect(page.locator("#count")).to_have_text("4 files")
    assert await names(page) == [3, 8, 9, 13]
    await page.goto(f"{base(page)}/?source=result&state=trashed&since=never&name=photo")
    await expect(page.locator("#count")).to_have_text(f"{SOME} files")
    await expect(page.locator("#chips button")).to_have_count(0)
    await what_arrives_meanwhile(page)
    await page.goto(f"{base(page)}/?tag=picked&since=2999-01-01&source=upload")
    await expect(page.get_by_role("heading", name="No files like this")).to_be_visible()
    await judged(page)
    await page.get_by_role("button", name=re.compile("^Remove the filter From")).click()
    await expect(page.locator("#count")).to_have_text("4 files")
    await page.get_by_role("button", name="Clear filters").click()
    await expect(page.locator("#count")).to_have_text(f"{SOME} files")
    assert page.url == f"{base(page)}/"


async def what_arrives_meanwhile(page):
    """Many files are one reading of a filtered list; who scrolls and what is deleted stays so."""
    held, read = asyncio.Event(), []

    async def delete(route):
        await held.wait()
        await route.continue_()

    await page.route("**/v1/files/delete", delete)
    await link(page, 0).focus()
    await page.keyboard.press("Delete")
    await expect(link(page, 0)).to_have_count(0)
    page.on("request", lambda it: read.append(it.url) if "/v1/files/ids?" in it.url else None)
    news = """() => {
      scrollTo(0, 400);
      const detail = { file: { id: "file_01KAHRQPV0V3E3M2X5E2C8T2QG" } };
      const news = () => document.dispatchEvent(new CustomEvent("mediamill:file", { detail }));
      for (let n = 0; n < 20; n += 1) news();
      scrollTo(0, 100);
    }"""
    async with (
        page.expect_response(re.compile(r"/v1/files\?")) as view,
        page.expect_response(re.compile(r"/v1/files/ids\?")) as ids,
    ):
        await page.evaluate(news)
    for answer in (view, ids):
        await (await answer.value).finished()
    assert len(read) == 1
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    assert await page.evaluate("scrollY") == 100
    await expect(page.locator("#count")).to_have_text(f"{SOME - 1} files")
    await expect(link(page, 0)).to_have_count(0)
    held.set()
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator("#count")).to_have_text(f"{SOME} files")


async def test_choosing_by_mouse_and_what_is_done_with_it(page, everybodys):
    ids = await given(page, everybodys, SOME)
    chosen = page.locator("#chosen")
    await cell(page, 3).hover()
    await box(page, 2).check()
    await box(page, 6).click(modifiers=["Shift"])
    await expect(chosen).to_have_text("5 selected")
    await link(page, 3).click(modifiers=["ControlOrMeta"])
    await link(page, 8).click()  # where something is chosen a click chooses more
    await expect(chosen).to_have_text("5 selected")
    await expect(link(page, 2)).to_have_accessible_description("selected")
    await expect(link(page, 3)).to_have_accessible_description("photo-00003.mp4")
    await judged(page)
    await page.get_by_role("button", name="Add tags").click()
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.locator("#tags-error")).not_to_be_empty()
    had = {"files": [ids[2]], "add": ["old  sea"]}  # since the page has read it
    url, headers = f"{base(page)}/v1/files/tags", {"origin": base(page)}
    assert (await page.context.request.post(url, data=had, headers=headers)).ok
    await page.get_by_label("Tags", exact=True).fill("sea,  old sea")
    await enter(page)
    await expect(page.get_by_text("Tags added to 5 files.")).to_be_visible()
    await page.get_by_role("button", name="Add to project").click()
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.locator("#join-name-error")).not_to_be_empty()
    await page.get_by_label("Its name").fill("Coast")
    await enter(page)
    await expect(page.get_by_text("5 files added to Coast.")).to_be_visible()
    told = await (await page.context.request.get(f"{base(page)}/v1/files?tag=sea")).json()
    assert [one["id"] for one in told["data"]] == [ids[n] for n in (2, 4, 5, 6, 8)]
    notice = page.locator(".toast", has_text="Tags added to 5 files.")
    await notice.get_by_role("button", name="Undo").click()
    await expect(page.locator(".toast", has_text="Undone.")).to_be_visible()
    told = await (await page.context.request.get(f"{base(page)}/v1/files?limit=10")).json()
    tagged = {one["id"]: one["tags"] for one in told["data"] if one["tags"]}
    assert tagged == {ids[2]: ["old sea"]}
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="Download").click()
    with zipfile.ZipFile(await (await coming.value).path()) as made:
        assert min(made.namelist()) == "photo-00002.png"
        assert len(made.namelist()) == 5
        assert made.testzip() is None
    await page.get_by_role("button", name="Delete").click()
    await expect(page.locator("#count")).to_have_text(f"{SOME - 5} files")
    await expect(link(page, 4)).to_have_count(0)
    assert await names(page) == [n for n in range(SOME) if n not in (2, 4, 5, 6, 8)][: len(
        await page.locator("#grid li").all()
    )]  # fmt: skip
    notice = page.locator(".toast", has_text="5 files are in the trash.")
    await notice.get_by_role("button", name="Undo").click()
    await expect(page.locator("#count")).to_have_text(f"{SOME} files")
    await expect(link(page, 4)).to_be_visible()
    await box(page, 4).check()
    await page.keyboard.press("n")
    await page.wait_for_url(re.compile(rf"/jobs/new\?files={ids[4]}$"))


async def test_choosing_by_keys_and_the_trash(page, everybodys):
    await given(page, everybodys, SOME)
    await page.get_by_role("button", name="As a list").focus()
    await enter(page)
    await page.keyboard.press("/")
    await page.keyboard.press("ArrowDown")
    await expect(link(page, 0)).to_be_focused()
    for key in ("ArrowDown", "Space", "Shift+ArrowDown", "Shift+ArrowDown", "Shift+ArrowUp"):
        await page.keyboard.press(key)
    await expect(page.locator("#chosen")).to_have_text("2 selected")
    await page.keyboard.press("Delete")
    await expect(page.locator("#count")).to_have_text(f"{SOME - 2} files")
    await expect(link(page, 3)).to_be_focused()
    for press in (page.keyboard.down, page.keyboard.down, page.keyboard.up):  # held for a while
        await press("Delete")
    await expect(page.locator("#count")).to_have_text(f"{SOME - 3} files")
    await expect(page.locator(".toast")).to_have_text(re.compile("3 files are in the trash."))
    await page.get_by_role("link", name="Trash").click()
    await expect(page.locator("#count")).to_have_text("3 files")
    await expect(page.locator("#grid")).to_contain_text("goes in 23 hours")
    await expect(page.locator("#grid img")).to_have_count(3)
    await expect(page.locator("#grid img").first).to_have_js_property("naturalWidth", 240)
    await box(page, 1).focus()
    await page.keyboard.press("Space")
    await judged(page)
    await page.get_by_role("button", name="Restore").click()
    await expect(page.locator("#count")).to_have_text("2 files")
    await expect(page.locator("#grid input:focus")).to_be_visible()
    await page.keyboard.press("Control+z")
    await expect(page.locator("#count")).to_have_text("3 files")
    await box(page, 1).check()
    await page.get_by_role("button", name="Restore").click()
    await expect(page.locator("#count")).to_have_text("2 files")
    await expect(page.get_by_text("1 file is back.")).to_be_visible()
    await box(page, 2).check()
    await page.get_by_role("button", name="Delete for good").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    await expect(page.locator("#count")).to_have_text("2 files")
    await page.get_by_role("button", name="Delete for good").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete for good").click()
    await expect(page.locator("#count")).to_have_text("1 file")
    await page.get_by_role("button", name="Empty the trash").click()
    await page.get_by_role("dialog").get_by_role("button", name="Empty the trash").click()
    await expect(page.get_by_role("heading", name="The trash is empty")).to_be_visible()
    await page.get_by_role("link", name="All files").first.click()
    await expect(page.locator("#count")).to_have_text(f"{SOME - 2} files")
    await expect(page.get_by_role("button", name="As a list")).to_have_attribute(
        "aria-pressed", "true"
    )


async def test_one_file(page, everybodys):
    ids = await given(page, everybodys, 5)
    await link(page, 1).click()
    await expect(page.locator("#place")).to_have_text("2 of 5")
    await expect(page.locator(".file-stage img")).not_to_have_js_property("naturalWidth", 0)
    await judged(page)
    await page.get_by_label("Add a tag").fill("x" * 101)
    await enter(page)
    await expect(page.locator("#tag-error")).to_contain_text("100")
    await page.get_by_label("Add a tag").fill("sea, boats")
    await enter(page)
    await expect(page.locator("#tags")).to_have_text(re.compile("sea.*boats"))
    await page.get_by_role("button", name="Remove the tag sea").click()
    await expect(page.locator("#tags")).not_to_contain_text("sea")
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator("#tags")).to_contain_text("sea")
    await page.get_by_role("button", name="Add to project").click()
    await page.get_by_label("Its name").fill("Harbours")
    await enter(page)
    await expect(page.get_by_role("link", name="Harbours")).to_be_visible()
    await page.locator(".toast", has_text="Harbours").get_by_role("button", name="Undo").click()
    await expect(page.get_by_text("It is in none.")).to_be_visible()
    await page.get_by_label("Name", exact=True).fill("harbour.png")
    await enter(page)
    await expect(page.get_by_role("heading", level=1)).to_have_text("harbour.png")
    night = "import('/static/times.js').then((it) => it.moment(new Date(2026, 8, 2, 0, 5)))"
    assert await page.evaluate(night) == "Sep 2, 2026, 00:05"
    await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    await page.get_by_role("button", name="Copy a link").click()
    await page.get_by_role("button", name="Make and copy").click()  # as where there is no HTTPS
    await expect(page.get_by_text("Copied. It works until")).to_be_visible()
    await expect(page.locator("#link-url")).to_be_visible()
    address = await page.locator("#link-url").input_value()
    assert (await page.context.request.get(address)).ok
    await page.keyboard.press("Escape")
    await page.get_by_role("heading", level=1).click()
    await page.keyboard.press("ArrowRight")
    await page.wait_for_url(re.compile(ids[2]))
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("is in the trash.")).to_be_visible()
    gone = f"{base(page)}/v1/files/{ids[2]}"
    assert (await page.context.request.get(gone)).status == 404
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator("#file")).not_to_have_class(re.compile("gone"))
    assert (await page.context.request.get(gone)).ok
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("button", name="Undo")).to_have_count(1)
    await page.keyboard.press("ArrowLeft")
    await page.wait_for_url(re.compile(ids[1]))
    await expect(page.locator("#place")).to_have_text("2 of 4")
    await page.get_by_role("link", name="Next file").click()
    await page.wait_for_url(re.compile(ids[3]))
    await page.get_by_role("link", name="All files").click()
    await expect(page.locator("#count")).to_have_text("4 files")


async def test_nothing_yet_and_on_a_phone(page, tmp_path):
    await page.set_viewport_size(PHONE)
    await expect(page.get_by_role("heading", name="Nothing here yet")).to_be_visible()
    await judged(page)
    missed = []  # pictures that are asked for before they are made
    page.on("response", lambda answer: missed.append(answer.url) if answer.status == 404 else None)
    note, photo = tmp_path / "note.txt", tmp_path / "photo.jpg"
    note.write_text("Something to keep.")
    photo.write_bytes(picture(1))
    await page.set_input_files("#choose", [note, photo])
    await expect(page.get_by_role("link", name="note.txt")).to_be_visible()
    await expect(page.locator("#grid img")).not_to_have_js_property("naturalWidth", 0)
    assert missed == []
    touched = page.get_by_role("link", name="note.txt")
    spot = await touched.bounding_box()
    place = {"clientX": spot["x"] + 20, "clientY": spot["y"] + 20, "pointerType": "touch"}
    await touched.dispatch_event("pointerdown", {**place, "bubbles": True})
    await expect(page.locator("#chosen")).to_have_text("1 selected")
    await touched.dispatch_event("pointerup", {**place, "bubbles": True})
    await judged(page)
