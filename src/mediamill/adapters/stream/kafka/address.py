"""What `MEDIAMILL_STREAM_URL` says of Kafka, as settings of its client library.

    kafka://user:password@broker:9092,other:9092/?group=mediamill&…

`kafkas://` is with TLS. With a user it is SCRAM (`sasl=SCRAM-SHA-512`, `SCRAM-SHA-256` or, with TLS
only, `PLAIN`); `sasl=AWS_MSK_IAM&region=…` signs in with the machine's AWS credentials.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from mediamill.core.errors import ConfigurationError
from mediamill.core.plaintext import ALLOWING, refuse_plaintext

SETTING = "MEDIAMILL_STREAM_URL"
FORM = "write kafkas://user:password@broker:9096,other:9096/?group=…, with %2F for / in a password"
IAM = "AWS_MSK_IAM"
SCRAM = ("SCRAM-SHA-512", "SCRAM-SHA-256")
OPTIONS = frozenset({
    "group", "sasl", "region", "ca", "certificate", "key", "start", "session_seconds", ALLOWING,
})  # fmt: skip
STARTS = ("earliest", "latest")
SESSION_SECONDS = 45


@dataclass(frozen=True)
class Address:
    """Brokers, who we are there, and how the group goes about it."""

    brokers: tuple[str, ...]
    secure: bool = False
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    group: str = "mediamill"
    sasl: str = ""
    region: str = ""
    start: str = "earliest"
    session_seconds: int = SESSION_SECONDS
    files: tuple[tuple[str, str], ...] = ()
    """Settings of the library that name files: authority, certificate, key."""

    @classmethod
    def of(cls, url: str) -> "Address":
        """Read a URL; raises `ConfigurationError`, which says what to write."""
        with telling():
            try:
                parts = urlsplit(url)
            except ValueError:
                raise ValueError(FORM) from None
            given, secure = _options(parts.query), parts.scheme == "kafkas"
            who, _, where = parts.netloc.rpartition("@")
            brokers = tuple(_broker(one) for one in where.split(","))
            if parts.path.strip("/") or parts.fragment:
                raise ValueError("topics are named in MEDIAMILL_STREAM_TOPICS, not in the address")
            if not secure:
                for broker in brokers:
                    host = broker.rpartition(":")[0].strip("[]")
                    refuse_plaintext(host, given.get(ALLOWING), "kafkas://…")
            user, _, password = who.partition(":")
            return cls(
                brokers,
                secure,
                unquote(user),
                unquote(password),
                group=given.get("group", "mediamill"),
                sasl=_sasl(given, secure, bool(user)),
                region=given.get("region", ""),
                start=_start(given.get("start", "earliest")),
                session_seconds=_seconds(given.get("session_seconds", str(SESSION_SECONDS))),
                files=_files(given, secure),
            )

    def settings(self) -> dict[str, Any]:
        """Return what every client of these brokers is made with; a token is not among it."""
        protocol = ("SASL_" if self.sasl else "") + ("SSL" if self.secure else "PLAINTEXT")
        settings: dict[str, Any] = {
            "bootstrap.servers": ",".join(self.brokers),
            "client.id": "mediamill",
            "security.protocol": protocol,
            "reconnect.backoff.max.ms": 2000,
            "allow.auto.create.topics": False,
            **dict(self.files),
        }
        if self.sasl == IAM:
            settings["sasl.mechanism"] = "OAUTHBEARER"
        elif self.sasl:
            settings["sasl.mechanism"] = self.sasl
            settings |= {"sasl.username": self.user, "sasl.password": self.password}
        return settings


@contextmanager
def telling() -> Iterator[None]:
    """Raise a `ValueError` of the block as `ConfigurationError` that names the setting."""
    try:
        yield
    except ValueError as error:
        raise ConfigurationError(f"{SETTING}: {error}.", setting=SETTING) from None


def _options(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    given = dict(pairs)
    if unknown := given.keys() - OPTIONS:
        known = ", ".join(sorted(OPTIONS))
        raise ValueError(f"unknown parameter {', '.join(sorted(unknown))}; known: {known}")
    if len(pairs) != len(given):
        raise ValueError("a parameter is given twice")
    if not given.get("group", "mediamill"):
        raise ValueError("group is the name of a consumer group")
    return given


def _broker(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"each broker is host:port; {FORM}")
    return text


def _sasl(given: dict[str, str], secure: bool, named: bool) -> str:
    sasl = given.get("sasl", SCRAM[0] if named else "")
    if sasl == IAM:
        if not secure or not given.get("region"):
            raise ValueError(f"{IAM} is for kafkas://broker:9098/?sasl={IAM}&region=…")
        return sasl
    if sasl == "PLAIN" and not secure:
        raise ValueError("PLAIN sends the password as it is: use kafkas://, or SCRAM")
    if sasl and (sasl not in (*SCRAM, "PLAIN") or not named):
        known = ", ".join((*SCRAM, "PLAIN", IAM))
        raise ValueError(f"sasl is one of {known}, with user:password@ before the brokers")
    return sasl


def _start(text: str) -> str:
    if text not in STARTS:
        raise ValueError(f"start is {' or '.join(STARTS)}: where a new group begins")
    return text


def _seconds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 300:
        raise ValueError("session_seconds is 1 to 300, after which a silent process is given up")
    return int(text)


def _files(given: dict[str, str], secure: bool) -> tuple[tuple[str, str], ...]:
    names = {
        "ca": "ssl.ca.location",
        "certificate": "ssl.certificate.location",
        "key": "ssl.key.location",
    }
    files = {name: given[name] for name in names if name in given}
    if files and not secure:
        raise ValueError(f"{', '.join(files)}: for kafkas://")
    for name, path in files.items():
        if not Path(path).is_file():
            raise ValueError(f"{name}: there is no file {path}")
    if "ca" in files:
        try:
            ssl.create_default_context(cafile=files["ca"])
        except ssl.SSLError:
            raise ValueError(f"ca: {files['ca']} holds no certificates") from None
    return tuple((names[name], path) for name, path in files.items())
