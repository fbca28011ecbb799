"""What the address of a PostgreSQL database says to libpq, and what it says to us.

    postgresql://user:password@host:port/database?sslmode=verify-full&…

Without a host it means the socket of this machine. Only backends that speak to PostgreSQL import
this.
"""

from collections.abc import Set as AbstractSet
from urllib.parse import parse_qsl, quote, urlencode

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from mediamill.core.plaintext import refuse_plaintext

FORM = (
    "write postgresql://user:password@host:port/database, with %2F for / in a password, %40 for @ "
    "and so on"
)
PRIVATE = ("require", "verify-ca", "verify-full")
INSTEAD = "sslmode=verify-full, or require; `prefer`, libpq’s own choice, falls back to plaintext"
REFUSING = ("authentication failed", "no password supplied", "not permitted to log in")
"""A server tells no code before it has let somebody in, and its words may be in any language; these
are for what it refuses without having asked for a password."""


def read(url: str, ours: AbstractSet[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what a URL says to libpq, and the parameters that are ours.

    Raises `ValueError`, whose text never holds the password.
    """
    place, _, query = url.partition("?")
    try:
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError:
        raise ValueError(FORM) from None
    mine = {name: options.pop(name) for name in ours & options.keys()}
    libpq = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    if unknown := options.keys() - libpq:
        known = ", ".join(sorted(ours))
        raise ValueError(f"unknown parameter {', '.join(unknown)}; ours: {known}, and libpq's")
    theirs = urlencode(options, quote_via=quote)  # libpq knows no + for a space
    try:
        given = conninfo_to_dict(f"{place}?{theirs}" if theirs else place)
    except psycopg.ProgrammingError:  # says what it could not read, which may be the password
        raise ValueError(FORM) from None
    return {name: str(value) for name, value in given.items()}, mine


def effective(given: dict[str, str]) -> dict[str, str]:
    """Return what libpq connects with: its environment's choices where nothing is given."""
    defaults = pq.Conninfo.get_defaults()
    return {o.keyword.decode(): o.val.decode() for o in defaults if o.val} | given


def refuse_plain(given: dict[str, str], allowed: str | None) -> None:
    """Raise `ValueError` where passwords may leave the machine unencrypted and unallowed."""
    said = effective(given)
    if said.get("sslmode") in PRIVATE or said.get("gssencmode") == "require":
        return
    place = said.get("hostaddr") or said.get("host")
    if place is None and "service" in said:
        place = f"the host of the service {said['service']}"
    for host in (place or "/").split(","):
        refuse_plaintext(host or "/", allowed, INSTEAD)


def refuses(error: Exception) -> bool:
    """Tell whether a server does not take user or password, or may not: it asked for one."""
    if not isinstance(error, psycopg.OperationalError):
        return False
    at = error.pgconn
    asked = at is not None and (at.used_password or at.needs_password)
    return asked or any(words in str(error) for words in REFUSING)
