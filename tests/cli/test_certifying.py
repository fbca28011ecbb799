"""HTTPS without a proxy: a certificate that is given, or made here, and what is told of it."""

import asyncio
import json
import os
import re
import ssl
import subprocess
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from mediamill.cli.remote.trust import own_certificate, trusting
from mediamill.cli.service import certifying
from mediamill.cli.service.binding import local_address, refuse_plain_http
from mediamill.cli.service.certifying import (
    Served,
    certificate_check,
    fingerprint,
    self_signed,
    served,
)
from mediamill.cli.terminal.failures import Failure
from mediamill.core.settings import Settings
from tests.cli.conftest import Commands, wait_for_service


@pytest.fixture
def made(tmp_path):
    """Settings with a certificate made for them."""
    return self_signed(Settings(home=tmp_path / "home", host="mill.lan"))


def test_up_self_signed_serves_https_and_commands_trust_it(mediamill: Commands):
    process = mediamill.start("up", "--port", 0, "--host", "0.0.0.0", "--self-signed")
    kept = wait_for_service(process, mediamill.home)
    said = "".join(process.stdout.readline() for _ in range(8))
    assert re.match(r"https://127\.0\.0\.1:\d+$", kept.server)
    own = own_certificate(mediamill.home)
    assert fingerprint(str(own)) in said
    assert own.with_suffix(".key").stat().st_mode & 0o777 == 0o600
    assert mediamill("files", "list").returncode == 0
    report = json.loads(mediamill("doctor", "--json", "--server", kept.server).stdout)
    assert [one["level"] for one in report["checks"] if one["name"] == "server"] == ["ok"]
    verify = trusting(kept.server, mediamill.home)
    forged = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "http"}
    answer = httpx.get(f"{kept.server}/signin", verify=verify, trust_env=False, headers=forged)
    assert "strict-transport-security" in answer.headers
    with pytest.raises(httpx.ConnectError, match="certificate"):
        httpx.get(f"{kept.server}/signin", trust_env=False)
    process.terminate()
    _, log = process.communicate(timeout=35)
    assert process.returncode == 0
    told = [json.loads(line) for line in log.splitlines()]
    asked = [one["client"] for one in told if one.get("route") == "/signin"]
    assert asked == ["127.0.0.1"], "a proxy was believed that nobody trusts"


def test_it_is_made_once_and_anew_before_it_ends_or_for_another_name(made, monkeypatch):
    before = fingerprint(made.tls_certificate)
    again = made.model_copy(update={"tls_certificate": "", "tls_key": ""})
    assert fingerprint(self_signed(again).tls_certificate) == before
    other = again.model_copy(update={"host": "other.lan"})
    other_print = fingerprint(self_signed(other).tls_certificate)
    assert other_print != before
    monkeypatch.setattr(certifying, "SOON_DAYS", certifying.OWN_DAYS + 1)
    assert fingerprint(self_signed(other).tls_certificate) != other_print
    with pytest.raises(Failure, match="already"):
        self_signed(made)


def test_openssl_finds_nothing_wrong_with_it(made):
    """For the names it is made for, as strictly as it looks."""
    command = ["openssl", "verify", "-x509_strict", "-CAfile", made.tls_certificate]
    for host in (["-verify_hostname", "mill.lan"], ["-verify_ip", "127.0.0.1"]):
        subprocess.run([*command, *host, made.tls_certificate], check=True, capture_output=True)
    wrong = [*command, "-verify_hostname", "evil.example", made.tls_certificate]
    assert subprocess.run(wrong, check=False, capture_output=True).returncode != 0


def test_every_way_out_is_told(tmp_path, made):
    beyond = Settings(home=tmp_path / "x", host="192.168.1.7")
    with pytest.raises(Failure) as caught:
        refuse_plain_http(beyond, allowed=False)
    for way in (
        "--self-signed", "MEDIAMILL_TLS_CERTIFICATE", "MEDIAMILL_PUBLIC_URL", "--allow-plain-http",
        "docs/how-to/proxies.md",
    ):  # fmt: skip
        assert way in caught.value.message
    refuse_plain_http(beyond, allowed=True)
    refuse_plain_http(made, allowed=False)
    refuse_plain_http(beyond.model_copy(update={"public_url": "https://m.example"}), allowed=False)


def test_commands_here_ask_a_given_certificate_by_its_name(made):
    assert local_address(made) == "https://mill.lan:8750"
    given = {"tls_certificate": "/etc/mill.pem", "public_url": "https://mill.example.org"}
    assert local_address(made.model_copy(update=given)) == "https://mill.example.org"


def test_a_certificate_that_cannot_be_served_is_told_before_anything_starts(made, tmp_path):
    assert served(Settings(home=tmp_path)) is None
    key = made.tls_key
    for certificate in ("/nowhere.pem", key):
        wrong = made.model_copy(update={"tls_certificate": certificate})
        with pytest.raises(Failure, match="MEDIAMILL_TLS_KEY"):
            served(wrong)
        [check] = certificate_check(wrong)
        assert check.level == "problem"


@pytest.mark.parametrize(
    ("days", "level"), [(0, "ok"), (360, "ok"), (368, "note"), (396, "note"), (398, "problem")]
)
def test_doctor_tells_how_long_it_lasts(made, days, level):
    [check] = certificate_check(made, datetime.now(UTC) + timedelta(days=days))
    assert (check.name, check.level) == ("certificate", level), check.text


def test_doctor_tells_of_a_proxy_that_is_not_trusted(tmp_path):
    behind = Settings(home=tmp_path, public_url="https://mill.example.org")
    [check] = certificate_check(behind)
    assert "MEDIAMILL_TRUSTED_PROXIES" in check.text
    assert [*certificate_check(behind.model_copy(update={"trusted_proxies": "10.0.0.1"}))] == []
    assert [*certificate_check(Settings(home=tmp_path))] == []


async def test_what_replaces_it_is_served_without_a_restart(made, monkeypatch):
    monkeypatch.setattr(certifying, "LOOK_SECONDS", 0.01)
    files = served(made)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    files.load(context)
    loaded = []

    def load(self, context):
        loaded.append(context)

    monkeypatch.setattr(Served, "load", load)
    looking = asyncio.ensure_future(files.renewed(context))
    try:
        await asyncio.sleep(0)  # it has seen what was there
        os.utime(made.tls_certificate, ns=(1, 1))
        async with asyncio.timeout(60):
            while context not in loaded:
                await asyncio.sleep(0.01)
    finally:
        looking.cancel()
