"""The page behind a gateway that takes a few megabytes at a time."""

import hashlib
import os
import zipfile
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import boto3
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
    await expect(page.get_by_text("2 files are ready").first).to_be_visible()
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


@contextmanager
def open_to_pages(environment):
    """Give the bucket the CORS rule of `docs/how-to/uploads.md` for a while."""
    url = urlsplit(environment["MEDIAMILL_BLOBS_URL"])
    client = boto3.client(
        "s3", endpoint_url=parse_qs(url.query)["endpoint"][0], region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["PUT", "GET"]}
    headers = {"AllowedHeaders": ["content-*", "x-amz-*"]}
    client.put_bucket_cors(Bucket=url.netloc, CORSConfiguration={"CORSRules": [rule | headers]})
    yield
    client.delete_bucket_cors(Bucket=url.netloc)


async def test_what_is_very_large_goes_past_the_service_to_the_bucket(
    browser, base, servers, tmp_path
):
    """Where the bucket has a rule for pages; without one it goes through the service."""
    context = await browser.new_context()
    for step in ("register", "login"):
        assert (await context.request.post(f"{base}/v1/auth/{step}", data=ACCOUNT)).ok
    page = await context.new_page()

    async def methods(name):
        """Upload a file, and return by which methods its bytes went, and where."""
        path, sent = tmp_path / name, []
        path.write_bytes(os.urandom(17_000_000))
        await page.goto(base)
        page.on("request", lambda request: sent.append((request.method, request.url)))
        await page.set_input_files("#choose", path)
        await expect(page.get_by_text("1 file is ready").first).to_be_visible(timeout=60_000)
        (file,) = [
            file
            for file in (await (await context.request.get(f"{base}/v1/files")).json())["data"]
            if file["name"] == name
        ]
        assert file["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        through = [method for method, url in sent if url.startswith(base)]
        return through.count("PATCH"), [m for m, u in sent if not u.startswith(base)].count("PUT")

    patches, _ = await methods("through.bin")
    assert patches > 17
    with open_to_pages(servers.environment(BUCKET)):
        assert await methods("past.bin") == (0, 2)
    await context.close()
