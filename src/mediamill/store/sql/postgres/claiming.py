"""A claim in one statement: `FOR UPDATE SKIP LOCKED` over the lanes in turn.

The joins are nested loops, since each part refers to the one before, so they end at the first unit
that nobody else has in hand: a claim reads as many index entries as it passes over, and sorts
nothing. A unit that somebody has changed since the statement began is judged as it is now.
"""

from collections.abc import Sequence

from mediamill.store.codec import layout_of
from mediamill.store.repositories.units import Unit
from mediamill.store.sql.postgres.clock import CLOCK
from mediamill.store.sql.postgres.committing import commit_one
from mediamill.store.sql.postgres.login import Connection
from mediamill.store.sql.statements import listed

# the order of locks is everybody's: units before their lane
_CLAIM = f"""
WITH clock AS MATERIALIZED (
    SELECT COALESCE(%s, {CLOCK}) AS ms
), picked AS (
    SELECT unit."group", unit."seq"
    FROM unnest(%s::text[]) AS class ("name")
    CROSS JOIN LATERAL (
        SELECT "klass", "owner" FROM "lanes"
        WHERE "active" = class."name" COLLATE "C"
        ORDER BY "active", "vtime", "owner"
    ) AS lane
    CROSS JOIN LATERAL (
        SELECT "group", "seq" FROM "units"
        WHERE "queue" = lane."klass" || '|' || lane."owner"
            AND "due" <= (SELECT ms FROM clock)
        ORDER BY "queue", "due", "group", "seq"
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    ) AS unit
    LIMIT 1
), taken AS (
    UPDATE "units" SET
        "state" = 'leased',
        "fence" = "fence" + 1,
        "due" = (SELECT ms FROM clock) + %s,
        "holder" = %s,
        "started" = COALESCE(NULLIF("started", 0), (SELECT ms FROM clock)),
        "lost" = "lost" + ("state" = 'leased')::int
    FROM picked
    WHERE "units"."group" = picked."group" AND "units"."seq" = picked."seq"
    RETURNING "units".*
), charged AS (
    UPDATE "lanes" SET "vtime" = "vtime" + taken."cost"
    FROM taken
    WHERE "lanes"."klass" = taken."klass" AND "lanes"."owner" = taken."owner"
)
SELECT {listed(layout_of(Unit).by_name)} FROM taken
"""  # noqa: S608 - names come quoted from declarations, values are always bound


async def claim(
    connection: Connection, klasses: Sequence[str], holder: str, lease_ms: int, now: int | None
) -> Unit | None:
    """Claim a unit; `now` (ms) stands in for the database's time. Raises as `commit` does."""
    cursor = await commit_one(connection, _CLAIM, (now, [*klasses], lease_ms, holder))
    row = await cursor.fetchone()
    return None if row is None else layout_of(Unit).decode(row)
