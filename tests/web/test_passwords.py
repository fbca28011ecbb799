"""Passwords and addresses over HTTP: sessions that end, known browsers, mails that come."""

import asyncio
import math
import re
import time

import pytest

from mediamill.app import App
from mediamill.core.clock import FixedClock
from mediamill.core.settings import Settings
from mediamill.web.app import create_app
from tests.support.letterbox import Letterbox
from tests.support.smtp import MailServer
from tests.web.conftest import PASSWORD, client_of, person
from tests.web.test_strangers import PNG

OTHER = "another long secret"
PAGE = {"sec-fetch-site": "same-origin"}
"""What a browser says of what our own pages ask."""


async def login(client, email, password=PASSWORD):
    return await client.post("/v1/auth/login", json={"email": email, "password": password})


async def test_s5_a_changed_password_ends_all_other_sessions_at_once(mill, web, ann):
    async with client_of(web, **PAGE) as elsewhere:
        token = (await login(elsewhere, ann.email)).json()["token"]
        async with client_of(web, authorization=f"Bearer {token}") as other:
            assert (await other.get("/v1/me")).status_code == 200
            body = {"current": PASSWORD, "new": OTHER}
            changed = await ann.client.post("/v1/auth/password", json=body)
            assert changed.status_code == 204, changed.text
            assert (await other.get("/v1/me")).status_code == 401
        assert (await elsewhere.get("/v1/me")).status_code == 401, "its cookie is over too"
        assert (await ann.client.get("/v1/me")).status_code == 200
        assert (await login(elsewhere, ann.email)).status_code == 401
        assert (await login(elsewhere, ann.email, OTHER)).status_code == 200
    (told,) = await Letterbox(mill).mails()
    assert told.to == ann.email


async def test_a_forgotten_password(mill, web, ann):
    async with client_of(web) as browser:
        answers = [
            await browser.post("/v1/auth/password/forgot", json={"email": email})
            for email in (ann.email, "nobody@example.org")
        ]
        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].text == answers[1].text
        body = {"token": await Letterbox(mill).secret(), "password": "short"}
        refused = await browser.post("/v1/auth/password/reset", json=body)
        assert refused.json()["errors"][0]["pointer"] == "password"
        body["password"] = OTHER
        assert (await browser.post("/v1/auth/password/reset", json=body)).status_code == 204
        assert (await ann.client.get("/v1/me")).status_code == 401
        again = await browser.post("/v1/auth/password/reset", json=body)
        assert (again.status_code, "another" in again.json()["detail"]) == (401, True)
        assert (await login(browser, ann.email, OTHER)).json()["user"]["verified"] is True


async def test_guessing_is_throttled_but_not_for_a_browser_that_is_known(
    mill, web, ann, monkeypatch
):
    monkeypatch.setattr(mill.clock, "now", FixedClock(mill.clock.now()).now)
    async with client_of(web, **PAGE) as browser, client_of(web, **PAGE) as stranger:
        await login(browser, ann.email)
        await browser.post("/v1/auth/logout")
        for email, failures in ((ann.email, 101), ("nobody@example.org", 11)):
            answers = [await login(stranger, email, f"guess {n}") for n in range(failures)]
            statuses = [answer.status_code for answer in answers]
            assert statuses == [401] * 10 + [429] * (failures - 10)
            last = answers[-1]
            assert (last.json()["code"], last.headers["retry-after"]) == ("throttled", "1")
        assert (await login(stranger, ann.email)).status_code == 429
        assert (await login(browser, ann.email)).status_code == 200


async def test_what_a_browser_is_known_by(web, ann):
    async with client_of(web) as browser:
        answer = await login(browser, ann.email)
        (cookie,) = [
            line for line in answer.headers.get_list("set-cookie") if "mediamill_device_" in line
        ]
        for word in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=31536000"):
            assert word in cookie
        assert "Domain" not in cookie
        assert ann.id not in cookie.partition("=")[0]
        value = cookie.partition("=")[2].partition(";")[0]
    for headers in ({"authorization": f"Bearer {value}"}, {"cookie": f"mediamill_session={value}"}):
        async with client_of(web, **headers) as client:
            assert (await client.get("/v1/me")).status_code == 401


async def test_over_https_no_other_host_can_have_set_it(tmp_path):
    settings = Settings(
        home=tmp_path / "home", slots=1, min_free_bytes=0, public_url="https://mill.test"
    )
    async with await App.open(settings) as mill, client_of(create_app(mill)) as browser:
        body = {"email": "ann@example.org", "password": PASSWORD}
        await browser.post("/v1/auth/register", json=body)
        cookies = (await login(browser, body["email"])).headers.get_list("set-cookie")
        assert len(cookies) == 2
        assert all(one.startswith("__Host-mediamill_") and "Secure" in one for one in cookies)


async def test_s7_time_does_not_tell_whether_an_address_is_known(mill, web, ann, nobody):
    """The least processor time of many rounds: noise adds to it, and a difference stays in it."""

    async def seconds(email):
        start = time.process_time()
        await mill.people.recovery.forgot(email)
        return time.process_time() - start

    least = {ann.email: math.inf, "nobody@example.org": math.inf}
    for turn in range(200):  # some, and more while anything tells them apart
        for email, so_far in least.items():
            least[email] = min(so_far, await seconds(email))
        gap = abs(least[ann.email] - least["nobody@example.org"])
        if turn >= 10 and gap < 0.01:
            break
    assert gap < 0.01, f"{gap * 1000:.1f} ms tell whether an address is registered"


async def test_a_new_address_over_http(mill, web, ann, nobody):
    body = {"email": "new@example.org", "password": PASSWORD}
    asked = await ann.client.patch("/v1/me", json=body)
    assert (asked.status_code, asked.json()["email"]) == (200, ann.email)
    token = await Letterbox(mill).secret()
    assert (await nobody.post("/v1/auth/verify", json={"token": token})).status_code == 204
    me = (await ann.client.get("/v1/me")).json()
    assert (me["email"], me["verified"]) == ("new@example.org", True)


async def test_a_name_is_changed_without_the_password(mill, ann):
    renamed = await ann.client.patch("/v1/me", json={"name": " Ann "})
    assert (renamed.status_code, renamed.json()["name"]) == (200, "Ann")
    wrong = await ann.client.patch("/v1/me", json={"name": "two\nlines"})
    assert wrong.json()["errors"][0]["pointer"] == "name"
    moved = await ann.client.patch("/v1/me", json={"email": "b@example.org"})
    assert moved.json()["errors"][0]["pointer"] == "password"
    both = {"name": "two\nlines", "email": "b@example.org", "password": PASSWORD}
    refused = await ann.client.patch("/v1/me", json=both)
    assert refused.json()["errors"][0]["pointer"] == "name"
    assert await Letterbox(mill).mails() == [], "nothing of it was done"


async def test_the_commonest_passwords_are_there_to_compare_with(mill, nobody):
    listed = (await nobody.get("/commonest.txt")).text.split("\n")
    assert "123456789qwerty" in listed
    assert min(map(len, listed)) >= mill.settings.password_length


async def test_the_pages_do_nothing_by_themselves(mill, nobody, ann):
    await mill.people.addresses.resend(await mill.accounts.authenticate(ann.token))
    token = await Letterbox(mill).secret()
    for path in ("/forgot", "/reset", f"/verify?token={token}"):
        page = await nobody.get(path, headers={"accept": "text/html"})
        assert page.status_code == 200
        assert 'src="/static/recovery.js"' in page.text
    assert (await ann.client.get("/v1/me")).json()["verified"] is False


async def test_an_installation_can_demand_verified_addresses(tmp_path):
    settings = Settings(home=tmp_path / "home", slots=1, min_free_bytes=0, verify="demand")
    async with await App.open(settings) as mill:
        web = create_app(mill)
        async with person(web, "ann") as ann:
            token = (await ann.client.get("/v1/me")).json()["verified"]
            assert token is False
            refused = await ann.client.post("/v1/files?name=dot.png", content=PNG)
            assert (refused.status_code, refused.json()["code"]) == (403, "unverified")
            assert (await ann.client.post("/v1/jobs", json={})).status_code == 403
            assert (await ann.client.get("/v1/files")).status_code == 200
            link = await Letterbox(mill).secret()
            async with client_of(web) as browser:
                await browser.post("/v1/auth/verify", json={"token": link})
            done = await ann.client.post("/v1/projects", json={"name": "hers"})
            assert done.status_code == 201
        secret = await mill.accounts.sign_in_secret()
        async with client_of(web) as browser:
            session = await browser.post("/v1/auth/redeem", json={"token": secret})
            headers = {"authorization": f"Bearer {session.json()['token']}"}
            done = await browser.post("/v1/projects", json={"name": "mine"}, headers=headers)
            assert done.status_code == 201, "who starts the service for themselves is not asked"


async def test_mails_go_out_by_a_real_server(tmp_path):
    """Who registers is asked to verify their address where mails go out to a server."""
    server = await MailServer().up()
    url = f"smtp://127.0.0.1:{server.port}?from=mill@example.org"
    settings = Settings(
        home=tmp_path / "home", slots=1, min_free_bytes=0, mail_url=url,
        public_url="https://mill.test",
    )  # fmt: skip
    try:
        async with await App.open(settings) as mill:
            worker = await mill.worker()
            running = asyncio.create_task(worker.run())
            async with client_of(create_app(mill)) as browser:
                body = {"email": "ann@example.org", "password": PASSWORD}
                await browser.post("/v1/auth/register", json=body)
                async with asyncio.timeout(60):
                    while not server.received:
                        await asyncio.sleep(0.02)
                mail = server.received[0].mail
                text = mail.get_body(("plain",)).get_content()
                token = re.search(r"https://mill\.test/verify#(\S+)", text)[1]
                found = await browser.post("/v1/auth/verify", json={"token": token})
                assert (mail["To"], found.status_code) == ("ann@example.org", 204)
            worker.stop()
            await running
    finally:
        await server.down()


async def test_a_host_header_makes_no_link(mill, nobody, ann):
    body = {"email": ann.email}
    hostile = {"host": "127.0.0.9:1"}  # an address is one of ours
    answer = await nobody.post("/v1/auth/password/forgot", json=body, headers=hostile)
    assert answer.status_code == 202
    (letter,) = await Letterbox(mill).mails()
    assert f"{mill.settings.address}/reset#" in letter.text
    assert "127.0.0.9" not in letter.text


@pytest.mark.parametrize("path", ["/v1/auth/password", "/v1/auth/verify/resend"])
async def test_programs_do_not_change_how_people_sign_in(web, ann, path):
    made = (await ann.client.post("/v1/tokens", json={"name": "mine"})).json()
    async with client_of(web, authorization=f"Bearer {made['token']}") as program:
        body = {"current": PASSWORD, "new": OTHER} if path.endswith("password") else None
        status = (await program.post(path, json=body)).status_code
        assert status == (403 if body else 204)
        patched = {"email": "new@example.org", "password": PASSWORD}
        assert (await program.patch("/v1/me", json=patched)).status_code == 403
