"""What `MEDIAMILL_STORE_URL` says for PostgreSQL, and what it need not say.

Ours are `pool`, `timeout`, `prepare` and `allow_plaintext`; all other parameters are libpq's. A
connection that leaves the machine is encrypted (`sslmode=require` or better) or allowed not to be.

Unless the URL says otherwise, both ends give up a connection whose other end is silent, so that
what a worker held that was cut off is free within half a minute; and no statement, wait for a lock
or open transaction lasts for ever. Every statement of ours reads by an index; the planner is told
so, since what it counted of a table that fills and empties within minutes is mostly wrong.
"""

from dataclasses import dataclass, field

from psycopg.conninfo import make_conninfo

from mediamill.core.libpq import read, refuse_plain
from mediamill.core.plaintext import ALLOWING

POOL = 8
TIMEOUT = 10.0
OURS = frozenset({"pool", "timeout", "prepare", ALLOWING})
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

    conninfo: str = field(repr=False)
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
        given, ours = read(url, OURS)
        if not given.get("dbname"):
            raise ValueError("write postgresql://user:password@host:port/database")
        refuse_plain(given, ours.get(ALLOWING))
        return cls(make_conninfo(**DEFAULTS | given), *_checked(ours))


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
