"""The account's page and the administration's, without a browser: what they show, and to whom."""

import csv
import io
import re

import pytest
import pytest_asyncio

from mediamill.core.clock import DAY
from mediamill.store.port import Put, Update
from mediamill.store.repositories.audit import Act, Verdict
from mediamill.store.repositories.exports import Export, ExportState
from mediamill.store.repositories.retention import Sweep
from mediamill.store.repositories.users import Role, User
from mediamill.web.pages.rendering import agent_text
from mediamill.web.pages.times import day, when
from mediamill.web.security import SESSION_COOKIE
from tests.web.conftest import person
from tests.web.one_service import ann, bob, mill, web  # noqa: F401 - fixtures
from tests.web.test_uploading import PNG

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAGES = ("", "/users", "/audit", "/retention", "/feedback")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def root(mill, web):
    """An administrator."""
    async with person(web, "boss") as boss:
        await mill.store.transact(Update(User, (boss.id,), set={"role": Role.ADMIN}))
        yield boss


def clean(page):
    assert page.status_code == 200, page.text
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page.text)
    return page.text


async def test_the_account_is_one_page(ann):
    text = clean(await ann.client.get("/account"))
    sections = re.findall(r'<a href="#([\w-]+)">', text)
    assert sections[0] == "profile"
    assert "ways" not in sections, "there is no issuer"
    for one in sections:
        assert f'id="{one}"' in text, one
    assert "this one" in text
    assert 'href="/admin"' not in text
    assert ">admin</label>" not in text.replace("> admin<", ">admin<"), "no scope of others"
    assert "Storage" in text


async def test_nothing_can_be_pressed_before_its_script_is_there(ann):
    """A click that comes too early is lost, or sends a form to where nothing takes it."""
    for path in ("account", "webhooks", "signin", "forgot", "reset", "verify", "invitation"):
        text = clean(await ann.client.get(f"/{path}"))
        pressed = re.findall(r"<button[^>]*(?:submit|data-sign-out)[^>]*>", text)
        assert pressed, path
        assert all(" disabled" in one for one in pressed), (path, pressed)


async def test_earlier_acts_are_asked_for(mill, ann):
    text = clean(await ann.client.get("/account"))
    assert "Signed in" in text
    rows = [
        Act(id=f"audit_00000000000000000000000{n:03}", action=f"happened_{n}",
            verdict=Verdict.DENIED, actor="nobody", about=ann.id, address="192.0.2.7",
            agent="curl/8.5.0", request="r", count=n, details={})
        for n in range(1, 12)
    ]  # fmt: skip
    await mill.store.transact(*map(Put, rows))
    text = clean(await ann.client.get("/account"))
    assert "denied 11 times" in text
    (more,) = re.findall(r'data-more="(/parts/activity\?[^"]+)"', text)
    part = (await ann.client.get(more.replace("&amp;", "&"))).text
    assert "Happened 1<" in part
    assert "Happened 11<" not in part
    assert (await ann.client.get("/parts/activity?after=x")).status_code == 422


async def test_who_must_set_up_a_second_factor_sees_that_alone(mill, ann, monkeypatch):
    monkeypatch.setattr(mill.people.factors, "demand", "everybody")
    text = clean(await ann.client.get("/account"))
    assert re.findall(r'<a href="#([\w-]+)">', text) == ["second-factor"]
    assert "access.js" not in text


async def test_an_export_is_offered_while_it_is_there(mill, ann):
    now = await mill.store.now()
    export = Export(owner=ann.id, id="export_x", state=ExportState.READY, asked=1, size=2_000_000)
    for expires, there in ((now + DAY, True), (now, False)):
        await mill.store.transact(Put(export.evolve(made=now, expires=expires)))
        text = clean(await ann.client.get("/account"))
        assert ("2.0 MB" in text) is there
        assert ("Make it anew" in text) is there
    assert "1 file and" not in text
    assert "0 files and 0 B" in text


async def test_only_administrators_find_the_administration(mill, root, ann, bob):
    await mill.store.transact(Update(User, (bob.id,), set={"role": Role.ANALYST}))
    for path in PAGES:
        assert "Retention" in clean(await root.client.get(f"/admin{path}"))
        for other in (ann, bob):
            html = {"accept": "text/html"}
            answer = await other.client.get(f"/admin{path}", headers=html)
            assert answer.status_code == 403, path
            assert "Only administrators" in answer.text
    browser = {"accept": "text/html", "cookie": f"{SESSION_COOKIE}={root.token}"}
    for path in ("/account", "/nothing"):
        answer = await root.client.get(path, headers=browser)
        assert 'href="/admin"' in answer.text
    assert 'href="/admin"' not in (await bob.client.get("/account")).text


async def test_a_user_is_found_and_shown(root, ann, bob):
    text = clean(await root.client.get("/admin/users", params={"search": ann.email[:8]}))
    assert f'href="/admin/users/{ann.id}"' in text
    assert bob.email not in text
    assert "Nobody that is so" in (await root.client.get("/admin/users?search=zzz")).text
    await root.client.put(f"/v1/admin/users/{ann.id}/quota", json={"files": 0, "jobs": 7})
    text = clean(await root.client.get(f"/admin/users/{ann.id}"))
    values = dict(re.findall(r'id="field-(\w+)"[^>]* value="(\d*)"', text))
    assert (values["files"], values["jobs"], values["items"]) == ("0", "7", "")
    assert "0 of 7" in text
    assert (await root.client.get("/admin/users/user_none")).status_code == 404


async def test_the_trail_is_searched_and_exported(mill, root, ann):
    asked = {"about": ann.id, "action": "signed_in", "since": "2020-01-01", "actor": ""}
    text = clean(await root.client.get("/admin/audit", params=asked))
    assert text.count("<strong>Signed in</strong>") == 1
    assert ann.email in text
    (link,) = re.findall(r'href="(/v1/admin/audit\.csv\?[^"]+)"', text)
    told = await root.client.get(link.replace("&amp;", "&"))
    (row,) = csv.DictReader(io.StringIO(told.text))
    assert (row["action"], row["about"]) == ("signed_in", ann.id)
    wrong = await root.client.get("/admin/audit?since=soon", headers={"accept": "text/html"})
    assert wrong.status_code == 422
    assert (await ann.client.get("/v1/admin/audit.csv")).status_code == 403


async def test_an_export_goes_through_all_pages(mill, root, monkeypatch):
    monkeypatch.setattr("mediamill.services.audit.search.WALKED", 2)
    told = await root.client.get("/v1/admin/audit.csv", params={"action": "signed_in"})
    acts = list(csv.DictReader(io.StringIO(told.text)))
    assert len(acts) > 2
    assert len({act["id"] for act in acts}) == len(acts)


async def test_a_rule_that_waits_is_told(mill, root):
    now = await mill.store.now()
    held = Sweep(source="upload", rule="90d", wanted="7d", since=now - DAY // 2, files=3, bytes=1)
    await mill.store.transact(Put(held))
    text = clean(await root.client.get("/admin/retention"))
    assert "workers want 7d now" in text
    assert "3 (1 B)" in text


async def test_what_other_rules_would_take_is_told_before_they_are_set(root, ann):
    assert (await ann.client.post("/v1/files?name=dot.png", content=PNG)).status_code == 201
    text = clean(await root.client.get("/admin/retention", params={"rules": "upload=2d"}))
    (row,) = re.findall(r"<tr><th scope=\"row\">upload</th><td>2d</td>(.+)</tr>", text)
    assert re.findall(r">([^<]+)</td>", row)[:2] == ["0", "0"]
    assert re.findall(r">([^<]+)</td>", row)[2] != "0"
    wrong = clean(await root.client.get("/admin/retention", params={"rules": "upload=soon"}))
    assert "upload=soon is no time" in wrong


async def test_what_users_say_is_only_ever_text(root, ann):
    said = "<img src=x onerror=alert(1)>{{ 7919*7907 }}"
    assert (await ann.client.post("/v1/feedback", json={"text": said})).status_code == 201
    text = (await root.client.get("/admin/feedback")).text
    assert "&lt;img src=x" in text
    assert "<img src=x" not in text
    assert "62615533" not in text
    assert "Nothing is done yet" in (await root.client.get("/admin/feedback?state=done")).text


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
         "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0",
         "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
         "Safari on iPhone"),
        ("mediamill/1.0 python", "mediamill/1.0"),
        ("", "unknown program"),
    ],
)  # fmt: skip
async def test_programs_are_told_apart(agent, said):
    assert agent_text(agent) == said


async def test_times_are_told_to_the_minute():
    time = "2026-11-22T13:25:11.5Z"
    told = f'<time datetime="{time}" data-form="moment">Nov 22, 2026, 13:25 UTC</time>'
    assert when(time) == told
    assert day("2026-11-02T23:59:59Z").endswith(">Nov 2, 2026</time>")
    assert when(None) == "never"
