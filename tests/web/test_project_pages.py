"""The pages of projects without a browser: who sees what, what they load."""

import re

import pytest
import pytest_asyncio

from mediamill.store.port import Put
from mediamill.store.repositories.datasets import ProjectShare
from mediamill.web.statics import STATIC
from tests.web.one_service import ann, bob, mill, web  # noqa: F401 - fixtures
from tests.web.test_strangers import PNG

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECTIONS = ("", "/classes", "/split", "/process", "/health", "/versions", "/settings")
ASKED = re.compile(r'\bimport(?:\(| [^"]*from | )"(\.{1,2}/[\w./-]+\.js)"')
"""What a script imports, also when it needs it only."""
SCRIPT = re.compile(r'src="/static/([\w./-]+\.js)"')


@pytest_asyncio.fixture(loop_scope="module")
async def project(ann):
    made = (await ann.client.post("/v1/projects", json={"name": "hers"})).json()["id"]
    file = await ann.client.post(f"/v1/files?name=dot.png&project={made}", content=PNG)
    return made, file.json()["id"]


async def test_every_script_is_asked_for():
    """By a page, or by a script of one."""
    templates = STATIC.parent / "templates"
    waiting = {
        STATIC / name
        for page in templates.rglob("*.html")
        for name in SCRIPT.findall(page.read_text())
    }
    found = {STATIC / "texts.js"}  # made when the service starts
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting |= {(path.parent / it).resolve() for it in ASKED.findall(path.read_text())}
    assert found - {STATIC / "texts.js"} == set(STATIC.rglob("*.js"))


async def test_pages_hold_no_script_or_style_that_the_policy_refuses(ann, project):
    made, file = project
    for one in (*SECTIONS, f"/annotate/{file}"):
        text = (await ann.client.get(f"/projects/{made}{one}")).text
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", text), one


async def test_a_viewer_sees_no_way_to_change_anything(mill, ann, bob, project):
    made, file = project
    share = ProjectShare(user=bob.id, project=made, role="viewer", created=1)
    await mill.store.transact(Put(share))
    editing = {
        "": 'id="drop"', "/classes": 'id="import"', "/split": 'id="form"',
        "/process": 'name="into"', "/versions": 'id="new"', "/settings": 'id="share"',
        f"/annotate/{file}": 'data-tool="box"',
    }  # fmt: skip
    for path, control in editing.items():
        hers = await ann.client.get(f"/projects/{made}{path}")
        his = await bob.client.get(f"/projects/{made}{path}")
        assert his.status_code == 200, path
        assert control in hers.text, path
        assert control not in his.text, path


async def test_a_name_is_only_ever_text(ann):
    name = "<img src=x onerror=alert(1)>\"'{{ 7919*7907 }}"
    made = (await ann.client.post("/v1/projects", json={"name": name})).json()["id"]
    for one in SECTIONS:
        text = (await ann.client.get(f"/projects/{made}{one}")).text
        assert "<img src=x" not in text
        assert "&lt;img src=x" in text
        assert "62615533" not in text, "a name is run as a template"


async def test_images_without_annotations_are_found(ann, project):
    made, file = project
    await ann.client.post(f"/v1/projects/{made}/classes", json={"name": "dot"})
    drawn = {"annotations": [{"class": "dot", "box": [0, 0, 1, 1]}]}
    for annotated in (False, True):
        for wanted in (True, False):
            answer = await ann.client.get(
                f"/v1/projects/{made}/files", params={"annotated": wanted}
            )
            found = [one["id"] for one in answer.json()["data"]]
            assert found == ([file] if wanted is annotated else [])
        path = f"/v1/projects/{made}/files/{file}/annotations"
        if not annotated:
            assert (await ann.client.put(path, json=drawn)).status_code == 200
