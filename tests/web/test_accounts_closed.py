"""An account that its owner or an administrator deletes is shut at once, and kept if they want."""

from mediamill.core.clock import DAY
from mediamill.store.port import Update
from mediamill.store.repositories.audit import Act
from mediamill.store.repositories.erasures import Erasure
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.users import Token, User
from tests.support.ageing import records
from tests.web.conftest import PASSWORD, client_of


async def test_it_is_shut_at_once_and_taken_back_by_its_link(mill, web, ann, nobody):
    made = (await ann.client.post("/v1/tokens", json={"name": "program"})).json()
    closed = await ann.client.delete("/v1/me")
    assert closed.status_code == 202, closed.text
    told = closed.json()
    assert (told["state"], told["user"], told["by"]) == ("waiting", ann.id, "user")
    async with client_of(web, authorization=f"Bearer {made['token']}") as program:
        for client in (ann.client, program):
            assert (await client.get("/v1/me")).status_code == 401
        login = {"email": ann.email, "password": PASSWORD}
        refused = await nobody.post("/v1/auth/login", json=login)
        assert (refused.status_code, refused.json()["code"]) == (403, "account_closing")
        wrong = await nobody.post("/v1/auth/login", json={**login, "password": "not this one"})
        assert wrong.status_code == 401
        shown = await nobody.get(f"/v1/erasures/{told['token']}")
        assert (shown.status_code, shown.json()["state"]) == (200, "waiting")
        page = await nobody.get(f"/erasures/{told['token']}")
        assert "Keep the account" in page.text
        kept = await nobody.post(f"/erasures/{told['token']}/undo")
        assert (kept.status_code, "stays" in kept.text) == (200, True)
        assert (await nobody.post("/v1/auth/login", json=login)).status_code == 200
        assert (await program.get("/v1/me")).status_code == 200
        assert (await ann.client.get("/v1/me")).status_code == 401, "sessions stay ended"
    async with client_of(web) as another:
        again = await another.post(f"/v1/erasures/{told['token']}/undo")
    assert again.status_code == 409
    assert not [unit for unit in await records(mill, Unit) if unit.kind == "erase"]
    assert (await nobody.get("/v1/erasures/mmk_x")).status_code == 403
    acts = [act.action for act in await records(mill, Act) if act.about == ann.id]
    assert {"account_closed", "account_kept"} <= {*acts}


async def test_it_is_taken_back_by_who_knows_the_password(mill, ann, nobody):
    login = {"email": ann.email, "password": PASSWORD}
    assert (await nobody.post("/v1/auth/restore", json=login)).status_code == 409
    assert len([row for row in await records(mill, Token) if row.user == ann.id]) == 1
    await ann.client.delete("/v1/me")
    wrong = {**login, "password": "not this one"}
    assert (await nobody.post("/v1/auth/restore", json=wrong)).status_code == 401
    restored = await nobody.post("/v1/auth/restore", json=login)
    assert (restored.status_code, restored.json()["state"]) == (200, "undone")
    assert (await nobody.post("/v1/auth/login", json=login)).status_code == 200


async def test_no_token_and_no_old_session_deletes_an_account(mill, web, ann):
    made = (await ann.client.post("/v1/tokens", json={"name": "program"})).json()
    async with client_of(web, authorization=f"Bearer {made['token']}") as program:
        assert (await program.delete("/v1/me")).status_code == 403
    for row in await records(mill, Token):
        long_ago = {"created": row.created - DAY, "confirmed": None}
        await mill.store.transact(Update(Token, row.key_values(), set=long_ago))
    refused = await ann.client.delete("/v1/me")
    assert (refused.status_code, refused.json()["code"]) == (403, "confirmation_needed")
    right = await ann.client.post("/v1/auth/confirm", json={"password": PASSWORD})
    assert right.status_code == 204
    assert (await ann.client.delete("/v1/me")).status_code == 202


async def test_the_last_administrator_stays(mill, admin, ann):
    for refused in (
        await admin.client.delete("/v1/me"),
        await admin.client.delete(f"/v1/admin/users/{admin.id}"),
    ):
        assert refused.status_code == 409, refused.text
    user = await mill.store.get(User, admin.id)
    assert (user.disabled, user.erasing) == (False, None)


async def test_administrators_delete_others_and_take_that_back(mill, admin, ann, bob):
    assert (await bob.client.delete(f"/v1/admin/users/{ann.id}")).status_code == 403
    asked = await admin.client.delete(f"/v1/admin/users/{ann.id}")
    assert asked.status_code == 202, asked.text
    assert (await ann.client.get("/v1/me")).status_code == 401
    same = await admin.client.delete(f"/v1/admin/users/{ann.id}")
    assert same.json() == asked.json()
    (row,) = (await admin.client.get("/v1/admin/erasures")).json()["data"]
    assert (row["user"], row["by"]) == (ann.id, "administrator")
    kept = await admin.client.post(f"/v1/admin/erasures/{row['id']}/undo")
    assert kept.json()["state"] == "undone"
    now = await admin.client.delete(f"/v1/admin/users/{ann.id}")
    hastened = await admin.client.delete(f"/v1/admin/users/{ann.id}", params={"now": True})
    assert hastened.json()["due_at"] < now.json()["due_at"]
    erasure = await mill.store.get(Erasure, hastened.json()["id"])
    assert erasure.due <= await mill.store.now()


async def test_who_is_kept_out_meanwhile_stays_out(mill, admin, ann, nobody):
    """Whoever expects that closes the account first; and nothing opens it but taking that back."""
    one = f"/v1/admin/users/{ann.id}"
    token = (await ann.client.delete("/v1/me")).json()["token"]
    opened = await admin.client.patch(one, json={"disabled": False, "role": "analyst"})
    assert (opened.status_code, "take that back first" in opened.text) == (409, True)
    user = await mill.store.get(User, ann.id)
    assert (user.disabled, user.role) == (True, "user"), "all of a change or nothing"
    headers = {"accept": "text/html"}
    shown = await admin.client.get(f"/admin/users/{ann.id}", headers=headers)
    assert ("Let them in again" in shown.text, "also if that is taken back" in shown.text) == (
        False, True)  # fmt: skip
    assert (await admin.client.patch(one, json={"disabled": True})).status_code == 200
    assert (
        "stay kept out" in (await admin.client.get(f"/admin/users/{ann.id}", headers=headers)).text
    )
    assert (await nobody.post(f"/v1/erasures/{token}/undo")).status_code == 200
    user = await mill.store.get(User, ann.id)
    assert (user.disabled, user.erasing) == (True, None)
    login = {"email": ann.email, "password": PASSWORD}
    assert (await nobody.post("/v1/auth/login", json=login)).status_code == 401
    assert (await admin.client.patch(one, json={"disabled": False})).status_code == 200


async def test_an_export_is_asked_for_and_waited_for(ann, bob):
    assert (await ann.client.get("/v1/me/export")).status_code == 404
    asked = await ann.client.post("/v1/me/export")
    assert (asked.status_code, asked.json()["state"]) == (202, "waiting")
    assert (await ann.client.get("/v1/me/export")).json() == asked.json()
    waiting = await ann.client.get("/v1/me/export/download")
    assert (waiting.status_code, waiting.json()["details"]["state"]) == (409, "waiting")
    assert (await bob.client.get("/v1/me/export/download")).status_code == 404
    limited = {"name": "few", "scopes": ["account:read", "account:write"]}
    token = (await ann.client.post("/v1/tokens", json=limited)).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    assert (await ann.client.get("/v1/me/export", headers=headers)).status_code == 403
