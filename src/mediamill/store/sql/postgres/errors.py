"""What PostgreSQL's errors mean here."""

import psycopg
from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout

from mediamill.core.errors import ConfigurationError, MediamillError, StorageFull, Unavailable

SETTING = "MEDIAMILL_STORE_URL"

COLLIDED = errors.DeadlockDetected, errors.SerializationFailure
"""Nothing was written, and the same again may well work."""
AWAY = psycopg.OperationalError, psycopg.InterfaceError
"""The connection, or the server, is gone or going."""
_UNAVAILABLE: dict[type[Exception], str] = {
    PoolTimeout: "No connection to the database was free, or it is away.",
    PoolClosed: "The store is closed.",
}
_REFUSED = (
    errors.InvalidPassword,
    errors.InvalidAuthorizationSpecification,
    errors.InvalidCatalogName,
)


def translated(error: Exception) -> Exception:
    """Turn a driver's error into one of ours; others are returned as they are."""
    match error:
        case errors.DiskFull():
            return StorageFull("The database's disk is full.")
        case errors.DataError() | errors.IntegrityError():
            return ValueError(f"A value does not fit its column: {first_line(error)}")
        case errors.UndefinedTable() | errors.UndefinedColumn() | errors.InsufficientPrivilege():
            return MediamillError(f"The database does not fit this program: {first_line(error)}")
        case psycopg.Error():
            return Unavailable(_UNAVAILABLE.get(type(error)) or _failed(error))
    return error


def _failed(error: Exception) -> str:
    return f"The database failed: {first_line(error)}"


def unopened(error: Exception) -> Exception:
    """Say why a database could not be opened."""
    if isinstance(error, _REFUSED) or "authentication failed" in str(error):
        message = f"{SETTING}: the database refuses the connection: {first_line(error)}"
        return ConfigurationError(message, setting=SETTING)
    return translated(error)


def first_line(error: Exception) -> str:
    """Return what an error says, without the lines that repeat the statement."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
