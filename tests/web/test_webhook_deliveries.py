"""Webhooks: secrets replaced, deliveries looked at and sent again, events to try them."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from mediamill.core.access import Principal
from mediamill.core.clock import HOUR, rfc3339
from mediamill.core.errors import ConditionFailed, Conflict, Unsealable
from mediamill.core.events import TYPES, schema
from mediamill.core.sealing import about
from mediamill.handlers.removing.retire_secret import RetireSecret, retiring
from mediamill.handlers.telling.deliver import Deliver
from mediamill.handlers.telling.disabled import disabled
from mediamill.handlers.telling.failing import Failing
from mediamill.handlers.telling.replay import Replay, replaying
from mediamill.handlers.telling.signing import secrets_of, signature
from mediamill.store.port import Delete, Update
from mediamill.store.repositories.sealing import Sealings
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.webhooks import Delivery, DeliveryState, Webhook
from mediamill.store.schema import all_kinds
from tests.faults.tables import table
from tests.support.places import everywhere
from tests.support.receivers import reply
from tests.support.serving import working
from tests.web.one_service import ann, bob, mill, there, web  # noqa: F401 - fixtures
from tests.web.test_audit import acts
from tests.web.test_webhooks import added, deliveries, ended, left, tried

SETTINGS = {"fetch_allow": "127.0.0.1:*"}
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def quick(monkeypatch):
    """Try again at once, and twice only."""
    monkeypatch.setattr(Deliver, "policy", type(Deliver.policy)(delays_ms=(1,)))


async def post(person, hook, path, code=202, body=None):
    answer = await person.client.post(f"/v1/webhooks/{hook['id']}{path}", json=body)
    assert answer.status_code == code, answer.text
    return answer.json()


async def rotated(person, hook, **body):
    return await post(person, hook, "/rotate", 201, body or None)


async def until(ready):
    async with asyncio.timeout(60):
        while not (found := await ready()):
            await asyncio.sleep(0.02)
    return found


def verify(secret, got):
    return Verifier(secret).verify(got.body, got.headers)


# -- secrets -------------------------------------------------------------------------------------


async def test_after_a_rotation_either_secret_verifies_and_each_is_shown_once(mill, ann, there):
    hook = await added(ann, there.url())
    fresh = await rotated(ann, hook)
    assert fresh["secret"] != hook["secret"]
    left = datetime.fromisoformat(fresh["old_secret_until"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    await tried(ann, hook)
    async with working(mill):
        [got] = await there.wait(1)
    signed = got.headers["webhook-signature"].split(" ")
    assert [one[:3] for one in signed] == ["v1,", "v1,"]
    for secret in (hook["secret"], fresh["secret"]):
        assert verify(secret, got)["id"] == got.headers["webhook-id"]
    tampered = {**got.headers, "webhook-id": f"evt_{'0' * 26}"}
    for secret in (hook["secret"], fresh["secret"]):
        with pytest.raises(WebhookVerificationError):
            Verifier(secret).verify(got.body, tampered)
    kept = await mill.repositories.webhooks.get(ann.id, hook["id"])
    shown = (await ann.client.get(f"/v1/webhooks/{hook['id']}")).text
    for secret in (hook["secret"], fresh["secret"]):
        assert secret.removeprefix("whsec_") not in str(kept) + shown
    (act,) = await acts(mill, about=hook["id"], action="webhook_rotated")
    assert (act.actor, act.details["hours"]) == (ann.id, 24)


@everywhere
async def test_a_replaced_secret_ends_and_goes(mill, ann, there):
    hook = await added(ann, there.url())
    fresh = await rotated(ann, hook, overlap_hours=1)
    webhooks, sealer = mill.repositories.webhooks, mill.parts.sealer
    webhook, now = await webhooks.need(ann.id, hook["id"]), await mill.store.now()
    assert await secrets_of(webhook, sealer, now) == (fresh["secret"], hook["secret"])
    after = webhook.former_until
    assert await secrets_of(webhook, sealer, after) == (fresh["secret"],)
    key = (f"retire:{hook['id']}", webhook.changed)
    unit = await mill.store.get(Unit, *key)
    assert unit.due == after == webhook.changed + HOUR
    retire = RetireSecret(webhooks)
    await retire.run(Lent(mill, retiring(webhook, now, after)))
    assert (await webhooks.need(ann.id, hook["id"])).former, "too early"
    past = {"former_until": now - 1}
    await mill.store.transact(Update(Webhook, webhook.key_values(), set=past))
    await retire.run(Lent(mill, retiring(webhook, now, after)))
    gone = await webhooks.need(ann.id, hook["id"])
    assert (gone.former, gone.former_until, gone.secret) == ("", None, webhook.secret)


class Lent:
    """A lease that writes what its handler gives it, and nothing of its unit."""

    def __init__(self, mill, unit):
        self.mill, self.unit, self.woken = mill, unit, set()

    async def vanish(self, *others, wake=None):
        if others:
            await self.mill.store.transact(*others)


async def test_a_rotation_whose_answer_was_lost_can_be_made_again(mill, ann, there):
    """Whoever has only the first secret still verifies; a leaked one can be ended at once."""
    hook = await added(ann, there.url())
    secrets = [hook["secret"], *[(await rotated(ann, hook))["secret"] for _ in range(3)]]
    webhook = await mill.repositories.webhooks.need(ann.id, hook["id"])
    now = await mill.store.now()
    assert [*await secrets_of(webhook, mill.parts.sealer, now)] == secrets[::-1]
    await post(ann, hook, "/rotate", 409)
    last = await rotated(ann, hook, overlap_hours=0)
    assert last["old_secret_until"] is None
    webhook = await mill.repositories.webhooks.need(ann.id, hook["id"])
    assert await secrets_of(webhook, mill.parts.sealer, now) == (last["secret"],)


async def test_each_replaced_secret_ends_at_its_own_time(mill, ann, there):
    hook = await added(ann, there.url())
    second = await rotated(ann, hook, overlap_hours=1)
    third = await rotated(ann, hook, overlap_hours=24)
    webhook = await mill.repositories.webhooks.need(ann.id, hook["id"])
    later = webhook.changed + 2 * HOUR
    good = await secrets_of(webhook, mill.parts.sealer, later)
    assert good == (third["secret"], second["secret"])
    assert await secrets_of(webhook, mill.parts.sealer, later + 24 * HOUR) == good[:1]


async def test_rotations_at_once_leave_no_secret_that_nobody_was_shown(mill, ann, there):
    hook = await added(ann, there.url())
    path = f"/v1/webhooks/{hook['id']}/rotate"
    answers = await asyncio.gather(*(ann.client.post(path) for _ in range(3)))
    shown = {one.json()["secret"] for one in answers if one.status_code == 201}
    webhook = await mill.repositories.webhooks.need(ann.id, hook["id"])
    good = await secrets_of(webhook, mill.parts.sealer, await mill.store.now())
    assert shown
    assert {*good} == shown | {hook["secret"]}
    assert {one.status_code for one in answers} <= {201, 409}


async def test_both_are_sealed_anew(mill, ann, there):
    hook = await added(ann, there.url())
    fresh = await rotated(ann, hook)
    before = await mill.repositories.webhooks.need(ann.id, hook["id"])
    assert await Sealings(mill.store, all_kinds()).reseal(before, mill.parts.sealer)
    webhook = await mill.repositories.webhooks.need(ann.id, hook["id"])
    assert webhook.secret != before.secret
    assert webhook.former != before.former
    now = await mill.store.now()
    found = await secrets_of(webhook, mill.parts.sealer, now)
    assert found == (fresh["secret"], hook["secret"])
    place = about(Webhook, "secret", *webhook.key_values())
    with pytest.raises(Unsealable):
        await mill.parts.sealer.open(webhook.former, place)  # bound to where it lies


async def test_the_reference_takes_what_is_signed_and_refuses_the_rest(mill, ann, there):
    """S17 for rotated secrets: an ended one, a foreign one, a list with a wrong one only."""
    hook = await added(ann, there.url())
    other = await added(ann, there.url(), enabled=False)
    fresh = await rotated(ann, hook, overlap_hours=0)
    made = Delivery(
        webhook=hook["id"], event="evt_1", owner=ann.id, type="webhook.test", body="{}", created=1
    )
    good = signature((fresh["secret"],), made)
    assert Verifier(fresh["secret"]).verify("{}", good) == {}
    for secret in (hook["secret"], other["secret"]):
        with pytest.raises(WebhookVerificationError):
            Verifier(secret).verify("{}", good)


# -- what became of deliveries -------------------------------------------------------------------


async def test_each_try_is_listed_and_the_body_shown(mill, ann, there, quick):
    hook = await added(ann, there.url())
    there.answers = [reply(500, b"oh no")]
    await tried(ann, hook)
    async with working(mill):
        over = await ended(ann, hook, "delivered")
    first, last = over["tries"]
    assert (first["status"], first["said"]) == (500, "oh no")
    assert (last["status"], last["said"]) == (204, None)
    assert first["at"] <= last["at"] == over["tried_at"]
    assert last["milliseconds"] >= 0
    answer = await ann.client.get(f"/v1/webhooks/{hook['id']}/deliveries/{over['id']}")
    assert answer.json()["body"].encode() == there.got[0].body
    gone = await ann.client.get(f"/v1/webhooks/{hook['id']}/deliveries/evt_{'0' * 26}")
    assert gone.status_code == 404


@everywhere
async def test_deliveries_are_listed_by_state_and_type(mill, ann, there):
    hook = await added(ann, there.url())
    for type_ in ("job.succeeded", "file.created", "job.succeeded", "webhook.test"):
        await post(ann, hook, "/test", body={"type": type_})
    rows = (await deliveries(ann, hook))["data"]
    key = (hook["id"], rows[1]["id"])
    await mill.store.transact(Update(Delivery, key, set={"state": DeliveryState.FAILED}))
    failed = (await deliveries(ann, hook, state="failed"))["data"]
    assert [row["id"] for row in failed] == [rows[1]["id"]]
    jobs = (await deliveries(ann, hook, type="job.succeeded", limit=2))["data"]
    assert [row["type"] for row in jobs] == ["job.succeeded"] * 2
    seen, after = [], None
    while True:
        more = {"after": after} if after else {}
        page = await deliveries(ann, hook, state="pending", limit=1, **more)
        seen += [row["id"] for row in page["data"]]
        if (after := page["after"]) is None:
            break
    assert seen == [rows[0]["id"], rows[2]["id"], rows[3]["id"]]
    wrong = await ann.client.get(f"/v1/webhooks/{hook['id']}/deliveries?state=lost")
    assert wrong.status_code == 422


async def test_events_of_every_type_can_be_tried(mill, ann, there):
    hook = await added(ann, there.url(), "job.failed")
    for type_ in TYPES:
        made = await post(ann, hook, "/test", body={"type": type_})
        assert made["type"] == type_
    async with working(mill):
        for got in await there.wait(len(TYPES)):
            event = verify(hook["secret"], got)
            jsonschema.validate(event, schema(), format_checker=jsonschema.FormatChecker())
            for link in event["data"].get("links", {}).values():
                assert link.startswith(mill.settings.address)
    assert {got.event["type"] for got in there.got} == {*TYPES}
    await post(ann, hook, "/test", 422, {"type": "job.unknown"})


# -- again ---------------------------------------------------------------------------------------


async def test_one_is_sent_again_with_the_same_id_and_a_new_time(mill, ann, there, quick):
    hook = await added(ann, there.url())
    there.always = reply(500)
    event = (await tried(ann, hook))["id"]
    async with working(mill):
        await ended(ann, hook, "failed")
        there.always = None
        made = await post(ann, hook, f"/deliveries/{event}/replay")
        assert (made["state"], made["id"]) in {("pending", event), ("delivered", event)}
        over = await ended(ann, hook, "delivered")
        assert (over["attempts"], len(over["tries"])) == (3, 3)
        await post(ann, hook, f"/deliveries/{event}/replay")  # also what was taken
        await there.wait(4)
        await ended(ann, hook, "delivered")
    assert {got.headers["webhook-id"] for got in there.got} == {event}
    assert len({got.body for got in there.got}) == 1
    for got in there.got:
        verify(hook["secret"], got)
    await post(ann, hook, f"/deliveries/evt_{'0' * 26}/replay", 404)
    told = await acts(mill, about=hook["id"], action="delivery_replayed")
    assert [act.details["event_id"] for act in told] == [event] * 2


@everywhere
async def test_what_waits_is_tried_now_and_what_is_tried_is_not_twice(mill, ann, there):
    hook = await added(ann, there.url())
    event = (await tried(ann, hook))["id"]
    key, later = (f"deliver:{hook['id']}:{event}", 0), await mill.store.now() + HOUR
    await mill.store.transact(Update(Unit, key, set={"due": later}))
    made = await post(ann, hook, f"/deliveries/{event}/replay")
    assert datetime.fromisoformat(made["next_try_at"]).timestamp() * 1000 < later
    await mill.store.transact(Update(Unit, key, set={"state": "leased"}))
    await post(ann, hook, f"/deliveries/{event}/replay", 409)
    await mill.store.transact(Update(Unit, key, set={"state": "ready"}))
    answers = [mill.deliveries.replay(Principal(ann.id), hook["id"], event) for _ in range(3)]
    for one in await asyncio.gather(*answers, return_exceptions=True):
        assert not isinstance(one, Exception) or isinstance(one, Conflict), one


@everywhere
async def test_all_that_failed_since_then_is_sent_again(mill, ann, there):
    hook = await added(ann, there.url())
    events = [(await tried(ann, hook))["id"] for _ in range(5)]
    rows = {row["id"]: row for row in (await deliveries(ann, hook))["data"]}
    newest_first = sorted(events, reverse=True)
    old, *failed, open_ = newest_first[::-1]
    for event in (old, *failed):
        await _ended_as(mill, hook, event, DeliveryState.FAILED)
    then = [datetime.fromisoformat(rows[event]["created_at"]) for event in (old, *failed)]
    since = then[0] + timedelta(milliseconds=1)
    fresh = [event for event, at in zip(failed, then[1:], strict=True) if at >= since]
    now = await mill.store.now()
    webhook = await mill.repositories.webhooks.need(ann.id, hook["id"])
    asking = replaying(webhook, round(since.timestamp() * 1000), now + 1)
    await Replay(mill.repositories.webhooks, mill.repositories.units).run(Lent(mill, asking))
    states = {row["id"]: row["state"] for row in (await deliveries(ann, hook))["data"]}
    assert states[old] == "failed"
    assert states[open_] == "pending"
    assert [event for event in failed if states[event] == "pending"] == fresh
    for event in fresh:
        assert await mill.store.get(Unit, f"deliver:{hook['id']}:{event}", 0)


async def _ended_as(mill, hook, event, state):
    """End a delivery without a worker."""
    gone = Delete(Unit, (f"deliver:{hook['id']}:{event}", 0))
    await mill.store.transact(gone, Update(Delivery, (hook["id"], event), set={"state": state}))


async def test_a_replay_is_bounded_asked_for_once_and_ended_by_disabling(mill, ann, there):
    hook = await added(ann, there.url())
    event = (await tried(ann, hook))["id"]
    await _ended_as(mill, hook, event, DeliveryState.FAILED)
    now = await mill.store.now()
    body = {"since": rfc3339(now - HOUR)}
    await post(ann, hook, "/replay", body=body)
    assert await mill.deliveries.is_replaying(hook["id"])
    await post(ann, hook, "/replay", 409, body)
    for wrong in ({"since": "2020-01-01T00:00:00Z"}, {"since": "yesterday"}, {}):
        await post(ann, hook, "/replay", 422, wrong)
    off = {"enabled": False}
    await ann.client.patch(f"/v1/webhooks/{hook['id']}", json=off)
    async with working(mill):

        async def over():
            return not await mill.deliveries.is_replaying(hook["id"])

        await until(over)
    [row] = (await deliveries(ann, hook))["data"]
    assert row["state"] == "failed"
    await post(ann, hook, "/replay", 409, body)
    await post(ann, hook, f"/deliveries/{event}/replay", 409)
    assert there.got == []


async def test_who_is_gone_is_told_by_mail_once_and_can_come_back(mill, ann, there):
    hook = await added(ann, there.url(), description="the one that is gone")
    await tried(ann, hook)
    await tried(ann, hook)
    there.always = reply(410)
    outbox = mill.settings.home / "outbox"

    def about_it():
        texts = [path.read_bytes() for path in outbox.rglob("*.eml")]
        return [text for text in texts if hook["id"].encode() in text]

    async with working(mill):
        await ended(ann, hook, "failed")

        async def told():
            return about_it()

        [mail] = await until(told)

        async def quiet():
            notices = await mill.repositories.units.active_lanes("notices", 10)
            return all(lane.owner != ann.id for lane in notices[0])

        await until(quiet)
    assert len(about_it()) == 1
    assert b"410" in mail
    assert f"/webhooks/{hook['id']}".encode() in mail
    there.always = None
    await ann.client.patch(f"/v1/webhooks/{hook['id']}", json={"enabled": True})
    event = (await deliveries(ann, hook))["data"][0]["id"]
    await post(ann, hook, f"/deliveries/{event}/replay")
    async with working(mill):
        await ended(ann, hook, "delivered")


async def test_two_deliveries_that_find_nobody_disable_once(mill, ann, there):
    hook = await added(ann, there.url())
    webhook = await mill.repositories.webhooks.need(ann.id, hook["id"])
    now = await mill.store.now()
    off, _ = disabled(webhook, "gone", now)
    await mill.store.transact(off)
    with pytest.raises(ConditionFailed):
        await mill.store.transact(*disabled(webhook, "gone", now)[:1])


async def failing_for(mill, hook, days):
    """Let a webhook that fails have done so for so many days; return it."""
    webhook = await here(mill, hook)
    assert webhook.failing is not None
    since = {"failing": await mill.store.now() - days * 24 * HOUR}
    await mill.store.transact(Update(Webhook, webhook.key_values(), set=since))
    return await here(mill, hook)


async def here(mill, hook):
    [row] = [row for row in table(mill, Webhook) if row.id == hook["id"]]
    return row


@everywhere
async def test_since_when_nothing_was_taken_is_noted_and_told_once(mill, ann, there):
    hook = await added(ann, there.url())
    failing = Failing(mill.repositories.webhooks, mill.repositories.units)

    async def refused():
        webhook, now = await here(mill, hook), await mill.store.now()
        await asyncio.gather(*(failing.refused(webhook, now) for _ in range(3)))
        return await here(mill, hook)

    def notices():
        return [one for one in table(mill, Unit) if one.group.startswith(f"failing:{hook['id']}")]

    before = await here(mill, hook)
    first = await refused()
    await failing.refused(before, first.failing + 1)  # a try that began earlier
    assert (await refused()).failing == first.failing, "another try does not begin it anew"
    shown = (await ann.client.get(f"/v1/webhooks/{hook['id']}")).json()
    assert datetime.fromisoformat(shown["failing_since"]).timestamp() * 1000 == first.failing
    for page in ("/webhooks", f"/webhooks/{hook['id']}"):
        assert "Nothing was taken since" in (await ann.client.get(page)).text
    assert (first.warned, notices()) == (None, [])
    await failing_for(mill, hook, 1)
    assert (await refused()).warned
    await refused()
    [notice] = notices()
    assert (notice.kind, notice.payload["webhook"]) == ("notify", hook["id"])
    row = await failing_for(mill, hook, 4)
    assert failing.over(row, await mill.store.now()) is None
    row = await failing_for(mill, hook, 5)
    assert failing.over(row, await mill.store.now()) is not None
    await failing.taken(row)
    row = await here(mill, hook)
    assert (row.failing, row.warned) == (None, None)
    await refused()
    await ann.client.patch(f"/v1/webhooks/{hook['id']}", json={"url": there.url("/else")})
    assert (await here(mill, hook)).failing is None, "another address begins anew"
    (act,) = await acts(mill, about=hook["id"], action="webhook_changed")
    assert (act.actor, act.details["fields"]) == (ann.id, ["url"])


async def test_a_webhook_that_takes_nothing_for_days_is_disabled(mill, ann, there, quick):
    """Its owner gets a mail after a day, and one as a delivery is given up after five."""
    hook = await added(ann, there.url())
    outbox = mill.settings.home / "outbox"

    async def mails():
        texts = [path.read_bytes() for path in outbox.rglob("*.eml")]
        return [text for text in texts if hook["id"].encode() in text]

    async def mailed():
        return await mails()

    async def mailed_again():
        return len(await mails()) == 2

    async def given_up():
        event = await tried(ann, hook)
        path = f"/v1/webhooks/{hook['id']}/deliveries/{event['id']}"

        async def over():
            return (await ann.client.get(path)).json()["state"] == "failed"

        await until(over)

    there.always = reply(503)
    async with working(mill):
        await given_up()
        await failing_for(mill, hook, 2)
        await given_up()
        [mail] = await until(mailed)
        assert b"takes no events" in mail
        assert (await here(mill, hook)).enabled
        await failing_for(mill, hook, 5)
        await given_up()
        await until(mailed_again)
    shown = (await ann.client.get(f"/v1/webhooks/{hook['id']}")).json()
    assert (shown["enabled"], shown["reason"]) == (False, "It took nothing for 5 days.")
    await ann.client.patch(f"/v1/webhooks/{hook['id']}", json={"enabled": True})
    there.always, there.answers = None, [reply(503)]
    await tried(ann, hook)
    async with working(mill):
        over = await ended(ann, hook, "delivered")
    assert over["attempts"] == 2
    assert (await here(mill, hook)).failing is None


async def test_with_a_webhook_goes_all_that_waits_to_see_to_it(mill, ann, there):
    hook = await added(ann, there.url())
    for hours in (3, 0, 2):
        await rotated(ann, hook, overlap_hours=hours)
    event = (await tried(ann, hook))["id"]
    await _ended_as(mill, hook, event, DeliveryState.FAILED)
    await post(ann, hook, "/replay", body={"since": rfc3339(await mill.store.now() - HOUR)})
    waiting = [f"retire:{hook['id']}", f"replay:{hook['id']}"]
    units = mill.repositories.units
    assert [len(await units.of_group(group)) for group in waiting] == [2, 1]
    assert (await ann.client.delete(f"/v1/webhooks/{hook['id']}")).status_code == 204
    async with working(mill):

        async def gone():
            return not left(mill, hook)

        await until(gone)


async def test_nobody_else_rotates_looks_or_replays(ann, bob, there):
    hook = await added(ann, there.url())
    event = (await tried(ann, hook))["id"]
    for path, body in (
        ("/rotate", {}), ("/replay", {"since": rfc3339(1)}), ("/test", {"type": "job.failed"}),
        (f"/deliveries/{event}/replay", None),
    ):  # fmt: skip
        await post(bob, hook, path, 404, body)
    answer = await bob.client.get(f"/v1/webhooks/{hook['id']}/deliveries/{event}")
    assert answer.status_code == 404
    assert json.loads(answer.text)["code"] == "not_found"
