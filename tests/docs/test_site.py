"""The site of the documentation: it is built, whole, and loads nothing from elsewhere."""

import functools
import http.server
import json
import shutil
import sys
import threading
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright
from scripts.chromium import CHROMIUM, FLAGS

from tests.docs.blocks import ROOT, blocks
from tests.support.services import unavailable

sys.path.insert(0, str(ROOT / "scripts"))

import build_site
import diagrams


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """Return a copy of what the site is made of, with the site in it."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "docs", tree / "docs")
    shutil.copy(ROOT / "mkdocs.yml", tree)
    assert build_site.main(tree) == 0
    return tree


def test_every_page_is_in_the_navigation_once():
    assert [*build_site.unlisted()] == []


def test_every_page_and_decision_is_built(tree):
    pages = [path for path in (tree / "docs").rglob("*.md") if path.name != "index.md"]
    site = tree / "build/site"
    missing = [
        page
        for page in pages
        if not (site / page.relative_to(tree / "docs").with_suffix("") / "index.html").exists()
    ]
    assert missing == []
    assert len(pages) > 100
    assert (site / "adr/index.html").exists()


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("[a](nothing.md)", "does not exist"),
        ("[a](frames.md#nothing-of-the-kind)", "#nothing-of-the-kind"),
        ("![a](../images/nothing.png)", "nothing.png"),
        ('<img src="https://elsewhere.example/a.png">', "loads https://elsewhere.example/a.png"),
        ('<script src="//elsewhere.example/a.js"></script>', "elsewhere.example"),
    ],
)
def test_a_page_that_is_wrong_is_found(planted, found, tmp_path, capsys):
    """The planted faults, each on a small site of two pages."""
    folder = tmp_path / "docs"
    (folder / "adr").mkdir(parents=True)
    (folder / "index.md").write_text(f"# A\n\n{planted}\n")
    (folder / "frames.md").write_text("# B\n")
    head = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[0]
    (tmp_path / "mkdocs.yml").write_text(f"{head}\nnav:\n  - index.md\n  - frames.md\n")
    assert build_site.main(tmp_path) == 1
    assert found in capsys.readouterr().out


def test_a_page_that_is_left_out_or_named_twice_is_found(tmp_path):
    (tmp_path / "docs").mkdir()
    for name in ("a.md", "b.md"):
        (tmp_path / "docs" / name).write_text("# A\n")
    (tmp_path / "mkdocs.yml").write_text("a: b\nnav:\n  - a.md\n  - x: a.md\n  - c.md\n")
    assert len([*build_site.unlisted(tmp_path)]) == 3


async def test_a_browser_asks_nobody_else(tree):
    """Some pages of each kind, with their pictures and the search."""
    if CHROMIUM is None:
        unavailable("this test needs Chromium: apt install chromium-headless-shell")
    handler = functools.partial(Quiet, directory=str(tree / "build/site"))
    asked, failed = [], []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        home = f"http://127.0.0.1:{server.server_port}/"
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = await browser.new_page()
            page.on("request", lambda one: asked.append(one.url))
            page.on("requestfailed", lambda one: failed.append(one.url))
            page.on("response", lambda one: one.status >= 400 and failed.append(one.url))
            for where in ("", "tutorials/frames/", "explanation/architecture/", "adr/"):
                await page.goto(home + where, wait_until="networkidle")
            await page.locator(".md-search__button").first.click()
            await page.get_by_role("combobox", name="Search").fill("frames from a video")
            found = page.locator("[role=listbox]").filter(has_text="Frames from a video")
            await found.wait_for(state="attached")
            copied = await copies(page, home + "tutorials/frames/")
            await page.set_viewport_size({"width": 375, "height": 700})
            await page.goto(home + "explanation/architecture/", wait_until="networkidle")
            drawn = await page.locator("img[src$='architecture.svg']").bounding_box()
            wide = await page.evaluate("document.documentElement.scrollWidth")
            await browser.close()
        server.shutdown()
        thread.join()
    strange = [url for url in asked if not url.startswith((home, "data:", "blob:"))]
    assert strange == []
    assert failed == []
    assert any(url.endswith("architecture.svg") for url in asked)
    assert drawn is not None
    assert drawn["width"] >= 800, "its words are too small on a phone"
    assert wide <= 375
    typed = [
        [command for command, _ in block.steps()]
        for block in blocks(ROOT / "docs/tutorials/frames.md")
        if block.language == "console"
    ]
    assert copied == ["\n".join(commands) for commands in typed]


async def copies(page: Page, address: str) -> list[str]:
    """Press the button of every block of commands; returns what each puts on the clipboard."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto(address, wait_until="networkidle")
    copied = []
    for block in await page.locator(".highlight:has(.gp)").all():
        await page.evaluate("navigator.clipboard.writeText('')")
        await block.hover()
        await block.locator("button[data-md-type=copy]").click()
        await page.wait_for_function("async () => await navigator.clipboard.readText()")
        copied.append(await page.evaluate("navigator.clipboard.readText()"))
    return copied


def test_a_decision_is_found_once(tree):
    found = [
        one["location"]
        for one in json.loads((tree / "build/site/search.json").read_text())["items"]
    ]
    assert not [where for where in found if where.startswith("adr/0") and "#" in where]
    assert len([where for where in found if where.startswith("adr/0")]) > 20
    assert [where for where in found if where.startswith("how-to/") and "#" in where]


def test_the_diagrams_are_those_of_the_script():
    for name, diagram in diagrams.DIAGRAMS.items():
        assert (diagrams.IMAGES / f"{name}.svg").read_text() == diagrams.drawn(diagram)
