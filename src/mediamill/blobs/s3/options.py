"""What the URL of a bucket says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from mediamill.core import aws
from mediamill.core.errors import ConfigurationError
from mediamill.core.plaintext import ALLOWING

CHECKSUMS = ("sha256", "crc32", "when_required", "none")
TIERS = ("Standard", "Bulk", "Expedited")


@dataclass(frozen=True)
class Options:
    """A bucket, a folder in it, and how to talk to it; `__init__.py` tells each."""

    bucket: str
    folder: str
    region: str = ""
    endpoint: str = ""
    public_endpoint: str = ""
    style: str = ""
    encryption: str = "AES256"
    kms_key: str = ""
    storage_class: str = ""
    checksum: str = "sha256"
    restore_days: int = 7
    restore_tier: str = "Standard"
    allow_plaintext: str = "false"

    @classmethod
    def of(cls, url: str, setting: str) -> Self:
        """Read a URL; raises `ConfigurationError` that names the parameter that is wrong."""
        parts = urlsplit(url)
        given: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
        known = {field.name for field in fields(cls)} - {"bucket", "folder"}
        if problem := _problem(parts, given, known):
            raise ConfigurationError(f"{setting}: {problem}", setting=setting)
        if "restore_days" in given:
            given["restore_days"] = int(given["restore_days"])
        return cls(parts.netloc, unquote(parts.path).strip("/"), **given)

    def written(self) -> dict[str, Any]:
        """Return what a request that begins an object says of how it is kept."""
        said: dict[str, Any] = {}
        if self.encryption != "none":
            said["ServerSideEncryption"] = self.encryption
        if self.kms_key:
            said["SSEKMSKeyId"] = self.kms_key
        if self.encryption.startswith("aws:kms"):
            said["BucketKeyEnabled"] = True
        if self.storage_class:
            said["StorageClass"] = self.storage_class
        return said


VALUES: Mapping[str, tuple[str, ...]] = {
    "checksum": CHECKSUMS,
    "encryption": ("AES256", "aws:kms", "aws:kms:dsse", "none"),
    "restore_tier": TIERS,
    "style": ("path", "virtual"),
}


def _problem(parts: SplitResult, given: Mapping[str, str], known: set[str]) -> str:
    """Return what is wrong with a URL, or nothing."""
    if not parts.hostname or parts.username or parts.password:
        return "write s3://bucket/folder?…"
    if unknown := given.keys() - known:
        return f"there is no {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}"
    return next(_wrong(given), "")


def _wrong(given: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with the values of parameters."""
    for name, values in VALUES.items():
        if given.get(name, values[0]) not in values:
            yield f"{name} is one of {', '.join(values)}"
    for name in ("endpoint", "public_endpoint"):
        if address := given.get(name):
            try:
                aws.check_endpoint(address, given.get(ALLOWING))
            except ValueError as error:
                yield str(error).replace("endpoint", name)
    if given.get("kms_key") and not given.get("encryption", "").startswith("aws:kms"):
        yield "kms_key goes with encryption=aws:kms"
    days = given.get("restore_days", "1")
    if not days.isdecimal() or not 1 <= int(days) <= 365:
        yield "restore_days is a number from 1 to 365"
