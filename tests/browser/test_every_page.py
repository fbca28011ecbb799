"""Every page of the application: it opens, complains of nothing, and everybody can use it.

What a page does is tested with its own pages; this one cannot be forgotten by a new one.
"""

import asyncio
import json
import re
from contextlib import asynccontextmanager

import httpx
import pytest
import pytest_asyncio
from fastapi.routing import iter_route_contexts

from mediamill.web.app import routes
from mediamill.web.security import SESSION_COOKIE
from tests.browser.conftest import MODULE, SETTINGS
from tests.conftest import chosen
from tests.support.judging import PHONE, faults, sideways
from tests.support.processes import running, signed_in
from tests.web.test_uploading import PNG

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIRST_VIEW = 200_000
"""Bytes over the line, compressed, before data."""
NOT_PAGES = re.compile(r"/(?:v1|parts|health|auth)/|/metrics$|/commonest\.txt$|/openapi\.json$")
LONG = {"/docs": "main > section:nth-of-type(n + 3)"}
"""Parts of pages that are as the ones before: axe takes half a minute for all of them."""
OPEN = (
    "/docs", "/erasures/{token}", "/forgot", "/invitation", "/reset", "/signin",
    "/unsubscribe/{token}", "/verify",
)  # fmt: skip
"""Pages that nobody need sign in for."""
OWN = (
    "/", "/account", "/admin", "/admin/audit", "/admin/feedback", "/admin/retention",
    "/admin/users", "/admin/users/{user_id}", "/analytics", "/captions", "/captions/history",
    "/captions/review", "/files/{file_id}", "/jobs", "/jobs/new", "/jobs/{job_id}", "/models",
    "/projects", "/projects/{project_id}", "/projects/{project_id}/annotate/{file_id}",
    "/projects/{project_id}/classes", "/projects/{project_id}/health",
    "/projects/{project_id}/process", "/projects/{project_id}/settings",
    "/projects/{project_id}/split", "/projects/{project_id}/versions", "/prompts",
    "/prompts/{prompt_id}", "/spending", "/trash", "/webhooks", "/webhooks/{webhook_id}",
)  # fmt: skip


async def test_no_page_is_forgotten():
    found = {
        context.path.replace("/prompts/{job_id}", "/prompts/{prompt_id}")
        for context in iter_route_contexts(routes())
        if context.path and "GET" in (context.methods or ()) and not NOT_PAGES.match(context.path)
    }
    assert found == {*OPEN, *OWN}


@pytest_asyncio.fixture(**MODULE)
async def everybodys(request, servers, tmp_path_factory):
    """A service with somebody to ask, used by nobody else."""
    folder = tmp_path_factory.mktemp("service")
    said = folder / "providers.toml"
    said.write_text(
        '[chains]\nprompt = ["one"]\ncaption = ["two"]\n'
        '[providers.two]\naddress = "echo:two"\n'
        f"[providers.one]\naddress = {json.dumps('echo:one?say=**So** it is.')}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in servers.environment(chosen(request.config)).items():
            patch.setenv(name, value)
        async with running("up", folder / "home", providers=said, **SETTINGS) as process:
            yield process


@pytest_asyncio.fixture(**MODULE)
async def ids(everybodys):
    """What stands in the pages' addresses; the first user is the administrator."""
    async with redeemed(everybodys) as root:
        sample = await root.post("/v1/projects/sample")
        project = sample.headers["location"].rpartition("/")[2]
        await gathered(root, project)
        files = (await root.get(f"/v1/projects/{project}/files")).json()["data"]
        inputs = [one["id"] for one in files[:3]]
        jobs = [
            await done(root, inputs, operation, **parameters)
            for operation, parameters in (
                ("thumbnail", {}),
                ("prompt", {"prompt": "What is in {name}?"}),
                ("caption", {}),
            )
        ]
        webhook = await made(root, "/v1/webhooks", {"url": "https://example.org/hook"})
        await made(root, "/v1/feedback", {"text": "The button is blue.", "page": "/"})
        gone = (await root.post("/v1/files?name=gone.png", content=PNG)).json()["id"]
        assert (await root.delete(f"/v1/files/{gone}")).is_success
        me = (await root.get("/v1/me")).json()["id"]
        session = root.headers["Authorization"].partition(" ")[2]
    async with signed_in(everybodys, "leaves@example.org") as leaving:
        closed = await leaving.delete("/v1/me")
        assert closed.status_code == 202, closed.text
    return {
        "/erasures/{token}": f"/erasures/{closed.json()['token']}",
        "/unsubscribe/{token}": await ending(everybodys.home / "outbox"),
        "project_id": project, "file_id": inputs[0], "job_id": jobs[0], "prompt_id": jobs[1],
        "user_id": me, "session": session, "webhook_id": webhook["id"],
    }  # fmt: skip


@asynccontextmanager
async def redeemed(process):
    """Give a client of the administrator, who signs in by the link that was printed."""
    async with asyncio.timeout(60):
        while not (found := re.search(r"/signin\?token=(\S+)", process.log())):
            await asyncio.sleep(0.05)
    base = f"http://127.0.0.1:{process.port}"
    async with httpx.AsyncClient(base_url=base, timeout=100, trust_env=False) as client:
        session = await made(client, "/v1/auth/redeem", {"token": found[1]})
        client.headers["Authorization"] = f"Bearer {session['token']}"
        yield client


async def made(client, path, body=None):
    answer = await client.post(path, json=body)
    assert answer.is_success, answer.text
    return answer.json()


async def gathered(client, project):
    """Wait until the sample's pictures are all there, with what is drawn on them."""
    async with asyncio.timeout(100):
        while (await client.get(f"/v1/projects/{project}")).json()["files"] < 24:
            await asyncio.sleep(0.1)


async def done(client, files, operation, **parameters):
    step = {"operation": operation, "parameters": parameters}
    job = await made(client, "/v1/jobs", {"files": files, "steps": [step]})
    told = (await client.get(f"/v1/jobs/{job['id']}?wait=60")).json()
    assert told["state"] == "succeeded", told
    return job["id"]


async def ending(outbox):
    """Wait for a mail about a job, which says how to have no more of them."""
    async with asyncio.timeout(100):
        while True:
            for mail in outbox.glob("*.eml"):
                if found := re.search(r"/unsubscribe/[\w.~-]+", mail.read_text()):
                    return found[0]
            await asyncio.sleep(0.1)


@pytest_asyncio.fixture(loop_scope="session")
async def root(browser, everybodys, ids):
    """A page of the administrator's."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    base = f"http://127.0.0.1:{everybodys.port}"
    session = {"name": SESSION_COOKIE, "value": ids["session"], "url": base}
    await context.add_cookies([session])
    page = await context.new_page()
    yield page
    await context.close()


@pytest.mark.parametrize("path", [*OPEN, *OWN])
async def test_everybody_can_use_it(path, root, everybodys, ids):
    complaints = []
    root.on("pageerror", lambda error: complaints.append(str(error)))
    root.on("console", lambda said: complaints.append(said.text) if grave(said) else None)
    loaded = await transfers(root)
    address = ids.get(path) or path.format(**ids)
    answer = await root.goto(f"http://127.0.0.1:{everybodys.port}{address}")
    assert answer.status == 200
    assert sum(loaded.values()) < FIRST_VIEW, loaded
    await root.wait_for_load_state("networkidle")
    assert await root.locator("h1:visible").count() == 1
    if path in LONG:
        await root.locator(LONG[path]).evaluate_all("all => all.forEach(it => it.remove())")
    await root.emulate_media(color_scheme="light", reduced_motion="reduce")
    assert await faults(root) == []
    await root.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert await faults(root, "color-contrast") == []
    await root.set_viewport_size(PHONE)
    assert await sideways(root) == []
    assert complaints == []


def grave(said):
    """Tell whether a page complains of more than data that is not there (yet)."""
    return said.type == "error" and "/v1/" not in said.location["url"]


async def transfers(page):
    """Count what comes over the line from now on, by address; users’ pictures are data."""
    line, addresses, sizes = await page.context.new_cdp_session(page), {}, {}

    def ended(one):
        address = addresses[one["requestId"]]
        if "/v1/" not in address:
            sizes[address] = one["encodedDataLength"]

    line.on(
        "Network.requestWillBeSent",
        lambda one: addresses.__setitem__(one["requestId"], one["request"]["url"]),
    )
    line.on("Network.loadingFinished", ended)
    await line.send("Network.enable")
    return sizes
