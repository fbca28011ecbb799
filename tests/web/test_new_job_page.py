"""The page where jobs are made, without a browser."""

import html
import json
import re

import pytest

from tests.web.one_service import ann, bob, mill, web  # noqa: F401 - fixtures
from tests.web.test_strangers import PNG

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_earlier_job_is_there_as_its_request_for_its_owner_alone(ann, bob):
    file = (await ann.client.post("/v1/files?name=dot.png", content=PNG)).json()["id"]
    step = {"operation": "thumbnail", "parameters": {"size": 64}}
    body = {"files": [file], "steps": [step], "name": "<b>", "seed": 3, "reuse": False}
    job = (await ann.client.post("/v1/jobs", json=body)).json()["id"]
    page = await ann.client.get(f"/jobs/new?again={job}")
    assert page.status_code == 200
    again = json.loads(html.unescape(re.search(r'data-again="([^"]*)"', page.text)[1]))
    assert again["inputs"] == {"files": [file]}
    assert again["steps"][0]["parameters"]["size"] == 64
    assert (again["name"], again["seed"], again["reuse"]) == ("<b>", 3, False)
    assert again["budget"] is None
    assert "<b>" not in page.text
    asked = (await ann.client.get(f"/jobs/new?files={file},{file}x")).text
    for text, places in ((page.text, 1), (asked, 2)):  # they have their places before scripts run
        assert text.count('<li><span class="face">') == places
        assert '<details id="picker">' in text
    for other in (f"?again={job}", "?again=job_none"):
        assert (await bob.client.get(f"/jobs/new{other}")).status_code == 404
    assert (await bob.client.get("/jobs/new")).status_code == 200
    assert 'data-again="null"' in (await bob.client.get("/jobs/new")).text
