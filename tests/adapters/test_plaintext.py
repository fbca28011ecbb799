"""Every address that may hold a password, or say what is whose: in the clear on this machine only.

One table for all of them: a new backend that speaks to a server is missing from it until it is in.
"""

import asyncio
from pathlib import Path

import pytest

from mediamill.adapters.brokers.opening import BROKERS, ENCRYPTED, open_bell
from mediamill.adapters.events.opening import PLACES as EVENTS
from mediamill.adapters.events.opening import open_events
from mediamill.adapters.identity.opening import IDENTITIES, open_identity
from mediamill.adapters.mail.opening import POSTS, open_post
from mediamill.adapters.objects.opening import open_objects
from mediamill.adapters.sealing.opening import HOLDERS, open_holders
from mediamill.adapters.secrets.reading import KEEPERS
from mediamill.blobs.opening import BACKENDS as BLOBS
from mediamill.blobs.s3.options import Options
from mediamill.core.errors import ConfigurationError, InvalidInput
from mediamill.store.dynamodb import opening as dynamodb
from mediamill.store.opening import BACKENDS as STORES
from mediamill.store.sql.postgres.address import Address

HERE = ("127.0.0.1", "localhost", "[::1]", "127.9.9.9")
ELSEWHERE = (
    "10.0.0.9",
    "db.example",
    "[2001:db8::1]",
    "0.0.0.0",
    "127.0.0.1.example",
    "2130706433",
)
SECRET = "s3cret"
REFUSALS = (ValueError, ConfigurationError, InvalidInput)
STORE = "sqlite:///elsewhere"


def filled(url: str, host: str, said: str = "") -> str:
    """Put a host and a parameter into an address."""
    return url.replace("HOST", host).replace("X", said).rstrip("?&")


WAYS = {
    "postgresql": (Address.of, f"postgresql://mill:{SECRET}@HOST/mill?X", "sslmode="),
    "dynamodb": (dynamodb._read, "dynamodb://mill?region=a&endpoint=http://HOST&X", "https"),
    "s3": (lambda url: Options.of(url, "S"), "s3://mill?region=a&endpoint=http://HOST&X", "https"),
    "s3 shown": (
        lambda url: Options.of(url, "S"), "s3://a?region=a&public_endpoint=http://HOST&X", "https",
    ),
    "s3 of others": (open_objects, "s3://mill?region=a&endpoint=http://HOST&X", "https"),
    "redis": (lambda url: open_bell(url, STORE), f"redis://mill:{SECRET}@HOST?X", "rediss://"),
    "nats": (lambda url: open_bell(url, STORE), f"nats://{SECRET}@HOST?X", "tls://"),
    "amqp": (lambda url: open_bell(url, STORE), f"amqp://mill:{SECRET}@HOST?X", "amqps://"),
    "sqs": (lambda url: open_bell(url, STORE), "sqs://a?region=a&endpoint=http://HOST&X", "https"),
    "doorbell postgresql": (
        lambda url: open_bell(url, STORE), f"postgresql://mill:{SECRET}@HOST/mill?X", "sslmode=",
    ),
    "kms": (
        lambda url: open_holders(url, Path()), "kms://a?region=a&endpoint=http://HOST&X", "https",
    ),
    "sns": (open_events, "sns://a?region=a&endpoint=http://HOST&X", "https"),
    "ses": (
        lambda url: asyncio.run(open_post(url)),
        "ses://?from=a@b.org&region=a&endpoint=http://HOST&X", "https",
    ),
}  # fmt: skip
"""How an address is read, the address, and what is written instead."""
REFUSED_LATER = {
    "oidc": "every request by itself: tests/adapters/identity",
    "smtp": "TLS is asked for, and nothing is said without: tests/adapters/mail",
    "secretsmanager": "as the next",
    "ssm": "when it is asked: tests/adapters/secrets",
}
NO_SERVER = {"inprocess", "file", "local", "memory", "none", "outbox", "sqlite", "webhooks"}


@pytest.mark.parametrize("way", WAYS)
def test_plaintext_stays_on_this_machine(way):
    read, url, instead = WAYS[way]
    for host in HERE:
        read(filled(url, host))
    for host in ELSEWHERE:
        for said in ("", "allow_plaintext=false"):
            with pytest.raises(REFUSALS) as refused:
                read(filled(url, host, said))
            assert "allow_plaintext=true" in str(refused.value), host
            assert instead in str(refused.value)
            assert SECRET not in str(refused.value)
        read(filled(url, host, "allow_plaintext=true"))
        with pytest.raises(REFUSALS, match="true or false"):
            read(filled(url, host, "allow_plaintext=yes"))


@pytest.mark.parametrize(
    "url",
    [f"rediss://{SECRET}@db.example", f"tls://{SECRET}@db.example", f"amqps://a:{SECRET}@db.example",
     *(f"postgresql://a:{SECRET}@db.example/x?sslmode={mode}"
       for mode in ("require", "verify-ca", "verify-full"))],
)  # fmt: skip
def test_what_is_encrypted_goes_anywhere(url):
    open_bell(url, STORE)
    if url.startswith("postgresql:"):
        Address.of(url)


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", ""])
def test_what_falls_back_to_plaintext_is_refused(mode, monkeypatch):
    said = f"?sslmode={mode}" if mode else ""
    with pytest.raises(ValueError, match="falls back to plaintext"):
        Address.of(f"postgresql://a:{SECRET}@db.example/x{said}")
    Address.of(f"postgresql://a:{SECRET}@localhost/x{said}")


def test_what_libpq_reads_elsewhere_counts(monkeypatch):
    url = f"postgresql://a:{SECRET}@/x"
    Address.of(url)
    monkeypatch.setenv("PGHOST", "db.example")
    with pytest.raises(ValueError, match=r"db\.example"):
        Address.of(url)
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    Address.of(url)
    monkeypatch.delenv("PGHOST")
    monkeypatch.delenv("PGSSLMODE")
    monkeypatch.setenv("PGHOSTADDR", "10.0.0.9")
    with pytest.raises(ValueError, match=r"10\.0\.0\.9"):
        Address.of(url)
    monkeypatch.delenv("PGHOSTADDR")
    with pytest.raises(ValueError, match="the service there"):
        Address.of(f"{url}?service=there")


@pytest.mark.parametrize("query", ["host=127.0.0.1,db.example", "host=db.example",
                                   "hostaddr=10.0.0.9&host=localhost"])  # fmt: skip
def test_each_of_several_hosts_counts(query):
    with pytest.raises(ValueError, match="allow_plaintext=true"):
        Address.of(f"postgresql:///x?{query}")
    Address.of(f"postgresql:///x?{query}&allow_plaintext=true")


@pytest.mark.parametrize(
    "url", ["postgresql:///x", "postgresql:///x?host=/run/postgresql", "postgresql://%2Frun/x",
            "postgresql://a:b@/x?pool=3", "postgresql:///x?host=@abstract"],
)  # fmt: skip
def test_a_socket_of_this_machine_is_fine(url):
    assert "dbname=x" in Address.of(url).conninfo


ODD = ("s3?cret", "s3#cret", "s3/cret", "s3%zcret", "s3[cret", "s3 cret", "s3&cret=@")
HOLDING = {name: (read, url) for name, (read, url, _) in WAYS.items() if SECRET in url} | {
    "smtp": (
        lambda url: asyncio.run(open_post(url)), f"smtp://mill:{SECRET}@HOST?from=a@b.org&X",
    ),
    "oidc": (
        lambda url: asyncio.run(open_identity(url)),
        f"oidc+https://HOST?client_id=a&client_secret={SECRET}&X",
    ),
}  # fmt: skip


CASES = [(way, odd) for way in HOLDING for odd in ODD if way != "oidc" or "&" not in odd]
"""What follows an & in a query is a parameter, whose name is told."""


@pytest.mark.parametrize(("way", "odd"), CASES)
def test_an_odd_password_is_not_shown(way, odd):
    read, url = HOLDING[way]
    told = ""
    try:
        read(filled(url.replace(SECRET, odd), "127.0.0.1"))
    except REFUSALS as refused:
        told = str(refused)
    assert "cret" not in told.replace("client_secret", "")


def test_no_backend_is_left_out():
    known = {way.split()[-1] for way in WAYS} | {"s3"} | REFUSED_LATER.keys() | NO_SERVER
    registries = (BROKERS, EVENTS, IDENTITIES, POSTS, HOLDERS, KEEPERS, BLOBS)
    names = {name for registry in registries for name in registry.names()} | STORES.keys()
    assert names - known == set()
    assert set(ENCRYPTED.values()) <= known


def test_an_issuer_in_the_clear_is_refused():
    with pytest.raises(ConfigurationError):
        asyncio.run(open_identity("oidc+http://id.example?client_id=a"))
