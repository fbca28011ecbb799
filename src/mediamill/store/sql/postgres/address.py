"""What `MEDIAMILL_STORE_URL` says for PostgreSQL, and what it need not say.

Ours are `pool`, `timeout` and `prepare`; all other parameters are libpq's. Unless the URL says
otherwise, both ends give up a connection whose other end is silent, so that what a worker held that
was cut off is free within half a minute; and no statement, wait for a lock or open transaction
lasts for ever. Every statement of ours reads by an index; the planner is told so, since what it
counted of a table that fills and empties within minutes is mostly wrong.
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from psycopg import ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

POOL = 8
TIMEOUT = 10.0
OURS = frozenset({"pool", "timeout", "prepare"})
SESSION = {
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "5s",
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "enable_seqscan": "off",
    "enable_sort": "off",
    "jit": "off",
}
DEFAULTS = {
    "application_name": "mediamill",
    "connect_timeout": "10",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "options": " ".join(f"-c {name}={value}" for name, value in SESSION.items()),
}


@dataclass(frozen=True)
class Address:
    """A database, and how many connections to it are used how."""

    conninfo: str
    """For libpq; it may hold a password."""
    pool: int = POOL
    """The most connections of this process."""
    timeout: float = TIMEOUT
    """Seconds that a call waits for a connection before it is `Unavailable`."""
    prepare: bool = True
    """Statements are prepared at the server; not through an old pgbouncer."""

    @classmethod
    def of(cls, url: str) -> "Address":
        """Read a URL; raises `ValueError`, whose text never holds the password."""
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        given = dict(query)
        if not parts.path.strip("/"):
            raise ValueError("write postgresql://user:password@host:port/database")
        ours = {name: given.pop(name) for name in OURS & given.keys()}
        libpq = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
        if unknown := given.keys() - libpq:
            known = ", ".join(sorted(OURS))
            raise ValueError(f"unknown parameter {', '.join(unknown)}; ours: {known}, and libpq's")
        theirs = urlencode(given, quote_via=quote)  # libpq knows no + for a space
        return cls(_conninfo(parts._replace(query=theirs).geturl()), *_checked(ours))


def _conninfo(url: str) -> str:
    try:
        return make_conninfo(url, **DEFAULTS | conninfo_to_dict(url))
    except ProgrammingError:  # says what it could not read, which may be the password
        raise ValueError(
            "write postgresql://user:password@host:port/database, with %2F for / in a password, "
            "%40 for @ and so on"
        ) from None


def _checked(ours: dict[str, str]) -> tuple[int, float, bool]:
    prepare = ours.get("prepare", "yes")
    try:
        pool, timeout = int(ours.get("pool", POOL)), float(ours.get("timeout", TIMEOUT))
    except ValueError:
        pool, timeout = 0, 0.0
    if not 1 <= pool <= 200 or not 0 < timeout <= 600:
        raise ValueError("pool is 1 to 200, timeout is up to 600 seconds")
    if prepare not in ("yes", "no"):
        raise ValueError("prepare is yes or no")
    return pool, timeout, prepare == "yes"
