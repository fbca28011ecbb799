"""The page behind a gateway that takes a few megabytes at a time."""

import io
import zipfile

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import expect

from mediamill.app import App
from mediamill.aws.bridge import MOST
from mediamill.core.settings import Settings
from mediamill.web.app import create_app
from tests.aws.behind import front, through
from tests.support.places import Place
from tests.support.serving import served, working

BUCKET = Place(blobs="s3")
pytestmark = [pytest.mark.places(BUCKET), pytest.mark.asyncio(loop_scope="module")]
SUBMIT = """said => fetch("/v1/jobs", {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(said),
}).then(answer => answer.json())"""
ACCOUNT = {"email": "ann@example.org", "password": "correct horse battery"}


@pytest_asyncio.fixture(loop_scope="module")
async def base(servers, tmp_path):
    """The address of a service whose files lie in a bucket, behind a gateway."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in servers.environment(BUCKET).items():
            patch.setenv(name, value)
        settings = Settings(home=tmp_path / "home", slots=1, min_free_bytes=0)
        async with (
            await App.open(settings) as mill,
            working(mill),
            served(front("alb", through(create_app(mill)))) as port,
        ):
            yield f"http://127.0.0.1:{port}"


async def test_what_is_large_goes_in_parts_and_comes_from_the_bucket(browser, base, tmp_path):
    made = tmp_path / "noise.png"
    Image.effect_noise((2600, 2000), 90).save(made, "PNG", compress_level=0)
    assert made.stat().st_size > MOST
    context = await browser.new_context()
    for step in ("register", "login"):
        assert (await context.request.post(f"{base}/v1/auth/{step}", data=ACCOUNT)).ok
    page, sent = await context.new_page(), []
    page.on("request", lambda request: sent.append(request.method))
    await page.goto(base)
    await page.set_input_files("#choose", made)
    await expect(page.locator(".row")).to_have_count(1, timeout=30_000)
    assert sent.count("PATCH") == 2
    (file,) = (await (await context.request.get(f"{base}/v1/files")).json())["data"]
    assert (file["name"], file["size"]) == ("noise.png", made.stat().st_size)
    steps = [{"operation": "convert", "parameters": {"format": "png"}}]
    said = {"files": [file["id"]], "steps": steps}
    job = await page.evaluate(SUBMIT, said)
    await page.goto(f"{base}/jobs/{job['id']}")
    await expect(page.locator("#state")).to_have_text("succeeded", timeout=60_000)
    async with page.expect_download(timeout=60_000) as coming:
        await page.click("#download")
    await (await coming.value).save_as(tmp_path / "results.zip")
    with zipfile.ZipFile(io.BytesIO((tmp_path / "results.zip").read_bytes())) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["manifest.jsonl", "noise.png"]
        assert archive.getinfo("noise.png").file_size > MOST
    await context.close()
