"""What PostgreSQL's errors mean here."""

import psycopg
import structlog
from psycopg import errors

from mediamill.core.errors import (
    ConfigurationError,
    Locked,
    MediamillError,
    StorageFull,
    Unavailable,
)
from mediamill.store.watching import Reason

log = structlog.get_logger(__name__)

SETTING = "MEDIAMILL_STORE_URL"

COLLIDED = errors.DeadlockDetected, errors.SerializationFailure
"""Nothing was written, and the same again may well work."""
READ_ONLY = "SHOW transaction_read_only"
_BUSY = errors.QueryCanceled, errors.LockNotAvailable
_STRANGE = errors.UndefinedTable, errors.UndefinedColumn, errors.InsufficientPrivilege
_UNPREPARED = errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement
_REFUSED = (
    "authentication failed",
    "no password supplied",
    "not permitted to log in",
    "pg_hba.conf",
    "does not exist",
    "permission denied",
    "unrecognized configuration parameter",
    "unsupported startup parameter",
    "SSL was required",
    "SSL error",
    "certificate",
)
"""A server tells no code before it has let somebody in; its words have to do."""


def translated(error: psycopg.Error) -> Exception:
    """Turn a driver's error into one of ours that a caller may read; the log has the rest."""
    match error:
        case errors.DataError() | errors.IntegrityError():
            return ValueError(f"A value does not fit its column: {first_line(error)}")
        case errors.DiskFull():
            known: MediamillError = StorageFull("The database's disk is full.")
        case _ if isinstance(error, _STRANGE):
            known = MediamillError(f"The database does not fit this program: {first_line(error)}")
        case _ if isinstance(error, _BUSY):
            known = Unavailable("The database is too busy: it took too long.")
        case _ if isinstance(error, _UNPREPARED):
            known = Unavailable(f"A pooler loses prepared statements: {SETTING} needs prepare=no.")
        case errors.ReadOnlySqlTransaction():
            known = Unavailable("The database takes no writes now.")
        case _:
            known = Unavailable("The database is away.")
    log.warning(known.message, action="store_failed", error=first_line(error))
    return known


def reason(cause: BaseException | None) -> Exception:
    """Say why a transaction that could be tried again did not work in the end."""
    if isinstance(cause, psycopg.Error) and not isinstance(cause, COLLIDED):
        return translated(cause)
    return Unavailable("The database is too busy.")


def again(cause: BaseException | None) -> Reason:
    """Say why a transaction that was not written is tried again."""
    match cause:
        case errors.DeadlockDetected() | errors.SerializationFailure():
            return "collided"
        case None | errors.ReadOnlySqlTransaction():
            return "failed"
        case _:
            return "away"


def unopened(error: psycopg.Error) -> Exception:
    """Say why a database could not be opened, and what to do; never with the password."""
    told = first_line(error)
    if isinstance(error, errors.ReadOnlySqlTransaction):
        remedy = "it is a read-only replica: name the primary, or several hosts and "
        remedy += "target_session_attrs=read-write"
    elif isinstance(error, errors.InsufficientPrivilege):
        remedy = f"its user may not make tables: {told}. Let the user own the database"
    elif isinstance(error, errors.LockNotAvailable):
        return Locked(f"{SETTING}: another process makes or moves this database; try again later.")
    elif any(words in told for words in _REFUSED):
        remedy = f"the database refuses the connection: {told}. See docs/how-to/postgresql.md"
    else:
        return Unavailable(f"{SETTING}: the database does not answer: {told}. Is it running?")
    return ConfigurationError(f"{SETTING}: {remedy}.", setting=SETTING)


def first_line(error: Exception) -> str:
    """Return what an error says, without the lines that repeat the statement."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
