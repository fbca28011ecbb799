"""Which mails somebody gets, how they end them, and what they are told became of them."""

import asyncio
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.policy import default
from urllib.parse import urlsplit

import pytest

from mediamill.app import App
from mediamill.core.settings import Settings
from mediamill.services.links.signing import Grant
from mediamill.store.port import Put, Update
from mediamill.store.repositories.identities import Identity
from mediamill.store.repositories.users import User
from mediamill.web.app import create_app
from tests.engine.harness import PlainItems
from tests.web.conftest import client_of, person
from tests.web.test_strangers import PNG

THUMBNAIL = [{"operation": "thumbnail"}]


@pytest.fixture
async def mill(tmp_path):
    settings = Settings(
        home=tmp_path / "home", slots=1, min_free_bytes=0, public_url="https://mill.test"
    )
    async with await App.open(settings) as app:
        yield app


class Thumbnailed:
    async def run(self, lease):
        await lease.finish()


@asynccontextmanager
async def working(mill):
    """Run a worker that does items at once, with no slot: what is looked at follows on them."""
    worker, nouns = await mill.worker(), mill.repositories
    items = PlainItems(nouns.jobs, nouns.manifests)
    worker.engine.handlers = {
        **worker.engine.handlers, "items": items, "thumbnail": Thumbnailed(),
    }  # fmt: skip
    running = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await running


async def job_of(somebody, **more):
    """Run a job to its end; return its id."""
    file = await somebody.client.post("/v1/files?name=dot.png", content=PNG)
    body = {"files": [file.json()["id"]], "steps": THUMBNAIL, **more}
    job = await somebody.client.post("/v1/jobs", json=body)
    assert job.status_code == 202, job.text
    job_id = job.json()["id"]
    ended = await somebody.client.get(f"/v1/jobs/{job_id}?wait=30")
    assert ended.json()["state"] == "succeeded"
    return job_id


async def told(mill, job_id):
    """Wait until all that is to be told of a job is told; return what the owner may read of it."""
    async with asyncio.timeout(60):
        while True:
            units = mill.repositories.units
            groups = [await units.of_group(f"{job_id}:{kind}") for kind in ("notify", "mail")]
            if groups[0] and not any(unit.state.open for group in groups for unit in group):
                return groups[1]
            await asyncio.sleep(0.02)


def outbox(mill):
    files = sorted((mill.settings.home / "outbox").glob("*.eml"))
    return [message_from_bytes(file.read_bytes(), policy=default) for file in files]


async def test_a_mail_with_links_that_work(mill, web, ann, nobody):
    async with working(mill):
        job_id = await job_of(ann)
        await told(mill, job_id)
    (mail,) = outbox(mill)
    assert mail["To"] == ann.email
    assert mail["Subject"] == "dot.png: thumbnail is done"
    text = mail.get_body(("plain",)).get_content()
    assert f"https://mill.test/jobs/{job_id}" in text
    page = await nobody.get(f"/jobs/{job_id}", headers={"accept": "text/html"})
    assert page.headers["location"] == f"/signin?next=/jobs/{job_id}"
    answer = await ann.client.get(f"/v1/jobs/{job_id}/notifications")
    (delivery,) = answer.json()["data"]
    assert delivery["channel"] == "mail"
    assert (delivery["state"], delivery["attempts"], delivery["error"]) == ("sent", 1, "")
    link = urlsplit(mail["List-Unsubscribe"].strip("<>"))
    assert link.netloc == "mill.test"
    body = "List-Unsubscribe=One-Click"
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert (await nobody.post(link.path, content=body, headers=form)).status_code == 200
    chosen = (await ann.client.get("/v1/me/notifications")).json()
    assert chosen == {"email": {"finished": "never", "failed": "never"}}
    async with working(mill):
        assert await told(mill, await job_of(ann)) == ()
    assert len(outbox(mill)) == 1


async def test_looking_at_the_link_ends_nothing(mill, ann, nobody):
    link = urlsplit(await mill.notifications.unsubscribe_url(ann.id)).path
    for _ in range(2):
        page = await nobody.get(link, headers={"accept": "text/html"})
        assert page.status_code == 200
        assert '<form method="post">' in page.text
    chosen = (await ann.client.get("/v1/me/notifications")).json()
    assert chosen["email"]["finished"] == "always"


async def test_only_our_links_end_mails(mill, ann, bob, nobody):
    signer = mill.notifications.signer
    later = mill.clock.now() + 60_000
    good = urlsplit(await mill.notifications.unsubscribe_url(bob.id)).path.rpartition("/")[2]
    forged = [
        "x", "mmk_", good[:-2] + ("AA" if good[-2:] != "AA" else "BB"), good + "A",
        signer.sign(Grant("GET", "file:file_x", ann.id, later)),
        signer.sign(Grant("UNSUBSCRIBE", "mail", ann.id, 1)),
    ]  # fmt: skip
    for token in forged:
        assert (await nobody.post(f"/unsubscribe/{token}/undo")).status_code == 403
        for method in ("GET", "POST"):
            assert (await nobody.request(method, f"/unsubscribe/{token}")).status_code == 403
    assert (await nobody.get(f"/v1/links/{good}")).status_code == 403
    assert (await ann.client.get("/v1/me/notifications")).json()["email"]["finished"] == "always"


async def test_who_reads_the_mails_ends_them_whoever_has_the_account(mill, ann, nobody):
    """An address is as somebody gave it: they may be neither its reader, nor mean them well."""
    link = urlsplit(await mill.notifications.unsubscribe_url(ann.id)).path
    assert (await nobody.post(link)).status_code == 200
    back = {"email": {"finished": "always"}}
    refused = await ann.client.patch("/v1/me/notifications", json=back)
    assert refused.status_code == 403
    assert "turns them on again" in refused.json()["detail"]
    never = {"email": {"failed": "never"}}
    assert (await ann.client.patch("/v1/me/notifications", json=never)).status_code == 200
    page = await nobody.post(f"{link}/undo")
    assert (page.status_code, "Mails again" in page.text) == (200, True)
    assert (await ann.client.get("/v1/me/notifications")).json()["email"]["finished"] == "always"
    assert (await ann.client.patch("/v1/me/notifications", json=back)).status_code == 200


async def test_an_address_that_an_issuer_verified_is_its_owners(mill, ann, bob, nobody):
    for somebody, verified in ((ann, ann.email.upper()), (bob, ann.email)):
        link = urlsplit(await mill.notifications.unsubscribe_url(somebody.id)).path
        await nobody.post(link)
        known = Identity(
            id=f"identity_{somebody.id}", user=somebody.id, issuer="https://issuer.test",
            subject=somebody.id, email=verified, created=1,
        )  # fmt: skip
        await mill.store.transact(Put(known))
        back = {"email": {"finished": "always"}}
        changed = await somebody.client.patch("/v1/me/notifications", json=back)
        assert changed.status_code == (200 if somebody is ann else 403)


async def test_an_address_that_its_owner_verified_is_theirs(mill, ann, nobody):
    link = urlsplit(await mill.notifications.unsubscribe_url(ann.id)).path
    await nobody.post(link)
    back = {"email": {"finished": "always"}}
    assert (await ann.client.patch("/v1/me/notifications", json=back)).status_code == 403
    await mill.store.transact(Update(User, (ann.id,), set={"verified": 1}))
    assert (await ann.client.patch("/v1/me/notifications", json=back)).status_code == 200


async def test_a_name_of_any_script_is_written_as_mails_take_it(tmp_path):
    """Headers are ASCII: a link that is not stopped every mail."""
    given = {"home": tmp_path / "home", "slots": 1, "min_free_bytes": 0}
    for url, address in (
        ("https://mühle.example:8443/a b/ü", "https://xn--mhle-0ra.example:8443/a%20b/%C3%BC"),
        ("https://mill.example/", "https://mill.example"),
    ):
        assert Settings(**given, public_url=url).address == address
    with pytest.raises(ValueError, match="no name"):
        Settings(**given, public_url="https://mü..hle")


async def test_who_is_gone_is_no_error(mill, nobody):
    link = urlsplit(await mill.notifications.unsubscribe_url("user_gone")).path
    assert (await nobody.post(link)).status_code == 200


async def test_choices(ann):
    path = "/v1/me/notifications"
    assert (await ann.client.get(path)).json() == {"email": {"finished": "always",
                                                              "failed": "always"}}  # fmt: skip
    changed = await ann.client.patch(path, json={"email": {"finished": "long"}})
    assert changed.json() == {"email": {"finished": "long", "failed": "always"}}
    changed = await ann.client.patch(path, json={"email": {"failed": "never"}})
    assert changed.json() == {"email": {"finished": "long", "failed": "never"}}
    for wrong in (
        {"email": {"finished": "sometimes"}},
        {"email": {"passed": "never"}},
        {},
        {"x": 1},
    ):
        assert (await ann.client.patch(path, json=wrong)).status_code == 422
    assert (await ann.client.get(path)).json() == changed.json()


async def test_a_job_may_say_otherwise(mill, ann, bob):
    async with working(mill):
        quiet = await job_of(ann, notify={"email": False})
        assert await told(mill, quiet) == ()
        await ann.client.patch("/v1/me/notifications", json={"email": {"finished": "long"}})
        assert await told(mill, await job_of(ann)) == ()  # it took no minute
        never = {"email": {"finished": "never", "failed": "never"}}
        await bob.client.patch("/v1/me/notifications", json=never)
        assert await told(mill, await job_of(bob)) == ()
        loud = await job_of(bob, notify={"email": True})
        (unit,) = await told(mill, loud)
        assert unit.error == ""
    assert [mail["To"] for mail in outbox(mill)] == [bob.email]
    assert (await bob.client.get(f"/v1/jobs/{loud}")).json()["notify"] == {"email": True}


@pytest.mark.soak
@pytest.mark.parametrize(("url", "mails"), [("", 1), ("smtp://127.0.0.1:1?from=a@b.org", 0)])
async def test_nobody_at_this_machine_gets_mail_by_smtp(tmp_path, url, mails):
    settings = Settings(home=tmp_path / "home", slots=1, min_free_bytes=0, mail_url=url)
    async with await App.open(settings) as mill, client_of(create_app(mill)) as client:
        secret = await mill.accounts.sign_in_secret()
        session = (await client.post("/v1/auth/redeem", json={"token": secret})).json()
        client.headers["authorization"] = f"Bearer {session['token']}"
        local = type("Local", (), {"client": client})
        async with working(mill):
            found = await told(mill, await job_of(local))
        assert len(found) == mills_of(found) == mails
        assert len(outbox(mill)) == mails
        assert (await client.get("/health/ready")).status_code == 200  # nobody there is asked


def mills_of(units):
    return sum(unit.error == "" for unit in units)


async def test_a_mail_that_was_refused_is_seen_on_the_job_and_goes_with_it(mill, ann, nobody):
    async with working(mill):
        job_id = await job_of(ann)
        (unit,) = await told(mill, job_id)
    said = {"error": "The mail server says 550 <nobody> here."}
    await mill.store.transact(Update(type(unit), unit.key_values(), set=said))
    page = await ann.client.get(f"/jobs/{job_id}", headers={"accept": "text/html"})
    assert "was not sent: The mail server says 550 &lt;nobody&gt; here." in page.text
    (delivery,) = (await ann.client.get(f"/v1/jobs/{job_id}/notifications")).json()["data"]
    assert (delivery["state"], delivery["error"]) == ("failed", said["error"])
    counted = (await nobody.get("/metrics")).text
    assert 'mediamill_mails_total{outcome="sent"} 1.0' in counted
    assert 'mediamill_mails_total{outcome="refused"} 0.0' in counted
    async with working(mill):
        await ann.client.delete(f"/v1/jobs/{job_id}?now=true")
        async with asyncio.timeout(60):
            while await mill.repositories.jobs.get(job_id) is not None:
                await asyncio.sleep(0.05)
    assert await mill.repositories.units.of_group(f"{job_id}:mail") == ()


async def test_the_account_page_shows_the_choices(web, ann):
    await ann.client.patch("/v1/me/notifications", json={"email": {"failed": "long"}})
    page = (await ann.client.get("/account")).text
    assert page.count("selected") == 2
    assert '<option value="long" selected>' in page
    assert ann.email in page
    async with person(web, "<b>x</b>".replace("<", "").replace(">", "").replace("/", "")) as other:
        assert ann.email not in (await other.client.get("/account")).text
