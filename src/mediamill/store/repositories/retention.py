"""What retention needs to find what has to go, beside files and results themselves."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Index, Key, Record
from mediamill.core.retention import Held
from mediamill.store.port import Absent, Action, Page, Put, Store, Update, key_index
from mediamill.store.repositories.datasets import Datasets
from mediamill.store.repositories.files import File
from mediamill.store.repositories.results import Result

BATCH = 100


class Origin(Record, frozen=True, kw_only=True):
    """A file that its owner deleted while results of it stay: these go when it would have gone."""

    table = "origins"
    key = Key("id")
    indexes = (
        Index("origin_aging", partition=("source",), sort=("created", "id"), shards=8),
    )  # fmt: skip

    id: str
    """The file's."""
    owner: str
    source: str
    created: int
    expired: int | None = None
    """When retention took it (ms)."""
    counted: int | None = None
    """When its results began to go (ms)."""
    purges: int = 0
    """Grows whenever results of it are removed, so that of two at once one sees that it is last."""
    kept: int | None = None
    """Until when its results stay whatever the rules say (ms), as in `File`."""


class CutShort(Record, frozen=True, kw_only=True):
    """A job that ended with inputs that have no outcome: only its manifests know of them."""

    table = "jobs_cut_short"
    key = Key("owner", "job")

    owner: str
    job: str


class Sweep(Record, frozen=True, kw_only=True):
    """What retention has done for one source."""

    table = "sweeps"
    key = Key("source")

    source: str
    swept: int | None = None
    """When it looked last (ms)."""
    files: int = 0
    """Files that it removed, ever."""
    bytes: int = 0
    rule: str | None = None
    """The rule in force, as the setting writes it; None when none was looked at yet."""
    wanted: str | None = None
    """A shorter rule that a worker has, and that is not in force yet."""
    since: int | None = None
    """Since when that is wanted (ms)."""

    def held(self, rule: str) -> Held:
        """Return what is in force; `rule` where nothing was noted yet."""
        return Held(self.rule or rule, self.wanted, self.since)


A = TypeVar("A", File, Origin)


class Aging:
    """Files, and what is left of deleted ones, by source in the order in which they came."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def files(
        self, source: str, until: int, after: str | None, limit: int, first: int | None = None
    ) -> Page[File]:
        """List files of a source that came in up to a time (ms), and from one on, oldest first."""
        return await self._older(File, "file_aging", source, first, until, after, limit)

    async def origins(
        self, source: str, until: int, after: str | None, limit: int, first: int | None = None
    ) -> Page[Origin]:
        """List likewise what is left of files that their owners deleted."""
        return await self._older(Origin, "origin_aging", source, first, until, after, limit)

    async def _older(
        self, kind: type[A], index: str, source: str, first: int | None, until: int,
        after: str | None, limit: int,
    ) -> Page[A]:  # fmt: skip
        return await self.store.query(
            kind, kind.index(index), source, at_least=first, at_most=until, after=after, limit=limit
        )

    async def going(self, files: Iterable[str]) -> set[str]:
        """Return those of some file ids whose results go now."""
        return {row.id for row in await self._rows(files) if row.expired and row.counted}

    async def expired(self, files: Iterable[str]) -> set[str]:
        """Return those of some file ids that retention has taken."""
        return {row.id for row in await self._rows(files) if row.expired}

    async def known(self, files: Iterable[str]) -> dict[str, File | Origin]:
        """Return the rows of some files by their ids, whatever is left of them."""
        return {row.id: row for row in await self._rows(files)}

    async def _rows(self, files: Iterable[str]) -> list[File | Origin]:
        ids = list(dict.fromkeys(files))
        found: list[File | Origin] = []
        for start in range(0, len(ids), BATCH):
            keys = [(each,) for each in ids[start : start + BATCH]]
            files_ = await self.store.get_many(File, keys)
            found += [row for row in files_ if row is not None]
            lacking = [key for key, row in zip(keys, files_, strict=True) if row is None]
            if lacking:
                origins = await self.store.get_many(Origin, lacking)
                found += [row for row in origins if row is not None]
        return found

    async def results(
        self, file: str, after: str | None = None, limit: int = 1000, job: str | None = None
    ) -> Page[Result]:
        """List what was made of a file in all jobs and stages, by job; or in one job."""
        index = Result.index("result_root")
        return await self.store.query(
            Result, index, file, at_least=job, at_most=job, after=after, limit=limit
        )

    async def jobs(self, file: str) -> list[str]:
        """List the jobs that hold something that was made of a file."""
        index, found = Result.index("result_root"), list[str]()
        while True:
            behind = f"{found[-1]}!" if found else None
            page = await self.store.query(Result, index, file, at_least=behind, limit=1)
            if not page.rows:
                return found
            found.append(page.rows[0].job)

    async def has_results(self, file: str) -> bool:
        """Tell whether something is left of what was made of a file."""
        return bool((await self.results(file, limit=1)).rows)

    async def has_traces(self, file: str) -> bool:
        """Tell whether results of a file are left, or images of frozen versions made of it."""
        return await self.has_results(file) or bool(await Datasets(self.store).made_of(file, 1))

    async def cut_short(self, owner: str, since: str, after: str | None = None) -> Page[CutShort]:
        """List an owner's jobs that were cut short, of ids from one on."""
        index = key_index(CutShort)
        return await self.store.query(CutShort, index, owner, at_least=since, after=after)


class Sweeps:
    """Reads of what was done, and the action that counts."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def all(self, sources: Sequence[str]) -> list[Sweep]:
        """Return what was done for some sources."""
        rows = await self.store.get_many(Sweep, [(source,) for source in sources])
        return [row or Sweep(source=each) for each, row in zip(sources, rows, strict=True)]

    async def counting(self, source: str, size: int) -> list[Action]:
        """Make the action that counts a file that is removed."""
        await self._begin(source)
        return [Update(Sweep, (source,), add={"files": 1, "bytes": size})]

    async def hold(self, source: str, rule: str, now: int, *, sure: bool = False) -> Held:
        """Note the rule that a worker has; return what is in force by now, that when `sure`."""
        done = (await self.all([source]))[0]
        held = Held(rule) if sure else done.held(rule).asked(rule, now)
        if (held.rule, held.wanted, held.since) != (done.rule, done.wanted, done.since):
            await self._begin(source)
            fields = {"rule": held.rule, "wanted": held.wanted, "since": held.since}
            await self.store.transact(Update(Sweep, (source,), set=fields))
        return held

    async def note(self, source: str, now: int) -> None:
        """Write down that it was looked."""
        await self._begin(source)
        await self.store.transact(Update(Sweep, (source,), set={"swept": now}))

    async def _begin(self, source: str) -> None:
        if await self.store.get(Sweep, source) is None:
            try:
                await self.store.transact(Put(Sweep(source=source), when=(Absent(),)))
            except ConditionFailed:
                return  # another was first
