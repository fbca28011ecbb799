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
from playwright.async_api import Error

from mediamill.web.app import routes
from mediamill.web.security import SESSION_COOKIE
from tests.browser.conftest import MODULE, SETTINGS
from tests.conftest import chosen
from tests.media_factory import clip
from tests.support.judging import OF_LOOKS, PHONE, faults, sideways
from tests.support.pressing import faint
from tests.support.processes import running, signed_in
from tests.support.usable import usable, watched
from tests.support.wrong_forms import RIGHT, WRONG, forms, says_what_is_wrong
from tests.web.test_uploading import PNG

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(900)]

DESK = {"width": 1280, "height": 900}
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
WORK = (
    "/", "/captions", "/captions/history", "/captions/review", "/files/{file_id}", "/jobs",
    "/jobs/new", "/jobs/{job_id}", "/prompts", "/prompts/{prompt_id}", "/trash",
)  # fmt: skip
PROJECTS = (
    "/projects", "/projects/{project_id}", "/projects/{project_id}/annotate/{file_id}",
    "/projects/{project_id}/classes", "/projects/{project_id}/health",
    "/projects/{project_id}/process", "/projects/{project_id}/settings",
    "/projects/{project_id}/split", "/projects/{project_id}/versions",
)  # fmt: skip
OFFICE = (
    "/account", "/admin", "/admin/audit", "/admin/feedback", "/admin/retention", "/admin/users",
    "/admin/users/{user_id}", "/analytics", "/models", "/spending", "/webhooks",
    "/webhooks/{webhook_id}",
)  # fmt: skip
GROUPS = {"open": OPEN, "work": WORK, "projects": PROJECTS, "office": OFFICE}


async def test_no_page_is_forgotten():
    found = {
        context.path.replace("/prompts/{job_id}", "/prompts/{prompt_id}")
        for context in iter_route_contexts(routes())
        if context.path and "GET" in (context.methods or ()) and not NOT_PAGES.match(context.path)
    }
    assert found == {*OPEN, *WORK, *PROJECTS, *OFFICE}


async def test_no_form_is_forgotten():
    assert forms() == WRONG.keys() | RIGHT
    assert not WRONG.keys() & RIGHT


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
async def ids(everybodys, tmp_path_factory):
    """What stands in the pages' addresses; the first user is the administrator."""
    async with redeemed(everybodys) as root:
        sample = await root.post("/v1/projects/sample")
        project = sample.headers["location"].rpartition("/")[2]
        await gathered(root, project)
        files = (await root.get(f"/v1/projects/{project}/files")).json()["data"]
        inputs = [one["id"] for one in files[:3]]
        film = clip(tmp_path_factory.mktemp("film") / "film.mp4", seconds=1, size="64x64")
        video = (await root.post("/v1/files?name=film.mp4", content=film.read_bytes())).json()
        jobs = [
            await done(root, given, operation, **parameters)
            for given, operation, parameters in (
                ([video["id"]], "extract-frames", {}),
                (inputs, "prompt", {"prompt": "What is in {name}?"}),
                (inputs, "caption", {}),
            )
        ]
        asking = {"operation": "prompt", "parameters": {"prompt": "What is it?"}}
        await made(root, "/v1/templates", {"name": "What", "steps": [asking]})
        webhook = await made(root, "/v1/webhooks", {"url": "https://example.org/hook"})
        await made(root, "/v1/feedback", {"text": "The button is blue.", "page": "/"})
        gone = (await root.post("/v1/files?name=gone.png", content=PNG)).json()["id"]
        assert (await root.delete(f"/v1/files/{gone}")).is_success
        me = (await root.get("/v1/me")).json()["id"]
        session = root.headers["Authorization"].partition(" ")[2]
    async with signed_in(everybodys, "leaves@example.org") as leaving:
        closed = await leaving.delete("/v1/me")
        assert closed.status_code == 202, closed.text
    async with signed_in(everybodys, "stays@example.org") as staying:
        password_session = staying.headers["Authorization"].partition(" ")[2]
    return {
        "/erasures/{token}": f"/erasures/{closed.json()['token']}",
        "/unsubscribe/{token}": await ending(everybodys.home / "outbox"),
        "project_id": project, "file_id": inputs[0], "job_id": jobs[0], "prompt_id": jobs[1],
        "user_id": me, "session": session, "webhook_id": webhook["id"],
        "password_session": password_session,
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


@pytest.mark.parametrize("group", GROUPS)
async def test_everybody_can_use_them(group, browser, everybodys, ids):
    """One context for all of a group; nothing that a page loads is kept for the next."""
    base = f"http://127.0.0.1:{everybodys.port}"
    async with opening(browser, base, ids["session"]) as root:
        found = {path: await faulty(root, base, path, ids) for path in GROUPS[group]}
    assert not (wrong := {path: one for path, one in found.items() if one}), wrong


@pytest.mark.parametrize("group", ["account", *GROUPS])
async def test_each_form_says_what_is_wrong(group, browser, everybodys, ids):
    """An account with a password has more of them than the administrator, who came by the link."""
    base, silent = f"http://127.0.0.1:{everybodys.port}", []
    session = ids["password_session" if group == "account" else "session"]
    own = {"/account"} if group == "account" else {*GROUPS[group]} - {"/account"}
    async with opening(browser, base, session) as page:
        page.on("pageerror", lambda error: silent.append(str(error)))
        for (template, name), wrong in WRONG.items():
            if wrong.path not in own:
                continue
            await page.goto(base + wrong.path.format(**ids))
            await usable(page)
            try:
                await says_what_is_wrong(page, name, wrong)
            except (AssertionError, Error) as error:
                silent.append(f"{template} {name}: {str(error)[:600]}")
    assert not silent, "\n".join(silent)


@asynccontextmanager
async def opening(browser, base, session):
    """Give a page of somebody signed in."""
    context = await browser.new_context(viewport=DESK, reduced_motion="reduce")
    await context.add_cookies([{"name": SESSION_COOKIE, "value": session, "url": base}])
    await watched(context)
    yield await context.new_page()
    await context.close()


async def faulty(root, base, path, ids):
    """Open a page; return what is wrong with it, by what it is judged."""
    page, complaints = await root.context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if grave(said) else None)
    loaded = await transfers(page)
    address = base + (ids.get(path) or path.format(**ids))
    answer = await page.goto(address)
    await usable(page)
    await page.wait_for_load_state("networkidle")
    found = {
        "answered": answer.status != 200,
        "weighed": sum(loaded.values()) >= FIRST_VIEW and loaded,
        "not counted": {address, f"{base}/static/style.css"} - loaded.keys(),
        "headed": await page.locator("h1:visible").count() != 1,
    }
    await page.set_viewport_size(PHONE)
    found["sideways"] = await sideways(page)
    await page.set_viewport_size(DESK)
    if path in LONG:
        await page.locator(LONG[path]).evaluate_all("all => all.forEach(it => it.remove())")
    await page.emulate_media(color_scheme="light", reduced_motion="reduce")
    found["axe"] = await faults(page)
    found["by Tab"] = await faint(page)
    await page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    await page.set_viewport_size(PHONE)
    found["axe, dark, on a phone"] = await faults(page, *OF_LOOKS)
    found["complained"] = complaints
    await page.close()
    return {what: told for what, told in found.items() if told}


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
    await line.send("Network.setCacheDisabled", {"cacheDisabled": True})
    return sizes
