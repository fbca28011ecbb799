"""An authority of the test's and a certificate of it for 127.0.0.1."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificates:
    """Files: who signed, the server's certificate, its key."""

    authority: Path
    certificate: Path
    key: Path


def certificates(folder: Path) -> Certificates:
    """Make them in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    above, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _named("mediamill tests").issuer_name(_name("mediamill tests"))
    authority = authority.public_key(above.public_key())
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
    server = _named("127.0.0.1").issuer_name(_name("mediamill tests")).public_key(key.public_key())
    names = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")]
    server = server.add_extension(x509.SubjectAlternativeName(names), False)
    made = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    pem = serialization.Encoding.PEM
    made.authority.write_bytes(authority.sign(above, hashes.SHA256()).public_bytes(pem))
    made.certificate.write_bytes(server.sign(above, hashes.SHA256()).public_bytes(pem))
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    made.key.write_bytes(key.private_bytes(pem, form, plain))
    return made


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _named(text: str) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(_name(text))
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(2))
