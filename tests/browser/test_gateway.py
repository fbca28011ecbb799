"""The page behind a gateway that takes a few megabytes at a time."""

import hashlib
import os
import zipfile

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import expect

from mediamill.app import App
from mediamill.aws import payloads
from mediamill.core.settings import Settings
from mediamill.web.app import create_app
from tests.aws.behind import front, through
from tests.support.places import Place
from tests.support.serving import served, working

BUCKET = Place(blobs="s3")
pytestmark = [pytest.mark.places(BUCKET), pytest.mark.asyncio(loop_scope="session")]
SUBMIT = """said => fetch("/v1/jobs", {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(said),
}).then(answer => answer.json())"""
ACCOUNT = {"email": "ann@example.org", "password": "correct horse battery"}


@pytest_asyncio.fixture(loop_scope="session")
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


async def test_what_is_large_goes_in_parts_and_comes_from_the_bucket(
    browser, base, tmp_path, monkeypatch
):
    large, small = tmp_path / "large.bin", tmp_path / "noise.png"
    large.write_bytes(os.urandom(payloads.BALANCED_MOST + 1))
    Image.effect_noise((200, 200), 50).save(small, "PNG")
    context = await browser.new_context()
    for step in ("register", "login"):
        assert (await context.request.post(f"{base}/v1/auth/{step}", data=ACCOUNT)).ok
    page, sent = await context.new_page(), []
    page.on("request", lambda request: sent.append(request.method))
    broken = []

    async def away(route):
        """Break the connection over which it is asked what became of the upload, once."""
        if route.request.method == "GET" and not broken:
            broken.append(route.request.url)
            await route.abort()
        else:
            await route.continue_()

    await page.route("**/v1/uploads/*", away)
    await page.goto(base)
    await page.set_input_files("#choose", [large, small])
    await expect(page.locator(".row")).to_have_count(2, timeout=30_000)
    assert sent.count("PATCH") == 2
    assert broken, "it was never asked"
    found = (await (await context.request.get(f"{base}/v1/files")).json())["data"]
    files = {file["name"]: file for file in found}
    assert files["large.bin"]["sha256"] == hashlib.sha256(large.read_bytes()).hexdigest()
    steps = [{"operation": "convert", "parameters": {"format": "png"}}]
    job = await page.evaluate(SUBMIT, {"files": [files["noise.png"]["id"]], "steps": steps})
    monkeypatch.setattr(payloads, "BALANCED_MOST", 20_000)
    await page.goto(f"{base}/jobs/{job['id']}")
    await expect(page.locator("#state")).to_have_text("succeeded", timeout=60_000)
    async with page.expect_download(timeout=60_000) as coming:
        await page.click("#download")
    await (await coming.value).save_as(tmp_path / "results.zip")
    with zipfile.ZipFile(tmp_path / "results.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["manifest.jsonl", "noise.png"]
        assert archive.getinfo("noise.png").file_size > 20_000
    await context.close()
