"""Users, invitations and feedback over HTTP, and where one is signed in."""

import asyncio
import io
import re
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from PIL import Image

from mediamill.core.access import Principal
from mediamill.core.clock import DAY
from mediamill.core.errors import Conflict, Forbidden, Unauthenticated
from mediamill.core.ids import made_at
from mediamill.handlers.removing.forget_invitations import ForgetInvitations
from mediamill.services.accounts.sessions import USED_EVERY
from mediamill.services.links.signing import Grant
from mediamill.store.port import Delete, Update
from mediamill.store.repositories.audit import Audit
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.users import Email, Role, Token, User
from tests.security.test_privacy import MARK, exif
from tests.support.places import everywhere
from tests.web.conftest import PASSWORD, client_of
from tests.web.test_strangers import PNG


async def actions(mill, **wanted):
    return [act.action for act in (await Audit(mill.store).search(limit=200, **wanted)).rows]


# -- sessions -------------------------------------------------------------------------------------


@everywhere
async def test_sessions_are_listed_and_end_at_once(mill, web, ann):
    body = {"email": ann.email, "password": PASSWORD}
    others = []
    for agent in ("phone", "laptop"):
        async with client_of(web, **{"user-agent": agent}) as client:
            others.append((await client.post("/v1/auth/login", json=body)).json()["token"])
    rows = (await ann.client.get("/v1/me/sessions")).json()["data"]
    assert [row["agent"] for row in rows[:2]] == ["laptop", "phone"]
    assert [row["current"] for row in rows] == [False, False, True]
    assert {row["address"] for row in rows} == {"127.0.0.1"}
    phone = next(row for row in rows if row["agent"] == "phone")
    assert (await ann.client.delete(f"/v1/me/sessions/{phone['id']}")).status_code == 204
    assert (await ann.client.delete(f"/v1/me/sessions/{phone['id']}")).status_code == 404
    token = (await ann.client.post("/v1/tokens", json={"name": "program"})).json()["token"]
    for secret, status in zip(others, (401, 200), strict=True):
        async with client_of(web, authorization=f"Bearer {secret}") as client:
            assert (await client.get("/v1/me")).status_code == status
    assert (await ann.client.delete("/v1/me/sessions")).status_code == 204
    for secret, status in ((others[1], 401), (ann.token, 200), (token, 200)):
        async with client_of(web, authorization=f"Bearer {secret}") as client:
            assert (await client.get("/v1/me")).status_code == status
    (left,) = (await ann.client.get("/v1/me/sessions")).json()["data"]
    assert left["current"]
    async with client_of(web, authorization=f"Bearer {token}") as program:
        assert (await program.delete("/v1/me/sessions")).status_code == 403


async def test_a_token_tells_when_it_was_used_and_writes_seldom(mill, web, ann):
    issued = (await ann.client.post("/v1/tokens", json={"name": "program"})).json()
    (row,) = (await mill.accounts.users.tokens(ann.id, "api")).rows

    async def used():
        return (await mill.store.get(Token, row.digest)).used

    async with client_of(web, authorization=f"Bearer {issued['token']}") as program:
        await program.get("/v1/files")
        assert await used() is None  # it was only just made
        early = mill.clock.now() - USED_EVERY
        await mill.store.transact(Update(Token, (row.digest,), set={"created": early}))
        await program.get("/v1/files")
        first = await used()
        await program.get("/v1/files")
        assert first is not None
        assert await used() == first
    (told,) = (await ann.client.get("/v1/tokens")).json()["data"]
    assert told["used_at"]


async def test_what_was_opened_while_all_were_ended_is_over(mill, ann):
    """A sign-in that read the user before, and writes its session after."""
    before = await mill.accounts.users.get(ann.id)
    sessions = mill.people.sessions.sessions
    await sessions.end_all(ann.id)
    late = await sessions.open(before)
    with pytest.raises(Unauthenticated):
        await mill.accounts.authenticate(late.secret)
    fresh = await sessions.open(await mill.accounts.users.get(ann.id))
    assert await mill.accounts.authenticate(fresh.secret)


# -- users ----------------------------------------------------------------------------------------


@everywhere
async def test_users_are_listed_found_and_changed(mill, web, admin):
    made = {}
    for name in ("Bea Ames", "Carl", "Änne"):
        body = {"email": f"{name[0].lower()}x@example.org", "name": name, "password": PASSWORD}
        added = (await admin.client.post("/v1/admin/users", json=body)).json()
        made[name] = added["user"]
        assert added["invitation"] is None

    async def found(**asked):
        rows, after = [], None
        while True:
            params = {**asked, "limit": 1, **({"after": after} if after else {})}
            page = (await admin.client.get("/v1/admin/users", params=params)).json()
            rows += [row["name"] or row["email"] for row in page["data"]]
            if not page["has_more"]:
                return rows
            after = page["after"]

    assert sorted(await found()) == ["Bea Ames", "Carl", "root@example.org", "Änne"]
    assert await found(search="BX@") == ["Bea Ames"]
    assert await found(search="bea") == ["Bea Ames"]
    assert await found(search="äN") == ["Änne"]
    assert await found(search="b") == ["Bea Ames"]  # once, by address and by name
    assert await found(search="zz") == []
    assert await found(role="admin") == ["root@example.org"]
    assert (await admin.client.get("/v1/admin/users?after=7.x")).status_code == 422
    bea = f"/v1/admin/users/{made['Bea Ames']['id']}"
    changed = await admin.client.patch(bea, json={"role": "analyst", "name": "Beatrice"})
    assert (changed.json()["role"], changed.json()["name"]) == ("analyst", "Beatrice")
    assert await found(search="beatr") == ["Beatrice"]
    assert await found(role="analyst") == ["Beatrice"]
    async with signed_in(web, "bx@example.org") as client:
        assert (await client.get("/v1/spending/everybody")).status_code == 200
        assert (await admin.client.delete(f"{bea}/sessions")).status_code == 204
        assert (await client.get("/v1/me")).status_code == 401
    await admin.client.patch(bea, json={"disabled": True})
    assert (await admin.client.get(bea)).json()["disabled"]
    async with client_of(web) as client:
        body = {"email": "bx@example.org", "password": PASSWORD}
        assert (await client.post("/v1/auth/login", json=body)).status_code == 401
        await admin.client.patch(bea, json={"disabled": False})
        assert (await client.post("/v1/auth/login", json=body)).status_code == 200
    again = {"role": "analyst", "name": "Beatrice", "disabled": False}
    assert (await admin.client.patch(bea, json=again)).json()["name"] == "Beatrice"
    done = await actions(mill, about=made["Bea Ames"]["id"])
    assert {"user_added", "role_changed", "user_renamed", "user_disabled", "sessions_ended",
            "user_enabled"} <= {*done}  # fmt: skip
    changes = [one for one in done if one in ("role_changed", "user_renamed", "user_enabled")]
    assert len(changes) == 3, "what was so already is no act"


@asynccontextmanager
async def signed_in(web, email):
    async with client_of(web) as client:
        body = {"email": email, "password": PASSWORD}
        token = (await client.post("/v1/auth/login", json=body)).json()["token"]
    async with client_of(web, authorization=f"Bearer {token}") as client:
        yield client


async def test_nobody_takes_their_own_rights_away(mill, admin):
    roster = mill.people.administering.roster
    await roster.add(User(id="user_chief", email="c@example.org", role=Role.ADMIN, created=1))
    own = f"/v1/admin/users/{admin.id}"
    for change in ({"role": "user"}, {"role": "analyst"}, {"disabled": True}):
        assert (await admin.client.patch(own, json=change)).status_code == 409
    assert (await admin.client.delete(own, params={"now": True})).status_code == 409
    assert (await admin.client.patch(own, json={"role": "admin"})).status_code == 200
    await roster.change("user_chief", role=Role.USER)
    with pytest.raises(Conflict, match="last administrator"):
        await roster.change(admin.id, name="Renamed", disabled=True, keep_one=True)
    assert (await roster.find(admin.id)).name != "Renamed", "all of a change or nothing"


@everywhere
async def test_of_administrators_that_end_each_others_rights_one_stays(mill, web, admin):
    """All at once, in a ring: whatever comes first, somebody administers in the end."""
    roster, ids = mill.people.administering.roster, [admin.id]
    for name in ("ann", "bea"):
        user = User(id=f"user_{name}", email=f"{name}@example.org", role=Role.ADMIN, created=1)
        await mill.accounts.users.add(user)
        ids.append(user.id)
    acts = [roster.change(one, role=Role.USER, keep_one=True) for one in ids]
    acts += [roster.change(one, disabled=True, keep_one=True) for one in ids]
    ended = await asyncio.gather(*acts, return_exceptions=True)
    assert any(isinstance(one, Conflict) for one in ended)
    left = [user for user in [await roster.find(one) for one in ids] if user.role is Role.ADMIN]
    assert [user.disabled for user in left].count(False) == 1


# -- invitations ----------------------------------------------------------------------------------


@everywhere
async def test_who_is_invited_makes_an_account_once(mill, web, admin):
    mill.accounts.registration = False
    project = (await admin.client.post("/v1/projects", json={"name": "shared"})).json()["id"]
    body = {"email": "Dora@example.org", "role": "analyst", "project": project, "share": "editor"}
    invited = (await admin.client.post("/v1/admin/invitations", json=body)).json()
    token = invited["url"].rpartition("#")[2]
    assert re.fullmatch(r"http\S+/invitation#mmk_\S+", invited["url"])
    async with client_of(web) as client:
        short = {"token": token, "password": "short"}
        assert (await client.post("/v1/auth/invitation", json=short)).status_code == 422
        answers = await asyncio.gather(*(
            client.post("/v1/auth/invitation", json={"token": token, "password": PASSWORD})
            for _ in range(3)
        ))  # fmt: skip
    (accepted,) = [answer for answer in answers if answer.status_code == 200]
    session = accepted.json()
    kept = " ".join(accepted.headers.get_list("set-cookie"))
    assert "mediamill_device_" in kept, "the browser is known to the account from then on"
    assert session["user"]["role"] == "analyst"
    assert (await mill.accounts.users.by_email("dora@example.org")).verified is not None
    async with client_of(web, authorization=f"Bearer {session['token']}") as client:
        assert (await client.get(f"/v1/projects/{project}")).json()["role"] == "editor"
    (row,) = (await admin.client.get("/v1/admin/invitations")).json()["data"]
    assert (row["user"], "url" in row) == (session["user"]["id"], False)
    again = await admin.client.delete(f"/v1/admin/invitations/{row['id']}")
    assert again.status_code == 409
    taken = await admin.client.post("/v1/admin/invitations", json={"email": "dora@example.org"})
    assert taken.status_code == 409
    assert {"invited", "invitation_accepted"} <= {*await actions(mill, about=row["id"])}


async def test_an_invitation_ends(mill, web, admin, nobody, monkeypatch):
    """Taken back, too old, or not ours."""
    links = []
    for name in ("eve", "fay"):
        body = {"email": f"{name}@example.org"}
        added = (await admin.client.post("/v1/admin/users", json=body)).json()
        assert added["user"] is None
        links.append(added["invitation"])
    assert (await admin.client.delete(f"/v1/admin/invitations/{links[0]['id']}")).status_code == 204
    tokens = [link["url"].rpartition("#")[2] for link in links]
    late = mill.clock.now() + 8 * DAY
    monkeypatch.setattr(type(mill.clock), "now", lambda _: late)
    for token in (*tokens, tokens[1][:-2] + "xx", "mmk_x", other_grant(mill)):
        body = {"token": token, "password": PASSWORD}
        refused = await nobody.post("/v1/auth/invitation", json=body)
        assert refused.status_code == 403, token
    forgetting = ForgetInvitations(mill.people.inviting.invitations)
    made = made_at(links[1]["id"])  # which is later than now where another test was in the future
    assert await forgetting.forget(made + 29 * DAY) == 0
    assert await forgetting.forget(made + 31 * DAY) == 1
    assert (await admin.client.get("/v1/admin/invitations")).json()["data"] == []


@pytest.mark.parametrize("change", [{"role": Role.USER}, {"disabled": True}])
async def test_an_invitation_is_worth_what_its_maker_is(mill, web, admin, monkeypatch, change):
    """Who has kept links makes no administrators of them: not even while one is being opened."""
    people, roster = mill.people.inviting, mill.people.administering.roster
    chief = await roster.add(
        User(id="user_chief", email="c@example.org", role=Role.ADMIN, created=1)
    )
    by = Principal(chief.id, role=Role.ADMIN)
    token = (await people.invite(by, "d@example.org", Role.ADMIN, None, None)).url.split("#")[1]
    hashed, change = people.passwords.hash, {**change, "keep_one": True}

    async def meanwhile(*given):
        await roster.change(chief.id, **change)
        return await hashed(*given)

    with monkeypatch.context() as patch:
        patch.setattr(people.passwords, "hash", meanwhile)
        with pytest.raises(Forbidden, match="ask for a new one"):
            await people.accept(token, PASSWORD)
    with pytest.raises(Forbidden, match="ask for a new one"):
        await people.opened(token)
    await roster.change(chief.id, role=Role.ADMIN, disabled=False)
    with pytest.raises(Conflict, match="Passwords are not used"):
        await replace(people, by_password=False).accept(token, PASSWORD)
    assert await people.accept(token, PASSWORD)


def other_grant(mill):
    """Make a grant of ours for something else."""
    return mill.people.inviting.signer.sign(Grant("UNSUBSCRIBE", "mail", "", 1 << 60))


async def test_a_link_that_was_used_makes_no_second_account(mill, web, admin):
    """Not even when the first one, and its claim of the address, are gone."""
    invited = await admin.client.post("/v1/admin/invitations", json={"email": "ida@example.org"})
    body = {"token": invited.json()["url"].rpartition("#")[2], "password": PASSWORD}
    async with client_of(web) as client:
        first = (await client.post("/v1/auth/invitation", json=body)).json()["user"]
    await mill.store.transact(Delete(User, (first["id"],)), Delete(Email, (first["email"],)))
    async with client_of(web) as client:
        again = await client.post("/v1/auth/invitation", json=body)
    assert (again.status_code, "used already" in again.text) == (403, True)


async def test_the_mail_brings_the_same_link(mill, web, admin):
    invited = await admin.client.post("/v1/admin/invitations", json={"email": "gil@example.org"})
    letter = await mailed(mill, "mail_invitation")
    assert (letter.to, invited.json()["url"] in letter.text) == ("gil@example.org", True)
    body = {"email": "hal@example.org"}
    other = (await admin.client.post("/v1/admin/invitations", json=body)).json()
    await admin.client.delete(f"/v1/admin/invitations/{other['id']}")
    assert await mailed(mill, "mail_invitation") is None


async def mailed(mill, kind):
    """Write what the newest unit of a kind would send; None where it would send nothing."""
    handler = mill.handlers()[kind]
    unit = max([unit for unit in await mill.store.walk(Unit) if unit.kind == kind], key=_made)
    user = await handler.reader(unit)
    if user is None or await handler.gone(unit):
        return None
    return await handler.letter(unit, user)


def _made(unit):
    return unit.created, unit.group


# -- feedback -------------------------------------------------------------------------------------


async def test_feedback_reaches_administrators_with_copies_of_pictures(mill, web, admin, ann, bob):
    """A worker copies them: no larger than 2048 pixels, and without what the original tells."""
    big = io.BytesIO()
    Image.new("RGB", (3000, 1500), "teal").save(big, "JPEG", exif=exif())
    assert MARK in big.getvalue()
    files = [
        (await ann.client.post("/v1/files?name=a.jpg", content=big.getvalue())).json()["id"],
        (await ann.client.post("/v1/files?name=b.png", content=PNG)).json()["id"],
    ]
    body = {"text": "Look: {place} is green.", "page": "/projects", "files": files}
    said = await ann.client.post("/v1/feedback", json=body)
    assert (said.status_code, said.json()["pictures"]) == (201, None)
    letter = await mailed(mill, "mail_feedback")
    assert (letter.to, body["text"] in letter.text) == (admin.email, True)
    here = f"/v1/admin/feedback/{said.json()['id']}"
    worker = await mill.worker()
    running = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(60):
            while (row := await listed(admin))["pictures"] is None:
                await asyncio.sleep(0.05)
    finally:
        worker.stop()
        await running
    assert (row["text"], row["user"], row["pictures"]) == (body["text"], ann.id, 2)
    copy = await admin.client.get(f"{here}/pictures/1")
    assert Image.open(io.BytesIO(copy.content)).size == (2048, 1024)
    assert MARK not in copy.content
    assert (await admin.client.get(f"{here}/pictures/3")).status_code == 404
    for somebody in (ann, bob):
        assert (await somebody.client.get(f"{here}/pictures/1")).status_code == 403
    done = await admin.client.patch(here, json={"state": "done"})
    assert done.json()["state"] == "done"
    assert (await admin.client.get("/v1/admin/feedback")).json()["data"] == []
    assert (await admin.client.delete(here)).status_code == 204
    assert [one async for one in mill.blobs.list("feedback/")] == []
    assert (await admin.client.delete(here)).status_code == 404
    acts = [act for act in await actions(mill, about=said.json()["id"]) if act != "denied"]
    assert acts == ["feedback_deleted", "feedback_marked", "feedback_given"]


async def listed(admin):
    return (await admin.client.get("/v1/admin/feedback")).json()["data"][0]


async def test_pictures_of_others_are_not_shown(ann, bob):
    file = (await ann.client.post("/v1/files?name=dot.png", content=PNG)).json()["id"]
    refused = await bob.client.post("/v1/feedback", json={"text": "x", "files": [file]})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "files.0")


@everywhere
async def test_one_user_says_so_much_a_day(mill, ann, bob):
    mill.feedback.feedback.most = 3
    answers = await asyncio.gather(*(
        ann.client.post("/v1/feedback", json={"text": f"more {n}"}) for n in range(8)
    ))  # fmt: skip
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [429] * 5
    assert (await bob.client.post("/v1/feedback", json={"text": "mine"})).status_code == 201
