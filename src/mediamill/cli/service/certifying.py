"""Serving HTTPS without a proxy: the certificate that is given, or one that is made here.

    HOME/tls/own.pem, own.key    made by `--self-signed`, anew before it ends; the key is 0600

One that is made here proves nothing to who has not seen it: browsers ask once, and show its
fingerprint, which the service prints. What travels is encrypted all the same.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mediamill.cli.remote.trust import own_certificate
from mediamill.cli.service.checks import Check, Level
from mediamill.cli.terminal.failures import Failure
from mediamill.core.settings import Settings

OWN_DAYS = 397
"""As long as browsers let a certificate last."""
SOON_DAYS = 30
"""One that is made here is made anew so long before its end; `doctor` tells of any."""
LOOK_SECONDS = 60.0
"""How often it is seen whether the files were replaced."""
ELSEWHERE = ("192.0.2.1", 9)
"""An address that is nobody's: asked for the way to it, the system tells by which of its own."""

log = structlog.get_logger(__name__)


def self_signed(settings: Settings) -> Settings:
    """Return the settings with a certificate made here, for the names that this machine has.

    Raises `Failure` when another one is set.
    """
    if settings.tls_certificate:
        raise Failure(
            "MEDIAMILL_TLS_CERTIFICATE names a certificate already.", "Leave --self-signed out."
        )
    path, wanted = own_certificate(settings.home), names_of(settings)
    key = path.with_suffix(".key")
    if not (key.exists() and _lasts(path, wanted)):
        _make(path, key, wanted)
    return settings.model_copy(update={"tls_certificate": str(path), "tls_key": str(key)})


def names_of(settings: Settings) -> list[str]:
    """List the names and addresses by which this machine may be asked."""
    here = socket.gethostname().lower()
    found = ["localhost", here, f"{here.partition('.')[0]}.local", "127.0.0.1", "::1"]
    found += [settings.host, urlsplit(settings.public_url).hostname or "", *_outward()]
    return list(dict.fromkeys(name for name in found if name and name not in ("0.0.0.0", "::")))  # noqa: S104 - compared, not bound


def _outward() -> Iterator[str]:
    """Return the address by which this machine is seen outside; nothing is sent."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(ELSEWHERE)
        yield asking.getsockname()[0]


def _lasts(path: Path, wanted: list[str]) -> bool:
    """Tell whether a certificate is there, good for these names, and not near its end."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return False
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    return {*map(_name, wanted)} <= {*names} and left > timedelta(days=SOON_DAYS)


def _make(path: Path, key_path: Path, wanted: list[str]) -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Mediamill, made here")])
    public = key.public_key()
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=False, crl_sign=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=OWN_DAYS))
        .add_extension(x509.SubjectAlternativeName([*map(_name, wanted)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    _write(key_path, key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    _write(path, made.public_bytes(pem))


def _write(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, replacing it whole."""
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
    fresh.replace(path)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text.encode("idna").decode() if not text.isascii() else text)


@dataclass(frozen=True)
class Served:
    """The files of a certificate that is served."""

    certificate: str
    key: str | None

    def load(self, context: ssl.SSLContext) -> None:
        """Have a context serve it; raises `OSError` (`ssl.SSLError` too) for what it cannot be."""
        context.load_cert_chain(self.certificate, self.key, password=_no_password)

    def stamp(self) -> tuple[int, ...]:
        """Return what changes when a file is replaced."""
        paths = filter(None, (self.certificate, self.key))
        return tuple(Path(path).stat().st_mtime_ns for path in paths)

    async def renewed(self, context: ssl.SSLContext) -> None:
        """Serve what replaces the files, for ever; what cannot be read changes nothing."""
        seen = self.stamp()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                now = self.stamp()
                if now != seen:
                    self.load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))  # else half of it is taken
                    self.load(context)
                    log.info("certificate renewed", action="certificate_renewed")
                seen = now
            except OSError as error:
                log.warning("certificate not read", action="certificate_unread", error=str(error))


def _no_password() -> str:
    """Refuse to ask at the terminal; a key under a password is not read."""
    return ""


def served(settings: Settings) -> Served | None:
    """Return the certificate to serve HTTPS with, None for none; raises `Failure` for a bad one."""
    if not settings.tls_certificate:
        return None
    found = Served(settings.tls_certificate, settings.tls_key or None)
    try:
        found.load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    except OSError as error:
        raise Failure(
            f"The certificate {found.certificate} cannot be served: {error.strerror or error}.",
            "MEDIAMILL_TLS_CERTIFICATE and MEDIAMILL_TLS_KEY name PEM files that belong together, "
            "without a password.",
        ) from None
    return found


def fingerprint(path: str) -> str:
    """Return the SHA-256 of a certificate as browsers show it."""
    certificate = x509.load_pem_x509_certificate(Path(path).read_bytes())
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def certificate_check(settings: Settings, now: datetime | None = None) -> Iterator[Check]:
    """Tell whether the certificate can be served and for how long; and who is believed instead."""
    name = "certificate"
    if not settings.tls_certificate:
        if settings.public_url.startswith("https:") and not settings.trusted_proxies:
            text = (
                "users come through HTTPS, and no proxy is trusted: all have its address in "
                "logs and limits; set MEDIAMILL_TRUSTED_PROXIES, see docs/how-to/proxies.md"
            )
            yield Check("proxies", Level.NOTE, text)
        return
    try:
        served(settings)
        pem = Path(settings.tls_certificate).read_bytes()
        ends = x509.load_pem_x509_certificate(pem).not_valid_after_utc
    except (Failure, OSError, ValueError) as error:
        yield Check(name, Level.PROBLEM, str(error))
        return
    left = (ends - (now or datetime.now(UTC))).days
    text = f"{settings.tls_certificate} is good until {ends:%Y-%m-%d}, {left} days"
    if left < 0:
        yield Check(name, Level.PROBLEM, f"{settings.tls_certificate} ended on {ends:%Y-%m-%d}")
    else:
        yield Check(name, Level.OK if left >= SOON_DAYS else Level.NOTE, text)
