"""The page where jobs are made, as a person uses it."""

import ast
import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import expect

from tests.support.judging import judged
from tests.support.pressing import enter

pytestmark = pytest.mark.asyncio(loop_scope="session")

DRAFT = "sessionStorage.getItem('mediamill.new-job')"
OLD = """(() => {
  const read = Response.prototype.json;
  Response.prototype.json = async function () {
    const told = await read.call(this);
    // Whoever waited for it has it then.
    if (told.outputs === 4242) setTimeout(() => { document.body.dataset.old = ""; });
    return told;
  };
})()"""
DRY, SUBMIT = "**/v1/jobs?dry_run=true", re.compile(r"/v1/jobs$")


def pictures(folder, count):
    """Write pictures of one colour each."""
    paths = [folder / f"photo_{n:02}.jpg" for n in range(count)]
    for n, path in enumerate(paths):
        Image.new("RGB", (160, 120), (80 * n, 99, 180)).save(path)
    return paths


async def api(page, method, path, body=None):
    base = "/".join(page.url.split("/")[:3])
    answer = await page.context.request.fetch(
        f"{base}{path}", method=method, headers={"origin": base}, data=body
    )
    assert answer.ok, await answer.text()
    return await answer.json() if answer.status != 204 else None


async def stored(page, *paths):
    """Store files; return their ids."""
    files = [
        await api(page, "POST", f"/v1/files?name={path.name}", path.read_bytes()) for path in paths
    ]
    return [file["id"] for file in files]


async def opened(page, query=""):
    await page.goto(f"{'/'.join(page.url.split('/')[:3])}/jobs/new{query}")
    await expect(page.get_by_role("button", name="Run", exact=True)).to_be_enabled()


def card(page, name):
    return page.get_by_role("button", name=re.compile(f"^{name} "))


def step(page, number):
    return page.locator("#steps > li").nth(number - 1)


def plan(page):
    return page.locator("#plan")


async def run(page):
    """Run what is there; return the job."""
    await page.get_by_role("button", name="Run", exact=True).click()
    await page.wait_for_url(re.compile(r"/jobs/job_"))
    return await api(page, "GET", f"/v1/jobs/{page.url.rpartition('/')[2]}")


async def test_steps_over_chosen_files(page, tmp_path):
    """Misfits are left out, a wrong parameter is said in its step, one press makes one job."""
    note = tmp_path / "note.txt"
    note.write_text("no picture")
    *ids, third = await stored(page, *pictures(tmp_path, 2), note, *pictures(tmp_path, 3)[2:])
    await opened(page, f"?files={','.join(ids)}")
    await expect(page.get_by_text("3 files", exact=True)).to_be_visible()
    await card(page, "Convert").click()
    await expect(page.locator("#misfits")).to_contain_text(
        "convert takes images; note.txt is text."
    )
    await page.get_by_role("button", name="Leave it out").click()
    await expect(plan(page)).to_contain_text("2 inputs")
    await page.get_by_text("Choose among your files").click()
    await page.get_by_role("checkbox", name="photo_02.jpg").check()
    await page.locator(".toast").get_by_role("button", name="Undo").click()
    lines = page.locator("#chosen > li")  # what came since stays
    there = await lines.evaluate_all("all => all.map((one) => one.dataset.file)")
    assert there == [*ids, third]
    await page.get_by_role("checkbox", name="photo_02.jpg").uncheck()
    await page.get_by_role("button", name="Leave it out").click()
    await expect(plan(page)).to_contain_text("2 inputs")
    await expect(page.locator("#misfits")).to_be_empty()
    await page.get_by_role("button", name="Then…").click()
    await expect(card(page, "Extract frames")).to_be_hidden()
    await card(page, "Thumbnail").click()
    await expect(plan(page)).to_contain_text("2 results")
    quality = step(page, 2).get_by_label("Quality")
    await quality.fill("500")
    await expect(plan(page)).to_contain_text("It cannot run so")
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(quality).to_be_focused()
    await expect(quality).to_have_attribute("aria-invalid", "true")
    await expect(step(page, 2).locator(".field .error:not(:empty)")).to_contain_text("100")
    await expect(step(page, 1).locator(".error:not(:empty)")).to_have_count(0)
    await page.get_by_role("button", name="Move Thumbnail up").click()
    await expect(page.get_by_role("button", name="Move Thumbnail down")).to_be_focused()
    await step(page, 1).get_by_role("button", name="Set Thumbnail back").click()
    tries, failed = [], asyncio.Event()

    async def late(route):
        await failed.wait()
        await route.continue_()

    await page.route(DRY, late)
    await step(page, 1).get_by_label("Size").fill("64")

    async def broken_once(route):
        tries.append(route.request.headers["idempotency-key"])
        if len(tries) == 1:
            await route.fetch()  # it arrived, its answer did not
            await route.abort()
        else:
            await route.continue_()

    await page.route(SUBMIT, broken_once)
    await page.get_by_role("button", name="Run", exact=True).click()
    said = page.locator("#new-job .run-bar [data-error]")
    await expect(said).to_contain_text("does not answer")
    failed.set()  # a plan that comes after it takes nothing back
    await expect(plan(page)).not_to_have_attribute("aria-busy", "true")
    await expect(said).to_contain_text("does not answer")
    job = await run(page)
    made = [(one["operation"], one["parameters"].get("size")) for one in job["steps"]]
    assert made == [("thumbnail", 64), ("convert", None)]
    assert len(set(tries)) == 1
    assert len(tries) == 2
    assert len((await api(page, "GET", "/v1/jobs"))["data"]) == 1


async def test_an_earlier_job_again_and_as_a_program(page, tmp_path, everybodys):
    """All of it is there again, and the command line that is shown makes the same job."""
    (file,) = await stored(page, *pictures(tmp_path, 1))
    steps = [{"operation": "convert", "parameters": {"format": "webp", "quality": 44}}]
    asked = {"files": [file], "steps": steps, "name": "it's mine", "seed": 7, "reuse": False}
    first = await api(page, "POST", "/v1/jobs", asked)
    await opened(page, f"?again={first['id']}")
    await expect(step(page, 1).get_by_label("Format")).to_have_value("webp")
    await expect(plan(page)).to_contain_text("1 input")
    await page.get_by_text("Name, project, seed and more").click()
    await expect(page.get_by_label("Name of the job")).to_have_value("it's mine")
    await page.get_by_text("As a program", exact=True).click()
    shown = page.locator("[data-program=command] code")
    await expect(shown).to_contain_text("--no-reuse")
    token = (await api(page, "POST", "/v1/tokens", {"name": "program"}))["token"]
    folder = Path(sys.executable).parent
    environment = {**os.environ, "MEDIAMILL_TOKEN": token, "PATH": f"{folder}:{os.environ['PATH']}"}
    command = ["bash", "-c", await shown.text_content()]
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made = await api(page, "GET", f"/v1/jobs/{done.stdout.decode().split()[0]}")
    same = ("name", "seed", "steps", "items")
    assert [made[one] for one in same] == [first[one] for one in same]
    python = await page.locator("[data-program=python] code").text_content()
    sent = re.search(r"json=(\{.*\}),\n\)", python, re.DOTALL)[1]
    assert ast.literal_eval(sent) == asked
    curl = await page.locator("[data-program=curl] code").text_content()
    assert (
        json.loads(re.search(r"--json '(.*)'$", curl, re.DOTALL)[1].replace("'\\''", "'")) == asked
    )
    alone = await page.locator("[data-program=alone] code").text_content()
    assert "mediamill run convert" in alone
    assert "--quality=44" in alone


async def test_templates_and_what_was_left(page, tmp_path):
    """Steps are kept, made from again, changed to a next version; a draft is offered."""
    (file,) = await stored(page, *pictures(tmp_path, 1))
    await opened(page, f"?files={file}&operation=thumbnail")
    await step(page, 1).get_by_label("Size").fill("48")
    await page.get_by_text("Keep as a template").click()
    await page.get_by_role("button", name="Save as a new template").click()
    await expect(page.locator("#template-name-error")).not_to_be_empty()
    await page.get_by_label("Name", exact=True).fill("Tiny")
    await page.get_by_role("button", name="Save as a new template").click()
    await expect(page.get_by_text("Saved as Tiny.")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("You began a job here and left: Thumbnail.")).to_be_visible()
    await page.get_by_role("button", name="Bring the steps back").click()
    await expect(step(page, 2)).to_be_hidden()
    await expect(step(page, 1).get_by_label("Size")).to_have_value("48")
    kept = await page.evaluate(DRAFT)
    await page.get_by_label("Template", exact=True).select_option("Tiny")
    await expect(page.get_by_text("It does: Thumbnail.")).to_be_visible()
    assert await page.evaluate(DRAFT) == kept  # the steps behind it
    await expect(plan(page)).to_contain_text("1 input")
    await page.get_by_role("button", name="Change its steps").click()
    await step(page, 1).get_by_label("Size").fill("32")
    await page.get_by_text("Keep as a template").click()
    await page.get_by_role("button", name="Save as the next version of Tiny").click()
    await expect(page.get_by_text("Saved: Tiny is at version 2.")).to_be_visible()
    await page.get_by_label("Template", exact=True).select_option("Tiny")
    await page.get_by_text("Versions", exact=True).click()
    await page.get_by_role("button", name="Take the steps of version 1").click()
    await expect(step(page, 1).get_by_label("Size")).to_have_value("48")
    variables = {"pixels": {"type": "integer", "default": 99}}
    body = {
        "name": "Asked", "variables": variables,
        "steps": [{"operation": "thumbnail", "parameters": {"size": "${pixels}"}}],
    }  # fmt: skip
    template = (await api(page, "POST", "/v1/templates", body))["id"]
    await opened(page, f"?files={file}&template={template}")
    await page.get_by_label("pixels").fill("many")
    await expect(plan(page)).to_contain_text("It cannot run so")
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(page.get_by_label("pixels")).to_have_attribute("aria-invalid", "true")
    await page.get_by_label("pixels").fill("77")
    job = await run(page)
    assert (job["template"]["id"], job["steps"][0]["parameters"]["size"]) == (template, 77)
    await opened(page)
    await expect(page.get_by_text("You began a job here")).to_be_hidden()
    left = [{"operation": name, "parameters": {}} for name in ("sharpen", "convert")]
    await page.evaluate(
        "left => sessionStorage.setItem('mediamill.new-job', left)", json.dumps(left)
    )
    await opened(page, f"?files={file}")
    await page.get_by_role("button", name="Bring the steps back").click()
    await expect(page.locator("#missing")).to_contain_text("The step sharpen is not installed here")
    await expect(page.get_by_role("button", name="Run", exact=True)).to_be_disabled()
    await page.get_by_role("button", name="Go on without").click()
    await expect(plan(page)).to_contain_text("1 result")
    await expect(page.get_by_role("button", name="Run", exact=True)).to_be_enabled()


async def test_an_old_estimate_never_stands_over_a_newer_one(page, tmp_path):
    """The first answer is held until the second has come; what exceeds a limit is said."""
    (file,) = await stored(page, *pictures(tmp_path, 1))
    held, asked = asyncio.Event(), asyncio.Event()
    short = {
        "quota": "items", "used": 9, "limit": 10, "needed": 1_234, "resets_at": None
    }  # fmt: skip

    dear = {"calls": 3, "inputs_are": "exact", "expected": 0.02, "at_most": 0.5}

    async def answer(route):
        size = json.loads(route.request.post_data)["steps"][0]["parameters"].get("size")
        body = await (await route.fetch()).json()
        if size == 50:
            asked.set()
            await held.wait()
            body |= {"outputs": 4_242}
        elif size == 60:
            body |= {"exceeded": [short], "asks": [dear]}
        await route.fulfill(json=body)

    await page.route(DRY, answer)
    await page.add_init_script(OLD)
    await opened(page, f"?files={file}&operation=thumbnail")
    await step(page, 1).get_by_label("Size").fill("50")
    await asked.wait()
    await step(page, 1).get_by_label("Size").fill("60")
    await expect(plan(page)).to_contain_text("It needs 1,234 inputs")
    held.set()
    await expect(page.locator("body")).to_have_attribute("data-old", "")
    await expect(plan(page)).not_to_contain_text("4,242")
    await expect(plan(page)).to_contain_text("1 result")
    await expect(plan(page)).to_contain_text("3 model calls, about $0.02, $0.50 at most")


async def test_by_keyboard_from_nothing_on_a_phone(page, tmp_path):
    """What is missing is said; files are ticked, a step chosen and run without a mouse."""
    await stored(page, *pictures(tmp_path, 2))
    await page.set_viewport_size({"width": 375, "height": 812})
    refused = []  # what nobody has filled in yet is not asked for
    page.on("response", lambda it: refused.append(it.url) if it.status == 422 else None)
    await opened(page)
    await expect(page.get_by_text("Nothing is chosen yet.")).to_be_visible()
    await expect(page.get_by_role("button", name="Run", exact=True)).to_be_in_viewport()
    await page.get_by_role("button", name="Run", exact=True).focus()
    await enter(page)
    await expect(page.get_by_text("Choose at least one file first.")).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("Find by name")).to_be_focused()
    await page.keyboard.type("_01")
    await expect(page.get_by_role("checkbox", name="photo_00.jpg")).to_have_count(0)
    await page.get_by_role("checkbox", name="photo_01.jpg").focus()
    await page.keyboard.press("Space")
    await expect(page.get_by_text("1 file", exact=True)).to_be_visible()
    await card(page, "Augment").focus()
    await page.keyboard.press("Enter")
    await expect(step(page, 1).get_by_role("heading", name="Augment")).to_be_focused()
    await expect(plan(page)).to_have_text("Still to be filled in: Augment: Methods.")
    await step(page, 1).get_by_role("checkbox", name="rotate", exact=True).press("Space")
    await expect(
        step(page, 1).get_by_label("How much of the image before is shown")
    ).to_be_visible()
    await step(page, 1).get_by_text("More options").press("Enter")
    await page.get_by_text("As a program", exact=True).press("Enter")
    await expect(plan(page)).to_contain_text("1 input")
    await judged(page)
    await step(page, 1).get_by_role("button", name="Remove Augment").press("Enter")
    await expect(page.get_by_text("Augment is removed.")).to_be_visible()
    await card(page, "Convert").press("Enter")
    await page.get_by_role("button", name="Undo").press("Enter")
    await expect(step(page, 1).get_by_role("checkbox", name="rotate", exact=True)).to_be_checked()
    await expect(step(page, 2).get_by_role("heading", name="Convert")).to_be_visible()
    await page.get_by_label("Choose files", exact=True).set_input_files(pictures(tmp_path, 3)[2:])
    await expect(page.get_by_text("2 files", exact=True)).to_be_visible()
    await expect(page.get_by_role("checkbox", name="photo_02.jpg")).to_be_checked()
    await page.get_by_role("button", name="Run", exact=True).focus()
    await enter(page)
    await page.wait_for_url(re.compile(r"/jobs/job_"))
    assert refused == []
