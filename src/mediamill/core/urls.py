"""What the addresses of backends have in common: parameters, and who is told what is wrong."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlsplit

import idna

from mediamill.core.errors import ConfigurationError


@contextmanager
def telling(setting: str) -> Iterator[None]:
    """Raise a `ValueError` of the block as `ConfigurationError` that names the setting."""
    try:
        yield
    except ValueError as error:
        raise ConfigurationError(f"{setting}: {error}.", setting=setting) from None


def ascii_url(url: str) -> str:
    """Return a web address as it goes over the wire; raises `ValueError` for what is no name."""
    if url.isascii():
        return url
    try:
        parts = urlsplit(url)
        user, at, place = parts.netloc.rpartition("@")
        host, colon, port = place.partition(":")
        host = host if host.isascii() else idna.encode(host, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise ValueError("it has no name that can be looked up") from None
    netloc = f"{user}{at}{host}{colon}{port}"
    return parts._replace(netloc=netloc, path=quote(parts.path, safe="/%:@!$&'()*+,;=~")).geturl()


def options_of(query: str, known: frozenset[str]) -> dict[str, str]:
    """Read parameters; raises `ValueError` for what is not known, or said twice."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:  # quotes what it could not read: with a ? in a password, half of that
        raise ValueError(
            "parameters are name=value with & between; in a password write %3F for ?"
        ) from None
    options = dict(pairs)
    if unknown := options.keys() - known:
        names = ", ".join(sorted(known))
        raise ValueError(f"unknown parameter {', '.join(sorted(unknown))}; known: {names}")
    if len(pairs) != len(options):
        raise ValueError("a parameter is given twice")
    return options


def shown(url: str) -> str:
    """Return a URL without its password."""
    url = re.sub(r"([?&](?:ssl)?password=)[^&]*", r"\1***", url)
    parts = urlsplit(url)
    if parts.password is None:
        return url
    who = f"{parts.username}:***@"
    return parts._replace(netloc=who + parts.netloc.rpartition("@")[2]).geturl()


def overlap(one: str, other: str) -> bool:
    """Tell whether two URLs name one place, or a place in the other."""
    (where, path), (there, below) = _place(one), _place(other)
    if where != there:
        return False
    return path == below or path in below.parents or below in path.parents


def _place(url: str) -> tuple[tuple[str, ...], PurePosixPath]:
    parts = urlsplit(url)
    endpoint = parse_qs(parts.query).get("endpoint", [""])[0]
    host = parts.netloc.rpartition("@")[2].removeprefix("localhost")
    path = "/" + unquote(parts.path).strip("/")
    if parts.scheme == "file":  # links lead to one place by several names
        path = str(Path(path).resolve())
    return (parts.scheme, host, endpoint), PurePosixPath(path)
