"""Webhooks through the whole service: added, told, signed, tried again, ended; seen by one only."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import os
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from mediamill.core.access import Principal
from mediamill.core.errors import Unavailable
from mediamill.core.events import event_id
from mediamill.core.logs import configure_logging
from mediamill.engine.announcing import announcement, file_event
from mediamill.handlers.removing.trim_webhook import KEPT_MS, TrimWebhook, trimming_of
from mediamill.handlers.telling import deliver
from mediamill.handlers.telling.deliver import Deliver, Delivering
from mediamill.store.port import Put, Update
from mediamill.store.repositories.audit import Act
from mediamill.store.repositories.files import File
from mediamill.store.repositories.lanes import Lane
from mediamill.store.repositories.users import User
from mediamill.store.repositories.webhooks import DeliveryState
from mediamill.store.schema import all_kinds
from tests.faults import rows as stored
from tests.support.receivers import receiver, reply
from tests.support.serving import working
from tests.web.one_service import ann, bob, mill, there, web  # noqa: F401 - fixtures
from tests.web.test_strangers import PNG

SETTINGS = {"fetch_allow": "127.0.0.1:*"}
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def quick(monkeypatch):
    """Try again at once: the same number of times."""
    policy = Deliver.policy
    none = type(policy)(delays_ms=(1,) * len(policy.delays_ms))
    monkeypatch.setattr(Deliver, "policy", none)
    return len(none.delays_ms) + 1


async def added(person, url, *types, **more):
    body = {"url": url, "types": list(types) or ["*"], **more}
    answer = await person.client.post("/v1/webhooks", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def tried(person, hook):
    answer = await person.client.post(f"/v1/webhooks/{hook['id']}/test")
    assert answer.status_code == 202, answer.text
    return answer.json()


async def deliveries(person, hook, **query):
    answer = await person.client.get(f"/v1/webhooks/{hook['id']}/deliveries", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def ended(person, hook, state, seconds=60):
    """Wait until the newest delivery is at its end; return it."""
    async with asyncio.timeout(seconds):
        while True:
            rows = (await deliveries(person, hook))["data"]
            if rows and rows[0]["state"] == state:
                return rows[0]
            await asyncio.sleep(0.02)


async def test_a_delivery_is_signed_and_listed(mill, ann, there):
    hook = await added(ann, there.url(), "job.*")
    assert hook["secret"].startswith("whsec_")
    waiting = await tried(ann, hook)
    assert (waiting["state"], waiting["attempts"]) == ("pending", 0)
    assert waiting["next_try_at"]
    async with working(mill):
        [got] = await there.wait(1)
        over = await ended(ann, hook, "delivered")
    assert (over["attempts"], over["status"], over["next_try_at"]) == (1, 204, None)
    assert len(left(mill, hook)) == 3, "webhook, delivery, and the unit that will trim; no other"
    assert got.method == "POST"
    assert got.path == "/hook"
    assert got.headers["content-type"] == "application/json"
    told = Verifier(hook["secret"]).verify(got.body, got.headers)
    assert told["type"] == "webhook.test"
    assert told["id"] == got.headers["webhook-id"] == waiting["id"]
    key = base64.b64decode(hook["secret"].removeprefix("whsec_"))
    text = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    numbers = (await ann.client.get("/metrics")).text
    assert 'mediamill_events_total{channel="webhook",outcome="sent"} 1.0' in numbers
    assert 'mediamill_events_total{channel="webhook",outcome="failed"} 0.0' in numbers
    mac = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{mac}"


async def test_what_was_tampered_with_is_refused(mill, ann, there):
    """S17: body, id, time, signature, another secret, and the same five minutes later."""
    hook, other = await added(ann, there.url()), await added(ann, there.url(), enabled=False)
    await tried(ann, hook)
    async with working(mill):
        [got] = await there.wait(1)
    good, verifier = got.headers, Verifier(hook["secret"])
    verifier.verify(got.body, good)
    later = str(int(good["webhook-timestamp"]) + 1)
    wrong = [
        (got.body.replace(b"webhook.test", b"webhook.tost"), good),
        (got.body + b" ", good),
        (got.body, {**good, "webhook-id": f"evt_{'0' * 26}"}),
        (got.body, {**good, "webhook-timestamp": later}),
        (got.body, {**good, "webhook-signature": "v1," + "A" * 43 + "="}),
    ]
    for body, headers in wrong:
        with pytest.raises(WebhookVerificationError):
            verifier.verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(other["secret"]).verify(got.body, good)
    with pytest.MonkeyPatch.context() as patch:
        import standardwebhooks.webhooks as reference

        class Later(reference.datetime):
            @classmethod
            def now(cls, tz=None):
                return cls.fromtimestamp(time.time() + 301, tz)

        patch.setattr(reference, "datetime", Later)
        with pytest.raises(WebhookVerificationError, match="too old"):
            verifier.verify(got.body, good)


async def test_only_chosen_types_come(mill, ann, there):
    await added(ann, there.url("/created"), "file.created")
    await added(ann, there.url("/deleted"), "file.deleted", "file.deleted")
    await added(ann, there.url("/jobs"), "job.*")
    await added(ann, there.url("/off"), enabled=False)
    async with working(mill):
        file = (await ann.client.post("/v1/files?name=dot.png", content=PNG)).json()["id"]
        await there.wait(1)
        await ann.client.delete(f"/v1/files/{file}")
        await there.wait(2)
        await asyncio.sleep(0.2)
    assert [(got.path, got.event["type"]) for got in there.got] == [
        ("/created", "file.created"),
        ("/deleted", "file.deleted"),
    ]


async def test_it_is_tried_again_until_it_is_taken(mill, ann, there, quick):
    hook = await added(ann, there.url())
    there.answers = [reply(500, b"oh\nno"), reply(302, Location=there.url("/else")), reply(400)]
    await tried(ann, hook)
    async with working(mill):
        over = await ended(ann, hook, "delivered")
    assert (over["attempts"], over["status"]) == (4, 204)
    assert {got.path for got in there.got} == {"/hook"}, "a redirect was followed"
    assert len({got.headers["webhook-id"] for got in there.got}) == 1
    for got in there.got:
        Verifier(hook["secret"]).verify(got.body, got.headers)


async def test_it_is_given_up_in_the_end(mill, ann, there, quick):
    hook = await added(ann, there.url())
    there.always = reply(500, b"\n first line \x07 of it\nsecond line" + b"x" * 100_000)
    await tried(ann, hook)
    async with working(mill):
        over = await ended(ann, hook, "failed")
    assert over["attempts"] == len(there.got) == quick == 10
    assert over["status"] == 500
    assert over["said"] == "first line   of it"


async def test_the_schedule_is_the_one_that_is_proposed():
    hours = [ms / 3_600_000 for ms in Deliver.policy.delays_ms]
    assert hours == [5 / 3600, 5 / 60, 0.5, 2, 5, 10, 14, 20, 24]
    error = Unavailable("no")
    for attempts, delay in enumerate(Deliver.policy.delays_ms):
        retry = Deliver.policy.decide(error, attempts)
        assert retry is not None
        assert delay // 2 <= retry.delay_ms <= delay
    assert Deliver.policy.decide(error, len(hours)) is None


async def test_a_receiver_that_is_gone_is_asked_no_more(mill, ann, there):
    hook = await added(ann, there.url())
    there.always = reply(410)
    await tried(ann, hook)
    async with working(mill):
        over = await ended(ann, hook, "failed")
    assert (over["attempts"], over["status"]) == (1, 410)
    shown = (await ann.client.get(f"/v1/webhooks/{hook['id']}")).json()
    assert not shown["enabled"]
    assert "410" in shown["reason"]
    assert (await ann.client.post(f"/v1/webhooks/{hook['id']}/test")).status_code == 409
    body = {"enabled": True}
    again = await ann.client.patch(f"/v1/webhooks/{hook['id']}", json=body)
    assert (again.json()["enabled"], again.json()["reason"]) == (True, None)


async def test_the_secret_is_shown_once_and_kept_sealed(mill, ann, there, quick, capfd):
    configure_logging("json", "debug")
    url = there.url("/hook?token=in-the-query")
    hook = await added(ann, url, description="ours")
    secret = hook.pop("secret")
    there.answers = [reply(500)]
    await tried(ann, hook)
    async with working(mill):
        await ended(ann, hook, "delivered")
    changed = await ann.client.patch(f"/v1/webhooks/{hook['id']}", json={"types": ["file.*"]})
    assert changed.json() == {
        **hook, "types": ["file.*"], "changed_at": changed.json()["changed_at"],
    }  # fmt: skip
    assert (await ann.client.get("/v1/webhooks")).json()["data"] == [changed.json()]
    kept = str(stored.rows(mill.settings.store_url, *all_kinds()))
    raw = base64.b64decode(secret.removeprefix("whsec_"))
    told = capfd.readouterr()
    assert "delivery_ended" in told.out + told.err, "the log is not looked at"
    for text in (kept, told.out, told.err, changed.text):
        assert secret not in text
        assert secret.removeprefix("whsec_") not in text
        assert raw.hex() not in text
    assert "in-the-query" not in told.out + told.err
    assert there.got[0].path == "/hook?token=in-the-query"


REFUSED = (
    "http://127.0.0.2:80/", "https://10.0.0.1/", "https://169.254.169.254/latest",
    "http://example.org/", "ftp://example.org/", "https://a:b@example.org", "https://[::1]/",
    "https://0x7f000001/", "nonsense", "https://%6d.example",
)  # fmt: skip


async def test_inner_addresses_and_plain_ones_are_refused(mill, ann, there):
    path = f"/v1/webhooks/{(await added(ann, there.url()))['id']}"
    for url in REFUSED:
        answer = await ann.client.post("/v1/webhooks", json={"url": url})
        assert (answer.status_code, answer.json().get("code")) == (422, "address_refused"), url
        assert answer.json()["errors"][0]["pointer"] == "url"
        assert (await ann.client.patch(path, json={"url": url})).status_code == 422


async def test_an_address_that_became_an_inner_one_is_not_reached(
    mill, ann, there, quick, monkeypatch
):
    """The guard is asked at each attempt, and the checked address is the one that is used."""
    hook = await added(ann, "https://hook.example.org/")

    async def inner(host, port):
        return ["127.0.0.9"]

    monkeypatch.setattr(mill.parts.fetcher.guard, "resolver", inner)
    await tried(ann, hook)
    async with working(mill):
        over = await ended(ann, hook, "failed")
    assert over["attempts"] == 10
    assert over["status"] is None
    assert "not public" in over["said"]
    assert there.got == []


async def test_types_that_do_not_exist_are_refused(ann, there):
    for types in (["job"], ["file.*.x"], ["webhook.test"], ["nothing"], ["file.created", "x"]):
        answer = await ann.client.post("/v1/webhooks", json={"url": there.url(), "types": types})
        assert answer.status_code == 422, types
        assert answer.json()["errors"][0]["pointer"] == f"types.{len(types) - 1}"


async def test_an_owner_has_twenty_at_most_whoever_asks_at_once(mill, ann, bob, there):
    body = {"url": there.url()}
    asked = (ann.client.post("/v1/webhooks", json=body) for _ in range(26))
    answers = [answer.status_code for answer in await asyncio.gather(*asked)]
    assert sorted(answers) == [201] * 20 + [409] * 6
    rows = (await ann.client.get("/v1/webhooks")).json()
    assert len(rows["data"]) == 20
    assert not rows["has_more"]
    await added(bob, there.url())
    assert (await ann.client.delete(f"/v1/webhooks/{rows['data'][3]['id']}")).status_code == 204
    await added(ann, there.url())
    assert (await ann.client.post("/v1/webhooks", json=body)).status_code == 409


async def test_deleting_one_ends_and_removes_its_deliveries(mill, ann, there, monkeypatch):
    monkeypatch.setattr(Deliver, "policy", replace(Deliver.policy, delays_ms=(600_000,)))
    hook, other = await added(ann, there.url()), await added(ann, there.url("/other"))
    there.always = reply(500)
    for _ in range(3):
        await tried(ann, hook)
    await tried(ann, other)
    async with working(mill):
        await there.wait(4)
        await ended(ann, other, "pending")
        assert (await ann.client.delete(f"/v1/webhooks/{hook['id']}")).status_code == 204
        async with asyncio.timeout(60):
            while left(mill, hook):
                await asyncio.sleep(0.02)
    assert len(left(mill, other)) == 3, "webhook, delivery, unit"
    assert (await ann.client.get(f"/v1/webhooks/{hook['id']}/deliveries")).status_code == 404


def left(mill, hook):
    """List what the database knows of a webhook, but for the audit trail."""
    kinds = [kind for kind in all_kinds() if kind is not Act]
    found = stored.rows(mill.settings.store_url, *kinds)
    return [row for rows in found.values() for row in rows if hook["id"] in str(row)]


@pytest.mark.soak
async def test_a_dead_receiver_delays_nobody_elses(mill, ann, bob, there):
    """Its owner has many deliveries open, only a few are tried at a time, and the others go on."""
    async with receiver() as dead:
        over = asyncio.Event()

        async def hang(got):
            await over.wait()
            return reply(204)

        dead.always = hang
        hook = await added(ann, dead.url())
        other = await added(ann, there.url("/anns-other"))
        theirs = await added(bob, there.url("/bobs"))
        ids = {(await tried(ann, hook))["id"] for _ in range(7)}
        async with working(mill):
            await dead.wait(1)
            for _ in range(5):
                await tried(bob, theirs)
            await tried(ann, other)
            await there.wait(6)
            assert dead.busy == len(dead.got) == 1, "they were not held back"
            over.set()
            await dead.wait(7)
        assert dead.most <= 2
        assert {got.event["id"] for got in dead.got} == ids
        assert len(dead.got) == 7, "one came twice"


@contextlib.asynccontextmanager
async def dead_ones(mill, owners, each):
    """Give a receiver that hangs, to which so many owners have so many deliveries open."""
    async with receiver() as dead:
        over = asyncio.Event()

        async def hang(got):
            await over.wait()
            return reply(204)

        dead.always = hang
        for n in range(owners):
            user = User(id=f"user_{os.urandom(8).hex()}", email=f"{n}@example.org", created=1)
            await mill.store.transact(Put(user))
            principal = Principal(user.id)
            hook, _ = await mill.webhooks.add(principal, dead.url())
            for _ in range(each):
                await mill.deliveries.test(principal, hook.id)
        yield dead
        over.set()


async def test_many_owners_of_dead_receivers_delay_nobody(mill, ann, there, monkeypatch):
    """They all hang at a time, and another owner's first delivery goes out meanwhile."""
    monkeypatch.setattr(deliver, "ANSWER_SECONDS", 600)
    hook = await added(ann, there.url())
    async with working(mill), dead_ones(mill, 24, 2) as dead:
        await dead.wait(24)
        await tried(ann, hook)
        await there.wait(1)
        assert dead.busy == 24, "they do not hang"


async def test_what_is_known_to_be_slow_holds_few_runners_and_pays(mill, ann, there, monkeypatch):
    for name, value in {"ALL": 6, "UNPROVEN": 5, "SLOW": 2}.items():
        monkeypatch.setattr(deliver, name, value)
    for name, value in {"ANSWER_SECONDS": 0.3, "SLOW_SECONDS": 0.2, "CHARGED_SECONDS": 0.2}.items():
        monkeypatch.setattr(deliver, name, value)
    monkeypatch.setattr(Deliver, "policy", replace(Deliver.policy, delays_ms=(1,) * 3))
    hook = await added(ann, there.url())
    inside, most, known, hanging = Counter[str](), Counter[str](), set(), []
    real, crowded = mill.parts.fetcher.post, asyncio.Event()

    async def counted(url, body, *given):
        if url not in hanging:  # others, of tests before, are refused at once
            return await real(url, body, *given)
        name = json.loads(body)["data"]["id"]
        kind = "slow" if name in known else "unproven"
        inside[kind] += 1
        most[kind] = max(most[kind], inside[kind])
        if most["unproven"] == 5:
            crowded.set()
        try:
            await crowded.wait()  # no sooner are any of them answered
            return await real(url, body, *given)
        finally:
            inside[kind] -= 1
            known.add(name)

    monkeypatch.setattr(mill.parts.fetcher, "post", counted)
    paid, write = list[Update](), mill.store.transact

    async def seen(*actions):
        updates = [one for one in actions if isinstance(one, Update) and one.kind is Lane]
        paid.extend(one for one in updates if one.add.get("vtime", 0) > 0.2)
        await write(*actions)

    monkeypatch.setattr(mill.store, "transact", seen)
    async with dead_ones(mill, 8, 2) as dead, working(mill):
        hanging.append(dead.url())
        while len({got.event["data"]["id"] for got in dead.got}) < 8:
            await dead.wait(len(dead.got) + 1)
        assert most["unproven"] == 5, "of what is not known to answer"
        await dead.wait(len(dead.got) + 6)
        assert 1 <= most["slow"] <= 2, "of what is known to be slow"
        await tried(ann, hook)
        await ended(ann, hook, "delivered")
    assert len(paid) >= 8, "they paid only what was estimated"


async def test_what_is_open_ends_with_the_account(mill, ann, there, quick):
    """Nothing is sent to webhooks of an owner who is disabled or gone, nor kept for them."""
    principal, hook = await disabled(mill, there)
    async with working(mill):
        async with asyncio.timeout(60):
            while (row := await newest(mill, hook.id)).state is DeliveryState.PENDING:
                await asyncio.sleep(0.02)
    assert (row.state, row.attempts) == (DeliveryState.FAILED, 0)
    assert "not active" in row.said
    assert there.got == []
    row = File(id="file_x", owner=principal.user, name="x", media_type="image/png", size=1,
               sha256="", crc32=0, blob="b", created=1)  # fmt: skip
    notice = announcement(principal.user, file_event("file.created", row, 1), 1)
    assert await Delivering(mill.repositories.webhooks, "").units(notice, 1) == ()


async def disabled(mill, there):
    """Make somebody with an open delivery who is then disabled."""
    user = User(id=f"user_{os.urandom(8).hex()}", email="off@example.org", created=1)
    await mill.store.transact(Put(user))
    principal = Principal(user.id)
    hook, _ = await mill.webhooks.add(principal, there.url())
    await mill.deliveries.test(principal, hook.id)
    await mill.store.transact(Put(user.evolve(disabled=True)))
    return principal, hook


async def newest(mill, hook_id):
    return (await mill.repositories.webhooks.deliveries(hook_id, None, 1)).rows[0]


async def test_what_is_changed_is_checked_and_nothing_else(mill, ann, there, monkeypatch):
    """An address that is no longer allowed can be switched off, or replaced."""
    path = f"/v1/webhooks/{(await added(ann, there.url()))['id']}"
    monkeypatch.setattr(mill.parts.fetcher.guard, "allowed", ())
    for body in ({"enabled": False}, {"types": ["job.*"]}, {"description": "old"}):
        answer = await ann.client.patch(path, json=body)
        assert answer.status_code == 200, answer.text
    assert (await ann.client.patch(path, json={"url": there.url()})).status_code == 422


async def test_an_overburdened_receiver_says_when(mill, ann, there):
    """Up to an hour: its own wait is the first of the schedule, 5 s."""
    hook = await added(ann, there.url())
    there.always = reply(503, **{"Retry-After": "1200"})
    await tried(ann, hook)
    async with working(mill):
        await there.wait(1)
        async with asyncio.timeout(60):
            while (shown := (await deliveries(ann, hook))["data"][0])["next_try_at"] is None:
                await asyncio.sleep(0.02)
    due = datetime.fromisoformat(shown["next_try_at"])
    assert 1100 < (due - datetime.now(UTC)).total_seconds() <= 1200


async def test_each_try_is_one_line_of_the_log(mill, ann, there, quick, capfd):
    configure_logging("json", "warning")
    hook = await added(ann, there.url())
    there.answers = [reply(500), reply(400)]
    await tried(ann, hook)
    async with working(mill):
        await ended(ann, hook, "delivered")
    told = capfd.readouterr()
    found = (told.out + told.err).splitlines()
    lines = [json.loads(line) for line in found if hook["id"] in line]
    assert [(line["action"], line["error"]) for line in lines] == [
        ("unit_failed", "The answer is 500."), ("unit_failed", "The answer is 400."),
    ]  # fmt: skip
    assert not any("exception" in line for line in lines)


async def test_deliveries_go_after_a_month_though_none_follows(mill, ann, there):
    hook = await added(ann, there.url())
    for _ in range(3):
        await tried(ann, hook)
    async with working(mill):
        await there.wait(3)
        async with asyncio.timeout(60):
            while any(row["state"] == "pending" for row in (await deliveries(ann, hook))["data"]):
                await asyncio.sleep(0.02)
    assert (await ann.client.patch(f"/v1/webhooks/{hook['id']}", json={"enabled": False})).json()
    later = await tried_while_off(mill, hook)
    now, units = await mill.store.now(), mill.repositories.units
    unit = await units.get(*trimming_of(hook["id"]))
    assert now + KEPT_MS - 60_000 < unit.due <= now + KEPT_MS
    trim = TrimWebhook(mill.repositories.webhooks)
    assert await trim.trim(hook["id"], now) is not None
    assert len((await deliveries(ann, hook))["data"]) == 4, "too early"
    assert await trim.trim(hook["id"], now + KEPT_MS + 60_000) == later.created
    [row] = (await deliveries(ann, hook))["data"]
    assert row["state"] == "pending", "what is still open was removed"


async def tried_while_off(mill, hook):
    """Open a delivery that no worker sees to."""
    row = await newest(mill, hook["id"])
    open_ = row.evolve(event=event_id(row.created, "open"), state=DeliveryState.PENDING)
    await mill.store.transact(Put(open_))
    return open_


async def test_pages_of_deliveries_go_back_in_time(mill, ann, there):
    hook = await added(ann, there.url())
    ids = [(await tried(ann, hook))["id"] for _ in range(7)]
    assert len(set(ids)) == 7
    seen, after = [], None
    while True:
        page = await deliveries(ann, hook, limit=3, **({"after": after} if after else {}))
        seen += [row["id"] for row in page["data"]]
        after = page["after"]
        if not page["has_more"]:
            break
    assert sorted(seen) == sorted(ids)
    assert seen == sorted(seen, reverse=True)
    answer = await ann.client.get(f"/v1/webhooks/{hook['id']}/deliveries?after=nonsense")
    assert answer.status_code == 422


async def test_nobody_else_finds_them(ann, bob, there):
    hook = await added(ann, there.url())
    for method, path, body in (
        ("GET", "", None), ("PATCH", "", {"enabled": False}), ("DELETE", "", None),
        ("POST", "/test", None), ("GET", "/deliveries", None),
    ):  # fmt: skip
        answer = await bob.client.request(method, f"/v1/webhooks/{hook['id']}{path}", json=body)
        assert answer.status_code == 404
    assert (await bob.client.get("/v1/webhooks")).json()["data"] == []
    assert (await ann.client.get(f"/v1/webhooks/{hook['id']}")).json()["enabled"]
