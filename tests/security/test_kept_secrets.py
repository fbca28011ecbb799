"""S22 for what this service keeps or is given: no secret in logs, errors, the database or a page.

Every setting that holds a secret holds a random one, what they lead to refuses them or is away, and
people do all that takes a secret. Then everything that was written or answered is looked through.
"""

import asyncio
import base64
import json
import os
import secrets
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from mediamill.adapters.sealing.keyring import Key
from tests.support.gates import gate_to
from tests.support.processes import running
from tests.support.redis import redis_server
from tests.support.smtp import MailServer
from tests.web.test_uploading import PNG

APART = ("keyring", "token", "outbox", "secret")
"""Files of home that hold secrets, and are for its owner only."""
TRIED = ("doorbell_refused", "sign_in_refused")
"""What the log tells once the service has tried what refuses it."""


class Secrets(dict[str, str]):
    """Random texts by what they are for."""

    def make(self, name: str) -> str:
        self[name] = f"{secrets.token_urlsafe(12)}/{secrets.token_urlsafe(6)}"
        return self[name]

    def part(self, name: str) -> str:
        return quote(self.make(name), safe="")

    def found(self, data: bytes) -> set[str]:
        """Return what of them is in some bytes, in any spelling."""
        return {
            name for name, text in self.items() for form in _spellings(text) if form in data
        }  # fmt: skip


def _spellings(text: str) -> set[bytes]:
    raw = text.encode()
    coded = {base64.b64encode(raw).rstrip(b"="), base64.urlsafe_b64encode(raw).rstrip(b"=")}
    return {raw, quote(text, safe="").encode(), json.dumps(text)[1:-1].encode(), *coded}


def settings_of(made: Secrets, folder: Path, redis: int, mail: int) -> dict[str, str]:
    """Give a secret to every setting that takes one; some of them by way of a file."""
    (folder / "mail").write_text(made.make("mail password"))
    key = Key.make()
    made["sealing key"] = str(key).split(":")[1]
    return {
        "secret": made.make("signing secret"),
        "secret_previous": made.make("previous secret"),
        "sealing_url": f"local:{key}",
        "broker_url": f"redis://default:{made.part('broker password')}@127.0.0.1:{redis}",
        "mail_url": f"smtp://mill:${{file:{folder}/mail}}@127.0.0.1:{mail}?from=mill@example.org",
        "identity_url": "oidc+http://127.0.0.1:1/none?client_id=mill&allow_plaintext=true"
        f"&client_secret={made.part('client secret')}",
        "events_url": "sns://arn:aws:sns:us-east-1:123456789012:none?endpoint=http://127.0.0.1:1",
        "public_url": "https://mill.example.org",
        "fetch_allow": "127.0.0.1:*",
        "poll_seconds": "0.1",
        "log_level": "debug",
        "min_free_bytes": "0",
    }


class Person:
    """Does all that takes a secret, and keeps every answer that should hold none."""

    def __init__(self, base: str, made: Secrets) -> None:
        self.client = httpx.AsyncClient(base_url=base, timeout=30, trust_env=False)
        self.made, self.answers = made, list[bytes]()

    async def ask(self, method: str, path: str, **request) -> dict:
        answer = await self.client.request(method, path, **request)
        self.answers.append(answer.content + str(answer.headers).encode())
        told = answer.content and "json" in answer.headers.get("content-type", "")
        return answer.json() if told else {}

    async def told(self, name: str, field: str, method: str, path: str, **request) -> dict:
        """Ask for something whose answer tells a secret, this once."""
        answer = await self.client.request(method, path, **request)
        answer.raise_for_status()
        self.made[name] = answer.json()[field]
        return answer.json()

    async def act(self, hook: int) -> None:
        account = {"email": "ann@example.org", "password": self.made.make("password")}
        await self.ask("POST", "/v1/auth/register", json=account)
        wrong = {**account, "password": self.made.make("wrong password")}
        await self.ask("POST", "/v1/auth/login", json=wrong)
        await self.told("session", "token", "POST", "/v1/auth/login", json=account)
        bearer = {"Authorization": f"Bearer {self.made['session']}"}
        self.client.headers.update(bearer)
        await self.told("API token", "token", "POST", "/v1/tokens", json={"name": "a"})
        odd = {"Authorization": f"Bearer mmt_{self.made.make('odd token')}"}
        await self.ask("GET", "/v1/files", headers=odd)
        await self.ask("GET", "/auth/oidc/start")
        url = {"url": f"http://127.0.0.1:{hook}/hook", "types": ["*"]}
        made = await self.told("webhook secret", "secret", "POST", "/v1/webhooks", json=url)
        at = f"/v1/webhooks/{made['id']}"
        await self.told("webhook secret from now on", "secret", "POST", f"{at}/rotate")
        await self.ask("GET", at)
        await self.second_factor(account)
        new = self.made.make("new password")
        both = {"current": account["password"], "new": new}
        await self.ask("POST", "/v1/auth/password", json=both)
        await self.ask("POST", "/v1/auth/password/forgot", json={"email": account["email"]})
        made_up = {"token": f"mmr_{self.made.make('made-up link')}", "password": new}
        await self.ask("POST", "/v1/auth/password/reset", json=made_up)
        await self.ask("PATCH", "/v1/me/notifications", json={"finished": "always"})
        file = await self.ask("POST", "/v1/files?name=a.png", content=PNG)
        steps = {"files": [file["id"]], "steps": [{"operation": "thumbnail"}]}
        job = await self.ask("POST", "/v1/jobs", json=steps)
        ended = await self.ask("GET", f"/v1/jobs/{job['id']}", params={"wait": 20})
        assert ended["state"] == "succeeded", ended
        link = await self.ask("POST", f"/v1/files/{file['id']}/link")
        await self.client.get(f"/v1/links/{link['url'].rpartition('/')[2]}")
        await asyncio.sleep(1)  # mails, events and deliveries fail meanwhile
        for path in ("/health/ready", "/metrics", "/v1/webhooks", f"/v1/jobs/{job['id']}", "/docs",
                     f"/v1/webhooks/{made['id']}/deliveries", "/openapi.json"):  # fmt: skip
            await self.ask("GET", path)

    async def second_factor(self, account: dict[str, str]) -> None:
        """Set one up, sign in by a recovery code, and give a wrong one."""
        told = await self.told("app's secret", "secret", "POST", "/v1/me/factors/totp")
        code = TOTP(base64.b32decode(told["secret"]), 6, SHA1(), 30).generate(int(time.time()))
        on = await self.client.post("/v1/me/factors/totp/confirm", json={"code": code.decode()})
        on.raise_for_status()
        for number, one in enumerate(on.json()["recovery_codes"]):
            self.made[f"recovery code {number}"] = one
            self.made[f"recovery code {number} in one"] = one.replace("-", "")
        right = {**account, "code": self.made["recovery code 0"]}
        await self.told("session by a code", "token", "POST", "/v1/auth/login", json=right)
        wrong = {**account, "code": self.made.make("wrong code")}
        await self.ask("POST", "/v1/auth/login", json=wrong)
        await self.ask("GET", "/v1/me/factors")


async def doctor(settings: dict[str, str], home: Path) -> bytes:
    """Return what `mediamill doctor` says, which asks all that the settings name."""
    said = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-m", "mediamill", "doctor"], capture_output=True,
        env={**os.environ, **settings, "MEDIAMILL_HOME": str(home)},
    )  # fmt: skip
    assert said.stdout
    return said.stdout + said.stderr


@pytest.mark.embedded("it looks through the database's file")
@pytest.mark.parametrize("examined", [False, pytest.param(True, marks=pytest.mark.soak)])
async def test_no_secret_is_written_anywhere(tmp_path, monkeypatch, examined):
    made, home = Secrets(), tmp_path / "home"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", made.make("AWS key"))
    mail = await MailServer(password="another").up()
    with redis_server() as redis:
        async with gate_to(1) as hook:
            given = settings_of(made, tmp_path, redis.port, mail.port)
            async with running("up", home, **given) as service:
                person = Person(f"http://127.0.0.1:{service.port}", made)
                await person.act(hook.port)
                await person.client.aclose()
                async with asyncio.timeout(60):
                    while not mail.connections or not all(one in service.log() for one in TRIED):
                        await asyncio.sleep(0.05)
            told = await doctor(service.settings, home) if examined else b""
    await mail.down()
    log = service.log()
    assert len(made) > 35
    assert made.found(log.encode()) == set()
    assert made.found(told) == set()
    for answer in person.answers:
        assert made.found(answer) == set(), answer[:300]
    files = [path for path in home.rglob("*") if path.is_file() and path.name not in APART]
    assert any(path.suffix == ".db" for path in files)
    for path in files:
        assert made.found(path.read_bytes()) == set(), path
    with sqlite3.connect(home / "mediamill.db") as database:
        dump = "\n".join(database.iterdump()).encode()
    assert made.found(dump) == set()
    assert b"mm1$" in dump  # the webhook's secret is there, sealed


def test_a_secret_in_any_spelling_is_found():
    made = Secrets()
    text = made.make("x")
    for form in (text, quote(text, safe=""), base64.b64encode(text.encode()).decode()):
        assert made.found(f"… {form} …".encode()) == {"x"}
    assert made.found(b"nothing") == set()
