"""Open a table by its URL: `dynamodb://table?region=…`, with these parameters if need be.

    endpoint   another server than AWS's, `http://127.0.0.1:8000`
    lag        seconds after which every index shows a write for certain; 60 unless told
    protected  `false` makes a table that can be deleted
    allow_plaintext  `true` lets an endpoint elsewhere be `http:`, on a network that you trust

Credentials come from where AWS's own tools look for them: the environment, a profile, the role of
the task or machine. docs/how-to/dynamodb.md lists the permissions that they need.
"""

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from mediamill.core import aws
from mediamill.core.clock import Clock
from mediamill.core.errors import ConfigurationError
from mediamill.core.plaintext import ALLOWING
from mediamill.core.records import Record
from mediamill.store.calls import changes_of
from mediamill.store.dynamodb import table
from mediamill.store.dynamodb.errors import Again, said, translated
from mediamill.store.dynamodb.items import shape_of
from mediamill.store.dynamodb.store import DynamoStore
from mediamill.store.port import Put
from mediamill.store.versions import SETTING

TRIES = 4
OPTIONS = {"region": "", "endpoint": "", "lag": "60", "protected": "true", ALLOWING: "false"}


async def open(  # noqa: A001 - the name that every backend module has
    url: str, extra_kinds: Iterable[type[Record]] = (), clock: Clock | None = None
) -> DynamoStore:
    """Open the table that a URL names, made when it is missing.

    Raises `ValueError` for a bad parameter, `ConfigurationError` for a table, credentials or a
    server that will not do.
    """
    name, options = _read(url)
    if not table.fits(extra_kinds):
        raise ValueError(f"a kind of record has more than {table.INDEXES} indexes")
    closing = _client(options)
    try:
        client = await closing.__aenter__()
    except NoCredentialsError as error:
        raise _wrong(_reason(error, name, options)) from error
    except BotoCoreError as error:  # no region
        raise _wrong(f"{error} Write dynamodb://{name}?region=….") from error
    try:
        await _prepared(client, name, protected=options["protected"] == "true")
    except BaseException as error:
        await closing.__aexit__(None, None, None)
        if isinstance(error, ClientError | BotoCoreError | TimeoutError | OSError):
            raise _wrong(_reason(error, name, options)) from error
        raise
    return DynamoStore(client, closing, name, clock, int(1000 * float(options["lag"])))


def fits(record: Record) -> None:
    """Raise `ValueError` for a record that no table can hold."""
    (change,) = changes_of([Put(record)])
    shape_of(type(record)).item(change.row)


def _read(url: str) -> tuple[str, dict[str, str]]:
    """Return the table's name and all options; raises `ValueError`."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    if not parts.hostname or parts.path.strip("/"):
        raise ValueError("write dynamodb://table?region=…")
    if unknown := given.keys() - OPTIONS.keys():
        known = ", ".join(OPTIONS)
        raise ValueError(f"unknown parameter {', '.join(sorted(unknown))}; known: {known}")
    options = OPTIONS | given
    if not options["lag"].isdecimal():
        raise ValueError("lag is a number of seconds")
    if options["protected"] not in ("true", "false"):
        raise ValueError("protected is true or false")
    if options["endpoint"]:
        aws.check_endpoint(options["endpoint"], options[ALLOWING])
    return parts.netloc, options


def _client(options: dict[str, str]) -> AbstractAsyncContextManager[Any]:
    """Make a client that asks once: `wire.py` knows better what may be asked again."""
    return aws.client(
        "dynamodb",
        region=options["region"],
        endpoint=options["endpoint"],
        connect_timeout=5,
        read_timeout=10,
        max_pool_connections=50,
        retries={"mode": "standard", "total_max_attempts": 1},
    )


async def _prepared(client: Any, name: str, *, protected: bool) -> None:
    """Prepare the table, again after a failure that passes."""
    for left in reversed(range(TRIES)):
        try:
            await table.prepare(client, name, protected=protected)
        except (ClientError, BotoCoreError, TimeoutError, OSError) as error:
            if not left or not isinstance(translated(error), Again):
                raise
        else:
            return
        await asyncio.sleep(0.2)


def _reason(error: BaseException, name: str, options: dict[str, str]) -> str:
    """Say what to look at when a table cannot be opened."""
    where = options["endpoint"] or f"DynamoDB in {options['region'] or 'the profile’s region'}"
    if not isinstance(error, ClientError):
        return f"{where} cannot be used: {error or type(error).__name__}"
    code, message = said(error)
    return (
        f"{where} refuses the table {name}: {message} ({code}). Check region, credentials, and the "
        "permissions in docs/how-to/dynamodb.md."
    )


def _wrong(message: str) -> ConfigurationError:
    return ConfigurationError(f"{SETTING}: {message}", setting=SETTING)
