"""The page of prompts: files, what is asked, templates that are shared, answers as they come."""

import json
import os
import re
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.conftest import MODULE
from tests.browser.conftest import SETTINGS as ALL
from tests.browser.test_first_page import PHONE, fits
from tests.browser.test_projects import AXE
from tests.conftest import chosen
from tests.support.documents import docx_of
from tests.support.processes import running

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANSWER = """# About *{name}*

<script>document.title = "broken into"</script><img src=x onerror="document.title = 'so'">
[here](javascript:alert(1)) and [there](https://example.org/a) ![p](https://example.org/track.gif)

| a | b |
|---|--:|
| 1 | 2 |
"""


@pytest_asyncio.fixture(**MODULE)
async def everybodys(request, servers, tmp_path_factory):
    """A service with somebody to ask, who answers what is hostile."""
    folder = tmp_path_factory.mktemp("service")
    said = folder / "providers.toml"
    address = json.dumps(f"echo:one?say={ANSWER.replace('&', '%26')}")
    lines = ["[chains]", 'prompt = ["one"]', "[providers.one]", f"address = {address}",
             "[providers.two]", 'address = "echo:two?images=0"']  # fmt: skip
    said.write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in servers.environment(chosen(request.config)).items():
            patch.setenv(name, value)
        async with running("up", folder / "home", providers=said, **ALL) as process:
            yield process


SHOTS = os.environ.get("PROMPT_SHOTS")


async def shot(page, name):
    if SHOTS:
        Path(SHOTS).mkdir(exist_ok=True)
        await page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


async def test_ask(page, tmp_path):
    await page.get_by_role("link", name="Prompts").click()
    await expect(page.locator("#no-files")).to_be_visible()
    (tmp_path / "tale.txt").write_text("Once upon a time.")
    (tmp_path / "letter.docx").write_bytes(docx_of("Dear Ann"))
    (tmp_path / "clip.mp4").write_bytes(b"no")
    await page.set_input_files("#choose", [tmp_path / n for n in ("tale.txt", "letter.docx", "clip.mp4")])
    await expect(page.locator("#unfit")).to_contain_text("clip.mp4")
    await expect(page.locator("#chosen")).to_have_text("2 files chosen.")
    await page.click("text=Estimate the cost")
    await expect(page.locator("#ask > [data-error]")).to_contain_text("what is asked")
    await page.fill("#prompt", "What is {name} about?")
    await page.click("text=Estimate the cost")
    await expect(page.locator("#plan")).to_contain_text("2 files")
    await shot(page, "form")
    await page.click("#ask [type=submit]")
    await page.wait_for_url(re.compile("/prompts/job_"))
    answers = page.locator("#answers > [data-key]")
    await expect(answers).to_have_count(2)
    await expect(page.locator("#state")).to_have_text("succeeded")
    await expect(answers.first.locator("h4")).to_have_text("About letter.docx")
    await shot(page, "answers")
