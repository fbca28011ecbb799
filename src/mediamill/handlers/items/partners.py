"""Give inputs of jobs their partners (`engine/partnering.py`).

Only what trains is mixed into others: nothing of a test image is to be learnt. A replay names the
partners that there were.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from mediamill.engine.partnering import Ring, drawn
from mediamill.engine.reuse import identity
from mediamill.engine.stages import Stage, StageKind
from mediamill.handlers.items.steps import Work
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Entry, Job, Manifests
from mediamill.store.repositories.lookup import FileLookup

KEPT = 4
"""Sets whose rings are kept."""


@dataclass
class Partners:
    """Draws partners for the inputs of jobs."""

    manifests: Manifests
    lookup: FileLookup
    _rings: OrderedDict[tuple[str, int, int], Ring] = field(default_factory=OrderedDict)

    async def of(
        self, job: Job, stage: int, cut: Stage, inputs: Mapping[int, tuple[Entry, File]]
    ) -> dict[int, tuple[Work, ...]]:
        """Return the partners of inputs by their item, as many as a step wants and the set has.

        They are looked up together: each page of the manifest is read once for all of them.
        """
        wanted = max((step.partners for step in cut.steps), default=0)
        if not wanted or cut.kind is not StageKind.RUN:
            return {}
        chosen = {
            item: await self._chosen(job, stage, entry, file, wanted)
            for item, (entry, file) in inputs.items()
            if file.sha256
        }
        named = sorted({one for some in chosen.values() for one in some})
        entries = await self.manifests.at(job.id, stage, named)
        found = await self.lookup.get_many([entries[one].file for one in named], at=job.created)
        works = {
            item: Work(item, entries[item], file)
            for item, file in zip(named, found, strict=True)
            if file is not None
        }
        return {
            item: tuple(works[one] for one in some if one in works) for item, some in chosen.items()
        }

    async def _chosen(
        self, job: Job, stage: int, entry: Entry, file: File, wanted: int
    ) -> list[int]:
        """Draw the partners of an input, unless it names them."""
        if entry.partners:
            return [*entry.partners]
        return drawn(await self._ring(job, stage), job.seed, identity(file, entry), wanted)

    async def _ring(self, job: Job, stage: int) -> Ring:
        """Return the ring of a stage, which is made once for each generation of a job."""
        key = (job.id, stage, job.generation)
        if key not in self._rings:
            self._rings[key] = await self._made(job, stage)
            while len(self._rings) > KEPT:
                self._rings.popitem(last=False)
        self._rings.move_to_end(key)
        return self._rings[key]

    async def _made(self, job: Job, stage: int) -> Ring:
        ring = Ring()
        async for item, entry in self.manifests.walk(job.id, stage, job.items):
            if entry.digest and entry.trains and not entry.reference:
                ring.add(entry.digest, item)
        return ring.closed()
