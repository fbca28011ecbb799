"""What there is to move, and what of it could not be: looked at before anything is written."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mediamill.blobs.claims import CLAIM
from mediamill.blobs.port import BlobInfo, Blobs
from mediamill.core.errors import ConfigurationError, LimitExceeded
from mediamill.core.records import Record
from mediamill.moving.digests import Digests
from mediamill.moving.meter import seconds_for
from mediamill.moving.places import Route
from mediamill.store.opening import Source
from mediamill.store.port import MAX_PAGE
from mediamill.store.repositories.moves import Move
from mediamill.store.repositories.units import Unit, UnitState
from mediamill.store.schema import all_kinds

SHOWN = 20
"""How many of a kind of trouble are named."""


@dataclass
class Survey:
    """Counts of what moves, and what stands out."""

    rows: Counter[str] = field(default_factory=Counter)
    """Records by table."""
    objects: Counter[str] = field(default_factory=Counter)
    """Objects by the first part of their keys."""
    sizes: Counter[str] = field(default_factory=Counter)
    """Their bytes."""
    leased: int = 0
    """Units that a worker had when the service ended."""
    misfits: list[str] = field(default_factory=list)
    """Records that the target cannot hold, each with the reason."""
    missing: list[str] = field(default_factory=list)
    """Objects that records name and that are not there, even before the move."""

    @property
    def seconds(self) -> float:
        """How long a move may take, which goes twice over the records."""
        return seconds_for(2 * self.rows.total(), self.objects.total(), self.sizes.total())

    def require_fit(self) -> None:
        """Raise `LimitExceeded` that names the records which the target cannot hold."""
        if self.misfits:
            raise LimitExceeded(
                "--to-store cannot hold these records; delete or shorten them in the running "
                "service first:\n" + listed(self.misfits)
            )


def listed(lines: Sequence[str]) -> str:
    """Return some lines, indented, and how many more there are."""
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join(f"  {line}" for line in [*lines[:SHOWN], *more])


def moving_kinds() -> tuple[type[Record], ...]:
    """Return the kinds of records that move, by table name."""
    return tuple(kind for kind in all_kinds() if kind is not Move)


async def pages(
    source: Source, kind: type[Record], after: tuple[object, ...] | None = None
) -> AsyncIterator[list[Record]]:
    """Read all records of a kind, in key order."""
    while page := await source.walk(kind, after, MAX_PAGE):
        yield list(page)
        after = page[-1].key_values()


async def survey_rows(
    source: Source, fits: Callable[[Record], None] | None, digests: Digests
) -> Survey:
    """Count all records, note the digests they tell, and find those that do not fit.

    Raises `ConfigurationError` for a source that is itself the target of a move.
    """
    found = Survey()
    if await source.walk(Move, None, 1):
        raise ConfigurationError("A move into the present store is not finished: end that first.")
    for kind in moving_kinds():
        async for page in pages(source, kind):
            found.rows[kind.table] += len(page)
            digests.add(page)
            for record in page:
                _look(record, fits, found)
    return found


def _look(record: Record, fits: Callable[[Record], None] | None, found: Survey) -> None:
    if isinstance(record, Unit) and record.state is UnitState.LEASED:
        found.leased += 1
    if fits is not None:
        try:
            fits(record)
        except ValueError as error:
            key = "/".join(map(str, record.key_values()))
            found.misfits.append(f"{record.table} {key[:200]}: {error}")


async def survey_bytes(found: Survey, sources: Mapping[Route, Blobs], digests: Digests) -> None:
    """Add the objects that go some way to a survey, and those that records name in vain."""
    for route, blobs in sources.items():
        async for info in objects_of(route, blobs):
            prefix = info.key.partition("/")[0]
            found.objects[prefix] += 1
            found.sizes[prefix] += info.size
            digests.see(info.key)
    missing = (key for key in digests.unseen() if any(route.takes(key) for route in sources))
    found.missing = list(missing)


async def objects_of(route: Route, blobs: Blobs, after: str = "") -> AsyncIterator[BlobInfo]:
    """List the objects of a route, by key."""
    async for info in blobs.list("", after=after):
        if route.takes(info.key) and info.key != CLAIM:
            yield info
