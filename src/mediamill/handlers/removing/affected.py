"""Tell what goes of a job when some of its inputs expire, beside what was made of these alone.

of a set   reports and agreements name all inputs: they go with the first of these
mixed      what another input was mixed into
later      what later stages of the job made of such
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mediamill.store.repositories.results import Result, Results, parse_result_file
from mediamill.store.repositories.retention import Aging

BATCH = 100
NAMES = frozenset({"file", "name", "path", "sha256"})
"""What an agreement says of the input that it took as its reference."""

Key = tuple[str, int, int]


class Affected:
    """Chooses results of one stage after the other, of pages of rows."""

    def __init__(self, results: Results, aging: Aging) -> None:
        self.results, self.aging = results, aging

    async def at_once(self, rows: Sequence[Result]) -> list[Result]:
        """Return those made of files that go now, and those made of a whole set."""
        going = await self.aging.going(row.source for row in rows if row.source)
        return [row for row in rows if row.source in going or _of_a_set(row)]

    async def besides(self, rows: Sequence[Result]) -> list[Result]:
        """Return those with which something was mixed, or that were made of such, that is gone."""
        waiting = {row.key_values(): [*_beside(row)] for row in rows if not row.expired}
        wanted = dict.fromkeys(key for keys in waiting.values() for key in keys)
        gone = {row.key_values() for row in await self._rows([*wanted]) if row.expired}
        return [row for row in rows if not gone.isdisjoint(waiting.get(row.key_values(), ()))]

    async def _rows(self, keys: Sequence[Key]) -> list[Result]:
        found: list[Result] = []
        for start in range(0, len(keys), BATCH):
            rows = await self.results.store.get_many(Result, keys[start : start + BATCH])
            found += [row for row in rows if row is not None]
        return found


def _of_a_set(row: Result) -> bool:
    """Tell whether a result was made of all measures of its job, which are no file."""
    return not (row.expired or row.input or row.root) and bool(row.name)


def _beside(row: Result) -> Iterator[Key]:
    """Yield the results that a result depends on: of its partners, and its input if it is one."""
    for partner in row.lineage.get("partners", ()):
        yield row.job, row.stage, partner
    made = parse_result_file(row.input)
    if made is not None and made[0] == row.job:
        yield made[:3]


def without_names(agreed: Any, gone: Iterable[str]) -> Any:
    """Return what was agreed without what it says of files that are gone; numbers stay."""
    if isinstance(agreed, dict):
        hidden = NAMES if agreed.get("file") in {*gone} else ()
        return {key: without_names(each, gone) for key, each in agreed.items() if key not in hidden}
    return agreed


def files_in(agreed: Any) -> Iterator[str]:
    """Yield the ids of the files that an agreement names."""
    if isinstance(agreed, dict):
        if isinstance(file := agreed.get("file"), str):
            yield file
        for each in agreed.values():
            yield from files_in(each)
