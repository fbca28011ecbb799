"""The page of prompts: files, what is asked, templates that are shared, answers as they come."""

import json
import os
import re
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.conftest import MODULE
from tests.browser.conftest import SETTINGS as ALL
from tests.conftest import chosen
from tests.support.documents import docx_of
from tests.support.held import Held
from tests.support.judging import judged
from tests.support.pressing import sure
from tests.support.processes import Process, free_port, until_live

pytestmark = pytest.mark.asyncio(loop_scope="session")

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
             "[providers.two]", 'address = "echo:two?images=0"',
             "[providers.flaky]", 'address = "echo:flaky?fault=declined"']  # fmt: skip
    said.write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in servers.environment(chosen(request.config)).items():
            patch.setenv(name, value)
        process = Process("up", folder / "home", free_port(), providers=said, **ALL)
        process.program = ("tests.support.held", str(folder / "held"))
        process.start()
        try:
            await until_live(process)
            yield process
        finally:
            process.end()


async def upload(page, tmp_path, *names):
    """Choose files, and wait until they are there and ticked."""
    for name in names:
        (tmp_path / name).write_text(f"This is {name}.")
    await page.set_input_files("#choose", [tmp_path / name for name in names])
    await expect(page.locator("#files input:checked")).to_have_count(len(names))


async def answered(page, count, state="succeeded"):
    await page.wait_for_url(re.compile("/prompts/job_"))
    await expect(page.locator("#state")).to_have_text(state)
    answers = page.locator("#answers > [data-key]")
    await expect(answers).to_have_count(count)
    return answers


async def test_ask_about_files(page, tmp_path):
    await page.get_by_role("link", name="Prompts").click()
    await expect(page.locator("#no-files")).to_be_visible()
    (tmp_path / "letter.docx").write_bytes(docx_of("Dear Ann"))
    (tmp_path / "clip.mp4").write_bytes(b"no")
    await page.set_input_files("#choose", [tmp_path / "letter.docx", tmp_path / "clip.mp4"])
    await expect(page.locator("#unfit")).to_contain_text("clip.mp4")
    await expect(page.locator("#chosen")).to_have_text("1 file chosen.")
    await page.set_input_files("#choose", [])
    (tmp_path / "tale.txt").write_text("Once upon a time.")
    await page.set_input_files("#choose", tmp_path / "tale.txt")
    await expect(page.locator("#chosen")).to_have_text("2 files chosen.")
    await page.click("text=Estimate the cost")
    await expect(page.locator("#ask > [data-error]")).to_contain_text("what is asked")
    await page.fill("#prompt", "What is {name} about?")
    await page.fill("#temperature", "7")
    await page.press("#temperature", "Enter")
    await expect(page.locator("#temperature-error")).not_to_be_empty()
    await page.fill("#temperature", "0.5")
    await page.click("text=Estimate the cost")
    await expect(page.locator("#plan")).to_contain_text("2 files")
    await expect(page.locator("#plan")).to_contain_text("calls")
    await page.press("#temperature", "Enter")
    answers = await answered(page, 2)
    await expect(answers.first.locator("h4")).to_have_text("About letter.docx")
    said = answers.first.locator(".said")
    assert await said.locator("script, img, [onerror]").count() == 0
    links = [await one.get_attribute("href") for one in await said.locator("a").all()]
    assert links == ["https://example.org/a"]
    await expect(page).to_have_title(re.compile("Prompts"))
    await answers.first.locator("[data-copy]").click()
    await expect(answers.first.locator("[data-copy]")).to_have_text("Copied")
    await judged(page)
    await page.reload()
    await answered(page, 2)
    await expect(page.locator("#prompt")).to_have_value("What is {name} about?")
    await page.fill("#prompt", "Why?")
    before = page.url
    await page.click("#ask [type=submit]")
    await page.wait_for_url(lambda url: url != before)
    await answered(page, 2)
    await expect(page.locator("#recent")).to_contain_text("Why?")
    await page.go_back()
    await answered(page, 2)


async def test_answers_that_fit_a_schema_and_what_fails(page, tmp_path):
    await page.goto(f"{page.url}prompts")
    await upload(page, tmp_path, "a.txt", "b.txt")
    await page.fill("#prompt", "Its title.")
    await page.select_option("#model", "two")
    await page.click("text=Answers as JSON")
    await page.fill("#output_schema", "{no")
    await page.click("#check")
    await expect(page.locator("#output_schema-error")).to_contain_text("no JSON")
    await page.fill("#output_schema", '{"$ref": "https://example.org"}')
    await page.click("#check")
    await expect(page.locator("#output_schema-error")).to_contain_text("refer")
    await page.click("#example")
    await page.click("#check")
    await expect(page.locator("#schema-told")).to_have_text("The schema can be used.")
    await page.click("#ask [type=submit]")
    answers = await answered(page, 2)
    await expect(answers.first.locator(".tree .key").first).to_have_text("title")
    await expect(answers.first.locator(".actions")).to_contain_text("a.txt.result.json")
    await judged(page)

    await page.fill("#output_schema", "")
    await page.select_option("#model", "flaky")
    await page.check("[name=group][value=all]")
    await page.click("#ask [type=submit]")
    answers = await answered(page, 1, "failed")
    await expect(answers.first).to_contain_text("will not answer")
    await page.click("#retry")
    answers = await answered(page, 1)
    await expect(answers.first).to_contain_text("all.result.md")


async def test_answers_come_by_and_by(page, tmp_path, everybodys):
    await page.goto(f"{page.url}prompts")
    await upload(page, tmp_path, *(f"{n:02}.txt" for n in range(12)))
    await page.fill("#prompt", "What?")
    waiting = page.locator("#answers > :is([data-state=pending], [data-state=running])")
    with Held(everybodys.home.parent / "held") as held:
        held.hold("11.txt")
        await page.click("#ask [type=submit]")
        await page.get_by_role("button", name="Show more answers").click()
        await expect(waiting.filter(has_text="11.txt")).to_contain_text("in work")
    answers = await answered(page, 12)
    await expect(waiting).to_have_count(0)
    names = await answers.locator("h3").all_inner_texts()
    assert names == [f"{n:02}.txt" for n in range(12)]
    await expect(page.locator("#answers .more")).to_have_count(0)


async def test_a_template_that_is_shared(page, tmp_path, browser, everybodys):
    name = f"Reviews {os.urandom(3).hex()}"
    await page.goto(f"{page.url}prompts")
    await page.fill("#prompt", "In ${words} words: ${question}")
    await expect(page.locator("#save-part")).to_have_attribute("open", "")
    await page.fill("#default-words", "5")
    await page.fill("#about-question", "What is asked of it.")
    await page.fill("#save-name", name)
    await page.click("#save")
    await expect(page.locator("#variable-words")).to_have_attribute("placeholder", "5")
    await expect(page.locator("#variables")).to_contain_text("What is asked of it.")
    card = page.locator("#gallery li", has_text=name)
    await card.get_by_role("button", name="Share").click()
    await page.fill("#share-user", "nobody@example.org")
    await page.click("#share-form [type=submit]")
    await expect(page.locator("#user-error")).to_contain_text("Nobody here")
    await page.click("#share-all")
    await expect(page.locator("#shares")).to_contain_text("everybody")
    await judged(page)
    await page.click("#share [data-close]")

    async with other(browser, everybodys) as guest:
        await upload(guest, tmp_path, "tale.txt")
        await guest.locator("#gallery li", has_text=name).get_by_role("button", name="Use").click()
        await expect(guest.locator("#edit")).to_be_hidden()
        await guest.click("#ask [type=submit]")
        await expect(guest.locator("#variable-question-error")).to_contain_text("needed")
        await guest.fill("#variable-question", "who?")
        await guest.click("#ask [type=submit]")
        await answered(guest, 1)
        await guest.click("#job-link")
        await expect(guest.locator("#job")).to_contain_text(
            "In 5 words: who?", use_inner_text=False
        )
        await guest.get_by_role("link", name="Answers").click()
        await answered(guest, 1)

    await page.click("#edit")
    await expect(page.locator("#editing")).to_contain_text(name)
    await page.fill("#prompt", "In ${words} words, please: ${question}")
    await page.click("#save")
    await expect(card).to_contain_text("version 2")
    await card.get_by_role("button", name="Delete").click()
    await sure(page, "Delete")
    await expect(card).to_have_count(0)


async def test_a_service_without_models(browser, service):
    """Told on the page, before anything is done in vain."""
    async with other(browser, service) as page:
        await expect(page.locator("#not-set-up")).to_contain_text("MEDIAMILL_PROMPT_CHAIN")
        await expect(page.locator("#ask [type=submit]")).to_be_disabled()
        await judged(page)


@asynccontextmanager
async def other(browser, service):
    """Give the page of prompts to somebody else."""
    base = f"http://127.0.0.1:{service.port}"
    account = {"email": f"o-{os.urandom(4).hex()}@example.org", "password": "correct horse battery"}
    context = await browser.new_context(viewport={"width": 1100, "height": 800})
    for step in ("register", "login"):
        answer = await context.request.post(f"{base}/v1/auth/{step}", data=account)
        assert answer.ok, await answer.text()
    page = await context.new_page()
    await page.goto(f"{base}/prompts")
    yield page
    await context.close()
