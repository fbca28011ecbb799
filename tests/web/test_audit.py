"""The audit trail over HTTP: what is in it, who may read it, and that no denial is missing."""

import pytest

from mediamill.core.clock import rfc3339
from mediamill.store.repositories.audit import Audit
from tests.support.places import everywhere
from tests.web.conftest import PASSWORD, client_of
from tests.web.test_strangers import ADMIN, BODIES, BY_ID, OWN, PNG, belongings, fill

__all__ = ["belongings"]


async def acts(mill, **wanted):
    return (await Audit(mill.store).search(limit=1000, **wanted)).rows


@everywhere
async def test_sign_ins_and_tokens(mill, nobody, ann, admin):
    wrong = {"email": ann.email, "password": "not the password"}
    headers = {"user-agent": "agent of mallory"}
    refused = await nobody.post("/v1/auth/login", json=wrong, headers=headers)
    assert refused.status_code == 401
    token = (await ann.client.post("/v1/tokens", json={"name": "hers"})).json()
    await ann.client.delete(f"/v1/tokens/{token['id']}")
    told = (await ann.client.get("/v1/me/activity")).json()["data"]
    assert [one["action"] for one in told] == [
        "token_revoked", "token_made", "sign_in_refused", "signed_in", "registered",
    ]  # fmt: skip
    one = told[2]
    assert (one["verdict"], one["actor"], one["agent"]) == ("denied", "nobody", "agent of mallory")
    found = (await admin.client.get("/v1/admin/audit", params={"about": ann.id})).json()
    assert found["data"] == told
    whole = str([act.details for act in await acts(mill)])
    assert all(text not in whole for text in (ann.token, PASSWORD, token["token"], ann.email))


@everywhere
async def test_deletions_links_and_admin_acts(mill, ann, admin):
    file = (await ann.client.post("/v1/files?name=dot.png", content=PNG)).json()["id"]
    await ann.client.post(f"/v1/files/{file}/link", json={})
    await ann.client.delete(f"/v1/files/{file}")
    found = [act.action for act in await acts(mill, about=file)]
    assert found == ["file_deleted", "link_made"]
    await admin.client.put(f"/v1/budgets/{ann.id}", json={"monthly": 1})
    (act,) = await acts(mill, actor=admin.id, action="budget_set")
    assert (act.about, act.request[:4]) == (ann.id, "req_")


async def test_nothing_is_noted_of_what_is_only_read(mill, ann):
    before = len(await acts(mill))
    for path in ("/v1/me", "/v1/files", "/v1/jobs", "/", "/account"):
        assert (await ann.client.get(path)).status_code == 200
    await ann.client.get("/v1/no/such/route")
    assert len(await acts(mill)) == before


@everywhere
async def test_s22_every_denial_is_there(mill, web, bob, belongings):
    """Routes by id for another user, the administrators' for who is none, all for nobody."""
    for route in sorted(BY_ID | ADMIN):
        method, path = fill(route, belongings)
        response = await bob.client.request(method, path, json=BODIES.get(route))
        assert response.status_code in (403, 404), route
    await mill.trail.close()
    denied = await acts(mill, actor=bob.id, action="denied")
    assert {act.details["route"] for act in denied} == BY_ID | ADMIN
    assert {act.verdict for act in denied} == {"denied"}
    async with client_of(web) as stranger:
        for route in sorted(BY_ID | OWN | ADMIN):
            method, path = fill(route, belongings)
            response = await stranger.request(method, path, json=BODIES.get(route))
            assert response.status_code == 401, route
    await mill.trail.close()
    denied = await acts(mill, actor="nobody", action="denied")
    assert {act.details["route"] for act in denied} == BY_ID | OWN | ADMIN


async def test_searched_by_time_and_page_by_page(mill, ann, admin):
    for n in range(5):
        await ann.client.post("/v1/tokens", json={"name": f"t{n}"})
    found, after = [], None
    while True:
        asked = {"actor": ann.id, "limit": 2, **({"after": after} if after else {})}
        page = (await admin.client.get("/v1/admin/audit", params=asked)).json()
        found += page["data"]
        if not page["has_more"]:
            break
        after = page["after"]
    assert [one["action"] for one in found].count("token_made") == 5
    middle = found[2]["at"]
    later = await admin.client.get("/v1/admin/audit", params={"actor": ann.id, "since": middle})
    assert {one["id"] for one in later.json()["data"]} >= {one["id"] for one in found[:3]}
    assert all(one["at"] >= middle for one in later.json()["data"])
    past = rfc3339(mill.clock.now() - 3_600_000)
    asked = {"actor": ann.id, "until": past}
    assert (await admin.client.get("/v1/admin/audit", params=asked)).json()["data"] == []


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "9" * 30])
async def test_what_is_no_time_is_said(admin, text):
    refused = await admin.client.get("/v1/admin/audit", params={"since": text})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "since"
    shown = await admin.client.get("/admin/audit", params={"actor": "nobody", "since": text})
    assert shown.status_code == 422
    assert shown.text.count('aria-invalid="true"') == 1
    assert 'value="nobody"' in shown.text, "the form stays, with what was typed"


async def test_it_is_for_administrators(ann):
    assert (await ann.client.get("/v1/admin/audit")).status_code == 403
