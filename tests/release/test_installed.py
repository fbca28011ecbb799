"""The wheel on a clean Python, with what the package index has: the service, its page, a job.

Nothing of ours pins versions here: what is newest of each library today has to work.
"""

import io
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import async_playwright
from pythons import python_of
from scripts.chromium import CHROMIUM, FLAGS

from mediamill.media.video.pattern import write_pattern
from tests.support.processes import free_port
from tests.support.services import unavailable

pytestmark = [pytest.mark.scan, pytest.mark.timeout(900)]
PAGES = (
    "/",
    "/jobs",
    "/jobs/new",
    "/projects",
    "/captions",
    "/prompts",
    "/models",
    "/analytics",
    "/account",
)
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
OTHERS = [version for version in ("3.11", "3.12", "3.13") if version != THIS]


def environment(home: Path) -> dict[str, str]:
    """Return ours without what could bring our own modules, or the user's, along."""
    ours = ("PYTHON", "MEDIAMILL_", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"MEDIAMILL_HOME": str(home), "PYTHONNOUSERSITE": "1"}


class Installed:
    """A virtual environment of its own with a file of ours in it."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder, self.bin = folder, folder / "venv/bin"
        self.run(python, "-m", "venv", folder / "venv")

    def run(self, *words: object) -> str:
        command = [str(word) for word in words]
        done = subprocess.run(
            command, cwd=self.folder, env=environment(self.folder / "home"), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout

    def install(self, file: Path) -> None:
        pip = (self.bin / "python", "-m", "pip", "--disable-pip-version-check", "--no-input")
        self.run(*pip, "install", "--quiet", file)
        self.run(*pip, "check")

    def mediamill(self, *words: object) -> str:
        return self.run(self.bin / "mediamill", *words)


@pytest.fixture(scope="module")
def installed(released, tmp_path_factory):
    place = Installed(tmp_path_factory.mktemp("installed"), Path(sys.base_prefix) / "bin/python3")
    place.install(released.one("*.whl"))
    return place


@pytest.fixture(scope="module")
def service(installed):
    """Run `mediamill up` as somebody would; give its address and the link that signs in."""
    command = [installed.bin / "mediamill", "up", "--port", str(free_port())]
    log = installed.folder / "up.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, cwd=installed.folder, env=environment(installed.folder / "home"),
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        until = time.monotonic() + 90
        while not (link := re.search(r"(http\S+)/signin\?token=\S+", log.read_text())):
            assert child.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        yield link[1], link[0]
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(60)
    assert child.returncode == 0, log.read_text()


@pytest_asyncio.fixture
async def page():
    if CHROMIUM is None:
        unavailable("this test needs Chromium: apt install chromium-headless-shell")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield await browser.new_page()
        await browser.close()


def test_it_says_its_version_and_runs_from_there(installed, released):
    assert installed.mediamill("--version").split()[-1] in released.one("*.whl").name
    where = installed.run(installed.bin / "python", "-c", "import mediamill; print(mediamill)")
    assert str(installed.folder) in where


async def test_pages_load_whole(service, page):
    """Each page with its styles and scripts, all from there, and no script complains."""
    base, link = service
    answers, complaints = {}, []
    page.on("response", lambda answer: answers.update({answer.url: answer.status}))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(link)
    await page.wait_for_url(f"{base}/")
    for address in PAGES:
        await page.goto(f"{base}{address}", wait_until="load")
        assert await page.evaluate("document.styleSheets.length") > 0
        assert await page.locator("nav").count() > 0
    assert {url: status for url, status in answers.items() if status >= 400} == {}
    assert all(url.startswith(base) for url in answers)
    assert len([url for url in answers if "/static/" in url]) > 30
    cut = f"{base}/v1/"  # requests for data that the next page has cut off
    assert [text for text in complaints if not text.startswith(cut)] == []


def test_each_file_of_the_page_is_served(service, released):
    base, _ = service
    begin = "mediamill/web/static/"
    with zipfile.ZipFile(released.one("*.whl")) as wheel, httpx.Client(trust_env=False) as client:
        names = [name for name in wheel.namelist() if name.startswith(begin)]
        for name in names:
            answer = client.get(f"{base}/static/{name.removeprefix(begin)}")
            assert answer.status_code == 200, name
            assert answer.content, name
    assert len(names) > 100


def test_a_clip_becomes_frames(service, installed):
    clip = installed.folder / "clip.mp4"
    write_pattern(clip)
    file = installed.mediamill("files", "put", clip).split()[0]
    told = installed.mediamill("jobs", "create", "extract-frames", file, "--every", 2, "--wait")
    job, state = told.split()[-2:]
    assert state == "succeeded"
    installed.mediamill("jobs", "download", job, "-o", installed.folder / "frames.zip")
    with zipfile.ZipFile(installed.folder / "frames.zip") as frames:
        names = [name for name in frames.namelist() if name.endswith(".jpg")]
        assert len(names) == 5
        assert io.BytesIO(frames.read(names[0])).read(3) == b"\xff\xd8\xff"


def test_the_sdist_installs_too(released, tmp_path):
    """Built by the index's own hatchling, without its libraries, which are those of the wheel."""
    place = Installed(tmp_path, Path(sys.base_prefix) / "bin/python3")
    pip = (place.bin / "python", "-m", "pip", "--disable-pip-version-check", "--no-input")
    place.run(*pip, "wheel", "--quiet", "--no-deps", "-w", tmp_path, released.one("*.tar.gz"))
    with (
        zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as built,
        zipfile.ZipFile(released.one("*.whl")) as ours,
    ):
        assert built.namelist() == ours.namelist()
        same = [name for name in ours.namelist() if not name.endswith(("/WHEEL", "/RECORD"))]
        assert all(built.read(name) == ours.read(name) for name in same)


@pytest.mark.parametrize("version", OTHERS)
def test_it_works_on_other_versions_of_python(version, released, tmp_path):
    if (python := python_of(version)) is None:
        pytest.skip(f"no Python {version} here")
    place = Installed(tmp_path, python)
    place.install(released.one("*.whl"))
    assert place.mediamill("--version").strip()
    told = place.mediamill("demo", "-o", tmp_path / "frames")
    frames = list((tmp_path / "frames").rglob("*.jpg"))
    assert f"{len(frames)} frames are in" in told
    assert len(frames) == 10
