"""Make the pictures of the documentation: a real service, a real browser, a real video.

Writes docs/images/*.png, each at most 200 kB. `MEDIAMILL_SAMPLES` gives the videos; without it
FFmpeg makes one.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chromium import CHROMIUM, FLAGS
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from sample_figures import plant

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
MISSING = (
    "[...document.images].filter(i => i.checkVisibility()"
    " && i.getBoundingClientRect().top < innerHeight"
    " && !(i.complete && i.naturalWidth)).length"
)
MOST_BYTES = 200_000
SAMPLES = (
    "bottle-detection.mp4", "car-detection.mp4", "phone-iphone.jpg", "milk.mkv", "iphone.heic",
    "phone-nokia.jpg", "gps-nikon.jpg", "orientation-6.jpg", "phone-jolla.jpg",
)  # fmt: skip
STROKES = (
    ((0.5, 0.33), (0.57, 0.31), (0.64, 0.36), (0.59, 0.43), (0.51, 0.41), (0.5, 0.33)),
    ((0.53, 0.35), (0.6, 0.36), (0.58, 0.39), (0.54, 0.38)),
)
"""Around a stone of the fifth picture of the sample, then what is left of it."""
DESKTOP = {"width": 1180, "height": 820}
PHONE = {"width": 390, "height": 844}
LONG = {"width": 1180, "height": 1340}


def main() -> None:
    """Take every picture."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        service(Path(folder)) as link,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        home = link.partition("signin")[0]
        page = opened(browser, link, "light", DESKTOP)
        files = media(Path(folder))
        fill(page, files)
        save(page, "files")
        run(page, home, files[-1].name)
        save(page, "job")
        shown = {"files": home, "job": page.url}
        state = page.context.storage_state()
        for name, scheme, size in (("dark", "dark", DESKTOP), ("phone", "light", PHONE)):
            context = browser.new_context(color_scheme=scheme, viewport=size, storage_state=state)
            other = context.new_page()
            for what, address in shown.items():
                other.goto(address)
                settle(other)
                save(other, f"{what}-{name}")
        page.goto(f"{home}docs")
        save(page, "api")
        datasets(page, home)
        analytics(page, home)
        browser.close()


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """Run `mediamill up` on a free port; give its one-time sign-in link."""
    plant(folder / "home")
    command = [sys.executable, "-m", "mediamill", "up", "--home", str(folder / "home"), "--port=0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        lines = iter(process.stdout or ())
        link = next(found[0] for line in lines if (found := re.search(r"http\S+token=\S+", line)))
        yield link
    finally:
        process.terminate()
        process.wait(40)


def media(folder: Path) -> list[Path]:
    """Find some videos and pictures, or make them."""
    samples = os.environ.get("MEDIAMILL_SAMPLES")
    if samples:
        return [Path(samples) / name for name in reversed(SAMPLES)]
    clip = folder / "clip.mp4"
    pattern = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=30:d=40", "-pix_fmt", "yuv420p"]
    subprocess.run(["ffmpeg", "-v", "error", *pattern, str(clip)], check=True)
    return [clip]


def opened(browser: Browser, link: str, scheme: str, size: dict[str, int]) -> Page:
    """Sign in."""
    page = browser.new_context(color_scheme=scheme, viewport=size).new_page()  # type: ignore[arg-type]  # a name of a scheme
    page.goto(link)
    page.wait_for_url(re.compile(r"/$"))
    return page


def fill(page: Page, files: list[Path]) -> None:
    """Upload files, wait until each has a picture, then select the last one."""
    page.set_input_files("#choose", files)
    page.wait_for_selector(f"#grid li:nth-child({len(files)}) input")
    while page.locator("#grid li img").count() < len(files):
        page.wait_for_timeout(1000)
        page.reload()
        page.wait_for_selector(f"#grid li:nth-child({len(files)}) input")
    page.check(f"#grid li:has-text('{files[-1].name}') input")
    page.wait_for_selector("#bar #new-job")
    settle(page)


def run(page: Page, home: str, name: str) -> None:
    """Extract a frame a second of a video, made smaller, and wait for the end."""
    found = page.request.get(f"{home}v1/files?name={name}&limit=1").json()["data"]
    page.goto(f"{home}jobs/new?files={found[0]['id']}&operation=extract-frames")
    page.click("#then")
    page.click("[data-choose=convert]")
    page.wait_for_selector("#plan dl")
    page.evaluate("scrollTo(0, 0)")
    settle(page)
    save(page, "new-job")
    page.click("#new-job [type=submit]")
    page.wait_for_selector(".badge.succeeded", timeout=60_000)
    page.wait_for_selector(".contact img")
    settle(page)


def datasets(page: Page, home: str) -> None:
    """Take the pages of the sample project: its images, one painted on, ranges, a health check."""
    page.goto(f"{home}projects")
    page.get_by_role("button", name="Make the sample").click()
    page.wait_for_url(re.compile("/projects/proj_"))
    project = page.url
    page.goto(f"{project}/split")
    page.click("#form [type=submit]")
    page.wait_for_selector("#by-class .bar-row")
    page.goto(project)
    page.wait_for_selector("#grid li img")
    settle(page)
    save(page, "project")
    page.click("#grid li:nth-child(5) a")
    page.wait_for_selector("#stage .shape")
    paint(page, "stone", STROKES)
    settle(page)
    save(page, "annotate")
    page.goto(f"{project}/process")
    page.wait_for_selector("#thumbs img")
    page.check("[data-operation=augment] .choices input[value=rotate]")
    page.wait_for_selector("[data-shots=rotate] figure")
    page.locator("[data-operation=augment] .choices").first.evaluate("it => it.scrollIntoView()")
    settle(page)
    save(page, "process")
    page.goto(f"{project}/health")
    page.click("#check button")
    page.wait_for_selector("#report .card", timeout=30_000)
    settle(page)
    save(page, "health")


def analytics(page: Page, home: str) -> None:
    """Take the page of figures, down to its table."""
    page.set_viewport_size(LONG)
    page.goto(f"{home}analytics?by=operation")
    settle(page)
    save(page, "analytics")


def paint(page: Page, name: str, strokes: Sequence[Sequence[tuple[float, float]]]) -> None:
    """Paint a mask of a class of that name; places are parts of the picture."""
    page.fill("#new-class input", name)
    page.click("#new-class button")
    page.wait_for_selector(f"#classes input[value={name}]:checked")
    page.keyboard.press("Escape")
    page.click("[data-tool=brush]")
    box = page.locator("#stage > image").evaluate("image => image.getBoundingClientRect().toJSON()")
    for stroke in strokes:
        for n, (x, y) in enumerate(stroke):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=5)
            if n == 0:
                page.mouse.down()
        page.mouse.up()


def settle(page: Page) -> None:
    """Wait until every picture in sight has come."""
    page.wait_for_load_state("networkidle")
    while page.evaluate(MISSING):
        page.wait_for_timeout(100)


def save(page: Page, name: str) -> None:
    """Write a picture of what is in sight, with as few colours as it needs to be small."""
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for colours in (256, 128, 64, 32):
        # moved to means afterwards, rare colours keep theirs: a dot of a legend
        reduced = shot.quantize(
            colours, method=Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE
        )
        buffer = io.BytesIO()
        reduced.save(buffer, "PNG", optimize=True)
        if buffer.tell() <= MOST_BYTES:
            break
    path = IMAGES / f"{name}.png"
    path.write_bytes(buffer.getvalue())
    print(f"{path.relative_to(ROOT)}  {buffer.tell() / 1000:.0f} kB")


if __name__ == "__main__":
    main()
