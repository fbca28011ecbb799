"""What `mediamill doctor` says of a database: asked once, and nothing is changed."""

import time

import psycopg

from mediamill.store.sql.migrate import VERSION
from mediamill.store.sql.postgres.address import Address
from mediamill.store.sql.postgres.errors import unopened
from mediamill.store.sql.postgres.pool import Pool

FACTS = """
SELECT current_setting('server_version'), current_setting('transaction_read_only'),
    current_setting('max_connections')::int, to_regclass('schema_version') IS NOT NULL
"""


async def probe(url: str) -> str:
    """Return what answers at a URL, in a few words; raises what `open` raises."""
    address = Address.of(url)
    try:
        async with await Pool(address).connect() as connection:
            row = await (await connection.execute(FACTS)).fetchone()
            version, read_only, most, made = row or ("", "", 0, False)
            if read_only == "on":
                raise psycopg.errors.ReadOnlySqlTransaction
            how = "under TLS" if connection.pgconn.ssl_in_use else "in the clear"
            begun = time.perf_counter()
            schema = await (await connection.execute(VERSION if made else "SELECT 0")).fetchone()
            taken = (time.perf_counter() - begun) * 1000
    except psycopg.Error as error:
        raise unopened(error) from error
    tables = f"schema version {schema[0]}" if schema and made else "no tables yet"
    return (
        f"PostgreSQL {version.partition(' ')[0]}, {tables}, {taken:.1f} ms away, {how}, "
        f"{address.pool} of its {most} connections for each process"
    )
