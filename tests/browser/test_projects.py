"""The pages of projects, from bringing images in to a frozen version, as a person uses them."""

import asyncio
import io
import json
import re
import zipfile

import numpy as np
import pytest
from PIL import Image
from playwright.async_api import expect

from mediamill.annotations.model import Rle
from mediamill.annotations.rle import bitmap_of
from tests.support.judging import PHONE, faults, sideways
from tests.support.pressing import enter, sure

pytestmark = pytest.mark.asyncio(loop_scope="session")

DROPPED = """async () => {
  const { dropped, pathOf } = await import("/static/dropping.js");
  const file = { name: "a.jpg", isFile: true, fullPath: "/set/train/a.jpg",
                 file: (take) => take(new File(["a"], "a.jpg")) };
  const hidden = { name: ".DS_Store", isFile: true };
  const folder = { name: "set", isFile: false, createReader: () => {
    const rounds = [[file], [hidden], []];
    return { readEntries: (take) => take(rounds.shift()) };
  } };
  const found = await dropped({ items: [{ webkitGetAsEntry: () => folder }], files: [] });
  return found.map(pathOf);
}"""
"""What a script cannot drop: a folder, whose reader gives its entries by and by."""
COCO = {
    "images": [{"id": 1, "file_name": "photo_00.jpg", "width": 160, "height": 120}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 50, 40]}],
    "categories": [{"id": 1, "name": "bird"}],
}


def pictures(folder, count, start=0):
    """Write pictures of different things; the second is a copy of the first in other bytes."""
    paths = []
    for n in range(start, start + count):
        draws = np.random.default_rng(0 if n == 1 else n)
        rough = draws.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        path = folder / f"photo_{n:02}.jpg"
        Image.fromarray(rough).resize((160, 120), 2).save(path, quality=95 if n == 1 else 85)
        paths.append(path)
    return paths


def zipped(paths, target):
    with zipfile.ZipFile(target, "w") as archive:
        for n, path in enumerate(paths):
            archive.write(path, f"{'train' if n else 'test'}/{path.name}")
        archive.writestr("train/broken.jpg", b"\xff\xd8\xff no picture")
    return target


async def api(page, method, path, body=None):
    answer = await page.context.request.fetch(
        f"{page.url.split('/projects')[0].split('/jobs')[0]}{path}",
        method=method,
        headers={"origin": page.url.split("/projects")[0].split("/jobs")[0]},
        data=body,
    )
    assert answer.ok, await answer.text()
    return await answer.json() if answer.status != 204 else None


async def sample(page):
    """Make the sample project and stand on its page; return its id."""
    await page.goto(f"{page.url.split('/projects')[0].rstrip('/')}/projects")
    await page.get_by_role("button", name="Make the sample").click()
    await page.wait_for_url(re.compile(r"/projects/proj_"))
    await expect(page.locator("#grid li")).to_have_count(24)
    return page.url.rpartition("/")[2]


async def test_from_images_to_a_frozen_version(page, tmp_path):
    await page.get_by_role("link", name="Projects").click()
    await expect(page.locator("#none")).to_be_visible()
    await page.click("#new button")
    await expect(page.locator("#new-name-error")).not_to_be_empty()
    await page.fill("#new-name", "Photos")
    await page.click("#new button")
    await page.wait_for_url(re.compile(r"/projects/proj_"))
    here = page.url
    project = f"/v1/projects/{here.rpartition('/')[2]}"
    await bring_in(page, tmp_path)
    await move(page)
    await annotate(page, here, project)
    await page.goto(f"{here}/split")
    await split(page)
    await page.goto(f"{here}/settings")
    await settings(page, project)
    await page.goto(f"{here}/process")
    await compare(page)
    await augment(page, here)
    asked = []
    page.on("request", lambda one: asked.append(one.url) if one.url.endswith("/health") else None)
    await page.goto(f"{here}/health")
    await page.wait_for_load_state("networkidle")
    assert asked == [f"{here}/health"]  # nobody has checked anything: no report is asked for
    await check(page, here)
    await page.goto(f"{here}/versions")
    await freeze(page, tmp_path, project)


async def bring_in(page, tmp_path):
    await page.set_input_files("#choose", pictures(tmp_path, 4))
    await expect(page.locator("#grid li")).to_have_count(4)
    archive = zipped(pictures(tmp_path, 3, start=4), tmp_path / "more.zip")
    await page.set_input_files("#choose", archive)
    await expect(page.locator("#imports li")).to_contain_text("3 images taken, 1 not")
    await expect(page.locator("#imports .error")).to_contain_text("broken.jpg")
    await expect(page.locator("#grid li")).to_have_count(7)
    await expect(page.locator("#counts")).to_contain_text("2 train · 1 test")


async def move(page):
    """By Shift, with the filters, and taken back."""
    boxes = page.locator("#grid li input")
    await boxes.nth(0).check()
    await boxes.nth(3).click(modifiers=["Shift"])
    await expect(page.locator("#chosen")).to_have_text("4 selected")
    await page.select_option("#move", "split:validation")
    notices = page.get_by_role("region", name="Notices")
    await expect(notices).to_contain_text("4 images moved.")
    await page.get_by_role("radio", name="Validation").check()
    await expect(page.locator("#grid li")).to_have_count(4)
    await notices.get_by_role("button", name="Undo").click()
    await expect(notices).to_contain_text("Undone.")
    await expect(page.locator("#grid li")).to_have_count(0)
    await page.get_by_role("radio", name="All", exact=True).check()
    await expect(page.locator("#grid li")).to_have_count(7)


async def annotate(page, here, project):
    await page.goto(f"{here}/classes")
    await page.click("#add")
    await page.click("#class-form [type=submit]")
    await expect(page.locator("#class-name-error")).not_to_be_empty()
    await page.fill("#class-name", "cat")
    await page.fill("#class-points", "left ear, right ear")
    await page.fill("#class-bones", "1-2, wrong")
    await page.click("#class-form [type=submit]")
    await expect(page.locator("#class-bones-error")).to_contain_text("not “wrong”")
    await page.fill("#class-bones", "1-2")
    await page.click("#class-form [type=submit]")
    await expect(page.locator("#classes tr")).to_have_count(1)
    await page.goto(here)
    await page.locator("#grid li a").nth(0).click()
    stage = page.locator("#stage")
    await expect(stage.locator("image").first).to_have_attribute("href", re.compile("/content"))
    box = await stage.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    await page.keyboard.press("b")
    await page.mouse.move(middle[0] - 60, middle[1] - 40)
    await page.mouse.down()
    await page.mouse.move(middle[0] + 60, middle[1] + 40, steps=3)
    await page.mouse.up()
    await page.keyboard.press("p")
    for x, y in ((-100, -60), (-40, -80), (-70, 20)):
        await page.mouse.click(middle[0] + x, middle[1] + y)
    await enter(page)
    await page.keyboard.press("k")
    for x in (-30, 30):
        await page.mouse.click(middle[0] + x, middle[1] + 70)
    await expect(page.locator("#count")).to_have_text("3 annotations")
    await page.keyboard.press("]")  # which saves
    await expect(page.locator("#count")).to_have_text("0 annotations")
    drawn = (await api(page, "GET", f"{project}/annotations"))["data"]
    kinds = [
        (one["class"], bool(one["polygons"]), len(one["keypoints"]))
        for one in drawn[0]["annotations"]
    ]
    assert kinds == [("cat", False, 0), ("cat", True, 0), ("cat", False, 6)]
    scale = float(await stage.get_attribute("data-scale"))
    assert drawn[0]["annotations"][0]["box"][2] == pytest.approx(120 / scale, abs=0.05)


async def split(page):
    await page.fill("#train", "0")
    await page.fill("#validation", "0")
    await page.fill("#test", "0")
    await page.click("#form [type=submit]")
    await expect(page.locator("#train-error")).to_contain_text("above 0")
    await page.fill("#train", "60")
    await page.fill("#test", "40")
    await page.get_by_label("Leave images where they are").uncheck()
    await page.click("#keep-split")
    await expect(page.locator("#kept")).to_contain_text("Kept")
    await page.click("#form [type=submit]")
    await expect(page.locator("#told")).to_contain_text("of 7 images moved")
    reached = page.locator("#reached .stacked").nth(1)
    await expect(reached).to_have_attribute("aria-label", re.compile(r"train 57 %.*test 43 %"))


async def settings(page, project):
    """What forms begin with: the way to split that was kept, and what is stored here."""
    await expect(page.locator("#split-train")).to_have_value("60")
    await expect(page.locator("#ratios [name=keep]")).not_to_be_checked()
    await page.fill("#split-seed", "-1")
    await page.click("#ratios [type=submit]")
    await expect(page.locator("#split-seed-error")).not_to_be_empty()
    await page.fill("#split-seed", "7")
    await page.click("#ratios [type=submit]")
    await expect(page.locator("#ratios [data-saved]")).to_have_text("Saved.")
    await page.select_option("#export", "coco")
    await page.fill("#seed", "11")
    await page.click("#expert [type=submit]")
    await expect(page.locator("#expert [data-saved]")).to_have_text("Saved.")
    kept = (await api(page, "GET", project))["settings"]
    assert (kept["seed"], kept["export"], kept["split"]["seed"]) == (11, "coco", 7)
    assert kept["split"]["train"] == 60
    await share(page)
    await page.fill("#keep_days", "soon")
    await page.click("#keep [type=submit]")
    await expect(page.locator("#keep_days-error")).to_contain_text("Say days")
    await page.fill("#keep_days", "30")
    await page.click("#keep-try")
    await expect(page.locator("#keep-look")).to_contain_text("Within 30 days: 7 files")
    await page.click("#keep [type=submit]")
    await expect(page.locator("#keep [data-saved]")).to_have_text("Saved.")
    await expect(page.locator("#keep [data-alone]")).to_be_visible()
    assert (await api(page, "GET", project))["keep_days"] == 30
    await page.fill("#keep_days", "")
    await page.click("#keep [type=submit]")
    await expect(page.locator("#keep [data-saved]")).to_have_text("Saved.")
    assert (await api(page, "GET", project))["keep_days"] == "installation"


async def share(page):
    """With somebody who is then taken out, and let in again."""
    other = {"email": "other@example.org", "password": "correct horse battery"}
    await api(page, "POST", "/v1/auth/register", other)
    await page.fill("#user", "nobody@example.org")
    await page.click("#share [type=submit]")
    await expect(page.locator("#share")).to_contain_text("ask them to register")
    await page.fill("#user", other["email"])
    await page.get_by_label("May", exact=True).select_option("editor")
    await page.click("#share [type=submit]")
    role = page.get_by_label("What other@example.org may")
    await expect(role).to_have_value("editor")
    await page.get_by_role("button", name="Stop sharing with other@example.org").click()
    await expect(role).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    await expect(role).to_have_value("editor")


async def compare(page):
    """The slider by keyboard and mouse; the reference stays when another image is shown."""
    await page.select_option("#operation", "preprocess")
    fields = page.locator("fieldset[data-operation=preprocess]")
    told = fields.locator("[data-told]")
    await expect(told).to_contain_text("compared with")
    await expect(fields.locator(".shot-row figcaption").first).to_have_text("low 0")
    row = page.get_by_role("radiogroup", name="Reference among the images")
    await row.get_by_label("photo_02.jpg").check(force=True)
    await page.locator("#thumbs input").nth(3).check(force=True)
    await expect(told).to_contain_text("compared with photo_02.jpg")
    await page.check("#preprocess-methods input[value=grayscale]")
    await expect(fields.locator("[data-compare]")).not_to_have_attribute("aria-busy", "true")
    pictures, slider = fields.locator(".pictures"), fields.locator("[data-compare] input")
    assert await coloured(pictures) == [True, False]
    await slider.press("Home")
    assert await coloured(pictures) == [False, False]
    box = await slider.bounding_box()
    await page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    assert await coloured(pictures) == [True, True]
    await pictures.click(position={"x": 2, "y": 9})
    await expect(slider).to_have_value(re.compile("^[01]$"))
    assert await coloured(pictures) == [False, False]
    await page.select_option("#operation", "augment")


async def coloured(pictures):
    """Tell of the left quarter of what is shown, and of the right one, whether it has colours."""
    decoded = "(all) => Promise.all(all.map((image) => image.decode()))"
    await pictures.locator("img").evaluate_all(decoded)
    shown = np.array(Image.open(io.BytesIO(await pictures.screenshot())).convert("RGB"), float)
    quarter = shown.shape[1] // 4
    parts = shown[20:-20, 20:quarter], shown[20:-20, -quarter:-20]
    return [bool(np.ptp(part, axis=2).mean() > 10) for part in parts]


async def augment(page, here):
    await expect(page.locator("#seed")).to_have_value("11")
    await page.check("#augment-methods input[value=rotate]")
    shots = page.locator("[data-shots=rotate] figcaption")
    await expect(shots).to_have_text(["before", "low -20", "middle 0", "high 20"])
    low = page.locator(".pair[data-name=rotate] input[type=range]").first
    await low.focus()
    await low.press("End")  # and the high end goes with it
    await expect(shots).to_have_text(["before", "after"])  # one value is shown once
    fields = page.locator("fieldset[data-operation=augment]")
    order = fields.get_by_label("Methods in their order")
    await expect(order).to_be_hidden()
    await page.check("#augment-methods input[value=hue]")
    await page.get_by_role("button", name="Move hue up").press("Enter")
    await expect(order.locator("li span")).to_have_text(["hue", "rotate"])
    await expect(page.get_by_role("button", name="Move hue down")).to_be_focused()
    await expect(fields.locator("[data-told]")).to_contain_text("after")
    await page.fill("#augment-copies", "500")
    await expect(page.locator("#augment-copies-error")).to_contain_text("100")
    await page.fill("#augment-copies", "2")
    await expect(page.locator("#plan")).to_contain_text("11 results")
    await expect(page.locator("#plan")).to_contain_text("7 inputs")
    await expect(page.locator("#augment-copies-error")).to_be_empty()
    await page.click("#keep")
    await expect(page.locator("#kept")).to_contain_text("Kept")
    await page.click("#run [type=submit]")
    await expect(page.locator("#state")).to_have_text("succeeded")
    job = await api(page, "GET", f"/v1/jobs/{page.url.rpartition('/')[2]}")
    assert job["steps"][0]["parameters"]["methods"] == ["hue", "rotate"]
    await page.click("#project")
    await page.get_by_text("Filters", exact=True).click()
    await page.get_by_label("Subset").select_option("augmented")
    await expect(page.locator("#grid li")).to_have_count(11)  # 4 in train, twice; 3 unchanged


async def check(page, here):
    """With two images of one group that are in different splits, though they are not alike."""
    project = f"/v1/projects/{here.rpartition('/')[2]}"
    members = (await api(page, "GET", f"{project}/files?subset=original"))["data"]
    one = next(row for row in members if row["split"] == "train")
    other = next(row for row in members if row["split"] not in ("", "train"))
    body = {"files": [one["id"], other["id"]], "set": {"group": "clip"}}
    await api(page, "PATCH", f"{project}/files", body)
    await page.click("#check button")
    leaks = page.locator("section", has=page.get_by_role("heading", name="Leaks between splits"))
    await expect(leaks.locator(".group").last).to_contain_text("2 images · of the group clip")
    await expect(leaks).to_contain_text("keep groups")
    near = page.locator("section", has=page.get_by_role("heading", name="Duplicates"))
    await expect(near.locator(".group figure")).to_have_count(2)
    await expect(page.locator(".histogram").first).to_have_attribute(
        "aria-label", re.compile("median")
    )
    await near.get_by_role("button", name="Keep").first.click()
    await sure(page, "Take out")
    await expect(near).to_contain_text("1 other removed from the project")
    files, step = [row["id"] for row in members], {"operation": "health-check"}
    job = await api(page, "POST", "/v1/jobs", {"files": files, "steps": [step]})
    await page.goto(f"{page.url.split('/projects')[0]}/jobs/{job['id']}")  # of files, in no project
    await expect(page.locator("#report .histogram").first).to_be_visible()
    await expect(page.locator("#report")).not_to_contain_text("Keep this one")


async def freeze(page, tmp_path, project):
    await page.locator("[name=subsets]").first.uncheck()
    await page.click("#new [type=submit]")
    await expect(page.locator("#subsets-error")).not_to_be_empty()
    await page.locator("[name=subsets]").first.check()
    await page.fill("#name", "first")
    await page.click("#new [type=submit]")
    version = page.locator("[data-version='1']")
    await expect(version.locator(".badge")).to_have_text("ready")
    await expect(version.locator("[data-export]").first).to_have_text("COCO")
    await expect(version).to_contain_text(re.compile(r"6 images.*[0-9a-f]{64}", re.DOTALL))
    async with page.expect_download() as coming:
        await version.get_by_role("button", name="COCO").click()
    await (await coming.value).save_as(tmp_path / "coco.zip")
    with zipfile.ZipFile(tmp_path / "coco.zip") as archive:
        assert sum(name.endswith(".jpg") for name in archive.namelist()) == 6
        names = [name for name in archive.namelist() if name.startswith("annotations/")]
        said = [json.loads(archive.read(name)) for name in names]
        assert sum(len(one["annotations"]) for one in said) == 3
    members = (await api(page, "GET", f"{project}/files"))["data"]
    await api(page, "DELETE", f"{project}/files", {"files": [members[-1]["id"]]})
    await page.click("#new [type=submit]")
    await expect(page.locator("#compare")).to_be_visible(timeout=15_000)
    await page.click("#tell")
    await expect(page.locator("#difference")).to_contain_text(re.compile("removed"))
    await page.get_by_role("button", name="Delete version 1").click()
    await sure(page, "Delete for good")
    await expect(page.locator("[data-version]")).to_have_count(1)


async def test_the_editor_by_keyboard_and_against_others(page, tmp_path):
    project = await sample(page)
    first = await page.locator("#grid li").first.get_attribute("data-file")
    await page.locator("#grid li a").first.click()
    await expect(page.locator("#saved")).to_have_text("Saved")
    path = f"/v1/projects/{project}/files/{first}/annotations"
    before = await api(page, "GET", path)
    count = page.locator("#count")
    await page.keyboard.press("2")
    for key in ("b", "Enter", "Shift+ArrowRight", "ArrowUp", "Alt+ArrowRight"):
        await page.keyboard.press(key)
    await page.keyboard.press("Control+z")
    await page.keyboard.press("Control+Shift+z")
    await page.keyboard.press("Control+s")
    await expect(page.locator("#saved")).to_have_text("Saved")
    after = await api(page, "GET", path)
    assert after["annotations"][:-1] == before["annotations"]
    assert after["annotations"][-1]["class"] == "square"
    assert after["annotations"][-1]["box"] == [114, 71, 49, 48]  # 104, 72, 48, 48 in the middle
    await page.keyboard.press("Control+z")  # of what is saved already
    await page.keyboard.press("Control+s")
    await expect(page.locator("#saved")).to_have_text("Saved")
    after = await api(page, "GET", path)
    assert after["annotations"][-1]["box"] == [114, 71, 48, 48]
    await page.keyboard.press("Delete")
    # meanwhile somebody else adds a label and changes a box
    theirs = {"add": [], "change": [{**after["annotations"][0], "box": [1, 1, 5, 5], "area": None}]}
    await api(page, "PATCH", path, {**theirs, "labels": ["circle"]})
    await page.keyboard.press("Control+s")
    await expect(page.locator("#conflict")).to_be_visible()
    await expect(page.locator("#combine")).to_be_focused()
    await enter(page)
    await expect(page.locator("#conflict")).to_be_hidden()
    await expect(page.locator("#saved")).to_have_text("Saved")
    both = await api(page, "GET", path)
    assert [one["id"] for one in both["annotations"]] == [o["id"] for o in before["annotations"]]
    assert both["annotations"][0]["box"] == [1, 1, 5, 5]
    assert both["labels"] == ["circle"]
    await expect(count).to_contain_text(str(len(before["annotations"])))
    await mask(page, path, both)
    await paint(page, path)
    await folders(page, project, tmp_path)


async def mask(page, path, drawn):
    """A mask is shown where it is: its runs go down the columns."""
    runs = [192 * 10 + 20, 30, 162, 30, 192 * 245 - 50]
    one = {"class": "circle", "mask": {"width": 256, "height": 192, "counts": runs}}
    await api(page, "PATCH", path, {"add": [one]})
    await page.reload()
    shown = page.locator("#stage .mask")
    await expect(shown).to_have_attribute("href", re.compile("^blob:"))
    href = await shown.get_attribute("href")
    painted = await page.evaluate(
        """async (address) => {
          const picture = new Image();
          picture.src = address;
          await picture.decode();
          const canvas = document.createElement("canvas");
          Object.assign(canvas, {width: 256, height: 192});
          const context = canvas.getContext("2d");
          const shown = document.querySelector("#stage .mask");
          context.drawImage(picture, ...["x", "y"].map((side) => Number(shown.getAttribute(side))));
          const alpha = (x, y) => context.getImageData(x, y, 1, 1).data[3] > 0;
          return [alpha(10, 20), alpha(11, 49), alpha(10, 19), alpha(12, 30), alpha(11, 50)];
        }""",
        href,
    )
    assert painted == [True, True, False, False, False]


async def paint(page, path):
    """By keyboard, by mouse on a part of the picture, erased, taken back: each pixel is judged."""
    before = [one["id"] for one in (await api(page, "GET", path))["annotations"]]

    async def painted():
        await page.keyboard.press("Control+s")
        await expect(page.locator("#saved")).to_have_text("Saved")
        drawn = (await api(page, "GET", path))["annotations"]
        masks = [one for one in drawn if one["id"] not in before]
        return [(one["box"], bitmap_of(Rle(**one["mask"])) > 0) for one in masks]

    await page.keyboard.press("m")
    await expect(page.locator("#brush-told")).to_have_text("10 px")  # a twentieth of 192
    await enter(page)
    for _ in range(3):
        await page.keyboard.press("Alt+Shift+ArrowRight")
    ((box, seen),) = await painted()
    wanted = discs([(128 + n, 96) for n in range(31)], 10)
    assert (seen == wanted).all()
    assert box == [123, 91, 40, 10]
    await page.keyboard.press("Escape")
    await page.keyboard.press(",")
    await page.keyboard.press(",")
    await expect(page.locator("#brush-told")).to_have_text("6 px")
    await page.keyboard.press("+")
    stage = page.locator("#stage")
    corner, scale = await stage.bounding_box(), float(await stage.get_attribute("data-scale"))
    left, top, *_ = map(float, (await stage.get_attribute("viewBox")).split())
    for kind, x in (("down", 60), ("up", 90)):
        place = corner["x"] + (x - left) * scale, corner["y"] + (40 - top) * scale
        await page.mouse.move(*place, steps=4)
        await getattr(page.mouse, kind)()
    first, (_, stroke) = await painted()
    assert (first[1] == wanted).all()
    assert (stroke == discs([(60 + n / 4, 40) for n in range(121)], 6)).all()
    await page.keyboard.press("e")
    await page.mouse.click(corner["x"] + (75 - left) * scale, corner["y"] + (40 - top) * scale)
    _, (_, parts) = await painted()
    assert (parts == (stroke & ~discs([(75, 40)], 6))).all()
    await page.keyboard.press("Control+z")
    _, (_, again) = await painted()
    assert (again == stroke).all()


def discs(places, size):
    """Pixels whose middles are in a disc around a place; of an even size: around a corner."""
    y, x = np.mgrid[:192, :256] + 0.5
    near = [np.hypot(x - np.floor(a + 0.5), y - np.floor(b + 0.5)) <= size / 2 for a, b in places]
    return np.any(near, axis=0)


async def folders(page, project, tmp_path):
    """What folders say of pictures, and annotations among them; dropped ones as chosen ones."""
    for n, path in enumerate(pictures(tmp_path, 3)):
        home = tmp_path / "set" / ("cat/train", "val2017/images/dog", "other")[n]
        home.mkdir(parents=True)
        path.rename(home / path.name)
    for name, coco in (("labels.json", COCO), ("more.json", {key: [] for key in COCO})):
        (tmp_path / "set" / name).write_text(json.dumps(coco))
    await page.goto(f"{page.url.split('/projects')[0]}/projects/{project}")
    await page.select_option("#folders", "split-and-class")
    await page.set_input_files("#choose-folder", tmp_path / "set")
    await expect(page.locator("#counts")).to_have_text(
        "27 images · 1 train · 1 validation · 25 in no split"
    )
    await expect(page.locator("#imports")).to_contain_text("set/labels.json, set/more.json")
    held = (await api(page, "GET", f"/v1/projects/{project}/files?limit=100"))["data"]
    new = {one["name"]: one for one in held if one["name"].startswith("photo_")}
    said = [(new[name]["split"], new[name]["tags"]) for name in sorted(new)]
    assert said == [
        ("train", ["folder:set/cat/train"]),
        ("validation", ["folder:set/val2017/images/dog"]),
        ("", ["folder:set/other"]),
    ]
    path = f"/v1/projects/{project}/files/{new['photo_01.jpg']['id']}/annotations"
    assert (await api(page, "GET", path))["labels"] == ["dog"]
    await page.click("#imports a")
    await expect(page.locator("#outcome")).to_contain_text("no errors")
    await page.get_by_role("button", name="Import", exact=True).click()
    count = page.locator("#classes tr", has_text="bird").locator("td").nth(2)
    await expect(count).to_have_text("1")
    await page.get_by_role("button", name="Undo").click()
    await expect(count).to_have_text("0")
    assert await page.evaluate(DROPPED) == ["set/train/a.jpg"]


async def test_a_project_on_a_phone(page):
    """Nothing scrolls sideways where something was chosen or opened; a finger draws a box."""
    await sample(page)
    here = page.url
    await page.goto(f"{here}/split")
    await page.click("#form [type=submit]")
    await expect(page.locator("#by-class .bar-row")).to_have_count(4)
    await page.set_viewport_size(PHONE)
    assert await sideways(page) == []
    await page.goto(f"{here}/process")
    await page.check("#augment-methods input[value=rotate]")
    await expect(page.locator("[data-shots=rotate] figure").first).to_be_visible()
    assert await sideways(page) == []
    listed = await api(page, "GET", f"/v1{here[here.index('/projects') :]}/files")
    await page.goto(f"{here}/annotate/{listed['data'][0]['id']}")
    await expect(page.locator("#shapes li").first).to_be_visible()
    await page.keyboard.press("m")  # with the brush’s controls
    await expect(page.locator("#brush-size")).to_be_visible()
    assert await sideways(page) == []
    assert await faults(page) == []
    before = await page.locator("#shapes li").count()
    await page.keyboard.press("b")
    stage = await page.locator("#stage").bounding_box()
    touch = await page.context.new_cdp_session(page)
    for kind, x in (("touchStart", 100), ("touchMove", 130), ("touchMove", 190)):
        point = {"x": stage["x"] + x, "y": stage["y"] + x}
        await touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    await touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    await expect(page.locator("#shapes li")).to_have_count(before + 1)
    await page.click("#undo")


@pytest.mark.parametrize("total", [1_500, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_very_many_images_are_few_elements(page, total):
    """The list is made up here: what counts is what the page makes of it."""
    await sample(page)

    async def listed(route):
        after = re.search(r"after=(\d+)", route.request.url)
        start = int(after[1]) if after else 0
        rows = [
            {
                "id": f"file_{n}", "name": f"{n}.png", "media_type": "image/png", "split": "train",
                "links": {"thumbnail": "/static/icon.svg"},
            }
            for n in range(start, min(start + 100, total))
        ]  # fmt: skip
        more = start + 100 < total
        body = {"data": rows, "has_more": more, "after": str(start + 100) if more else None}
        await route.fulfill(json=body)

    await page.route(re.compile(r"/projects/\w+/files\?"), listed)
    await page.reload()
    most, at_end = 0, False
    async with asyncio.timeout(60):
        while not at_end:
            count, at_end = await page.evaluate(
                """(last) => { scrollTo(0, document.body.scrollHeight);
                  return [document.querySelectorAll('*').length,
                          Boolean(document.querySelector(`[data-file=file_${last}]`))]; }""",
                total - 1,
            )
            most = max(most, count)
            await page.evaluate("new Promise(requestAnimationFrame)")
            await asyncio.sleep(0.02)
    assert most <= 2_000
