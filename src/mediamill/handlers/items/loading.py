"""Load the inputs of a unit: their files, their partners, and the digest of it all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mediamill.core.errors import MediamillError, NotFound, UnsupportedMedia, by_code
from mediamill.core.kinds import misfit
from mediamill.engine.reuse import Digests
from mediamill.engine.stages import Stage
from mediamill.handlers.items.partners import Partners
from mediamill.handlers.items.steps import Work, measures_file
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Entry, Job, Manifests
from mediamill.store.repositories.lookup import FileLookup


@dataclass(frozen=True)
class Unfit:
    """An input that cannot be run, and why."""

    item: int
    entry: Entry
    why: MediamillError
    file: File | None = None


@dataclass
class Loading:
    """Loads inputs of one stage of a job."""

    job: Job
    stage: int
    cut: Stage
    digests: Digests
    manifests: Manifests
    lookup: FileLookup
    partners: Partners | None = None

    async def load(self, items: Sequence[int]) -> tuple[list[Work], list[Unfit]]:
        """Return inputs that are there to be run, and those that are not."""
        entries = await self.manifests.at(self.job.id, self.stage, items)
        ids = [entries[item].file for item in items]
        files = await self.lookup.get_many(ids, at=self.job.created)
        good, unfit = dict[int, tuple[Entry, File]](), list[Unfit]()
        for item, found in zip(items, files, strict=True):
            entry = entries[item]
            file = measures_file(self.job, entry) if entry.blob else found
            problem = self._problem(entry, file)
            if problem is not None or file is None:
                why = problem or NotFound(f"The input {entry.name} was deleted.")
                unfit.append(Unfit(item, entry, why, file))
            else:
                good[item] = (entry, file)
        beside = await self._beside(good)
        works = [Work(item, *one, partners=beside.get(item, ())) for item, one in good.items()]
        return [self.digested(work) for work in works], unfit

    def digested(self, work: Work) -> Work:
        """Return an input with the digest of it and its partners."""
        beside = [partner.entry for partner in work.partners]
        return replace(work, digest=self.digests.of(work.file, work.entry, beside, work.item))

    async def _beside(
        self, inputs: Mapping[int, tuple[Entry, File]]
    ) -> Mapping[int, tuple[Work, ...]]:
        if self.partners is None:
            return {}
        return await self.partners.of(self.job, self.stage, self.cut, inputs)

    def _problem(self, entry: Entry, file: File | None) -> MediamillError | None:
        """Return what keeps an input from being run, or None."""
        if entry.problem is not None:
            return by_code(entry.problem.code)(entry.problem.message)
        first, last = self.cut.steps[0], self.cut.steps[-1]
        step = last if entry.reference else first
        if file is None or entry.path or entry.blob or step.takes(file.media_type):
            return None
        name = self.job.steps[self.cut.first].operation
        return UnsupportedMedia(misfit(name, step.accepts, entry.name, file.media_type))
