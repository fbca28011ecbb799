"""Make one result again: by the steps, seed, agreement, annotations and partners that it had.

A replay is a job of one item, which begins in the stage that made the result. What it makes is
told from the original by its SHA-256; where the two differ, libraries and processor in the lineage
of both say why. Of a frame that a project took out of a job's archive the archive is made again.

A report is made of a whole set: its replay measures all inputs again, which are listed in the
background, and reduces that. Measures are not copied: they name all inputs, so a copy would be one
more place where retention has to look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.access import Principal, Right
from mediamill.core.errors import ConditionFailed, InvalidInput, NotFound, Unavailable
from mediamill.core.ids import new_id
from mediamill.engine.gathering.again import SOURCE, same
from mediamill.engine.gathering.members import Listings
from mediamill.engine.gathering.sources import Sources
from mediamill.engine.stages import Piece, Stage, StageKind, item_units, pass_unit, split
from mediamill.operations.catalogue import Catalogue
from mediamill.parts import Parts
from mediamill.services.access import Access
from mediamill.services.jobs.retrying import opened
from mediamill.services.repeats.attempts import made_before
from mediamill.store.port import Absent, Action, Put
from mediamill.store.repositories.files import File
from mediamill.store.repositories.gates import Gates
from mediamill.store.repositories.jobs import Entry, Job, JobState, Manifests
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.results import Result, Results, parse_result_file
from mediamill.store.repositories.units import Unit, Units
from mediamill.store.repositories.usage import Usages

LOOKS = 20
"""How often inputs are looked at while others of the owner's files go for good."""


@dataclass(frozen=True)
class Original:
    """A result, the job and stage that made it, and what it was made of."""

    file: str
    """Its id."""
    job: Job
    result: Result
    stage: Stage
    entries: Sequence[Entry]
    """Its input, and those that were mixed into it; none where it was made of a whole set."""

    @property
    def steps(self) -> int:
        """How many of the job's steps made it."""
        return self.stage.first + len(self.stage.steps)

    @property
    def agreed(self) -> dict[str, dict[str, Any]]:
        """What the job's steps had agreed on by then: of a set its own comes of it."""
        known = self.job.agreed
        if self.entries:
            return known
        return {step: said for step, said in known.items() if int(step) < self.stage.first}


@dataclass
class Replays:
    """Begins replays for the owner of a job."""

    access: Access
    units: Units
    manifests: Manifests
    results: Results
    lookup: FileLookup
    usages: Usages
    catalogue: Catalogue
    bell: Doorbell
    sources: Sources

    @classmethod
    def over(cls, parts: Parts, access: Access) -> "Replays":
        """Make the service over open backends."""
        nouns = parts.nouns
        return cls(
            access, nouns.units, nouns.manifests, nouns.results, nouns.lookup, nouns.usages,
            parts.operations, parts.bell, parts.sources,
        )  # fmt: skip

    async def begin(self, principal: Principal, file_id: str) -> Job:
        """Accept the job that makes a result file again; raises `NotFound`, `InvalidInput`."""
        if made := await made_before(self.units.store, principal, Job, "job"):
            return made
        job_id, gates = new_id("job"), Gates(self.units.store)
        for _ in range(LOOKS):
            turn, now = await gates.turn(principal.user), await self.units.store.now()
            original = await self._original(principal, file_id, now)
            await self.usages.require(principal.user, 1)
            job = self._draft(original, job_id, now)
            pages, units = await self._begun(job, original, now)
            gate = gates.still(principal.user, turn)
            job = opened(job, now)
            charge = await self.usages.open_job(job.owner, job.month, job.reserved)
            actions: tuple[Action, ...] = (Put(job, when=(Absent(),)), gate, *pages, *charge)
            try:
                async with self.usages.refusing(job.owner, actions):
                    await self.units.insert(units, *actions)
            except ConditionFailed:
                continue
            for klass in dict.fromkeys(unit.klass for unit in units):
                await self.bell.ring(f"work:{klass}")
            return job
        raise Unavailable("Files of yours are being removed just now: try again in a moment.")

    async def _original(self, principal: Principal, file_id: str, now: int) -> Original:
        """Return what is known of a result file that its owner may have made again, by now (ms)."""
        made = await self._made(principal, file_id)
        place = parse_result_file(made)
        if place is None:
            raise InvalidInput("Only what a job made can be made again; this came in as it is.")
        job = await self.access.load(principal, Job, place[0])
        result = await self.results.get(*place[:3])
        if result is None or result.expired or place[3] not in dict(result.outputs):
            raise NotFound(f"There is no file {made}.")
        stages = split(self.catalogue.build_all(job.steps))
        if stages[result.stage].asks:
            raise InvalidInput("A model answers otherwise each time: run the job again instead.")
        if stages[result.stage].kind is StageKind.REDUCE:
            return Original(made, job, result, stages[result.stage], ())
        items = [result.item, *result.lineage.get("partners", ())]
        found = await self.manifests.at(job.id, result.stage, items)
        entries = [found[item] for item in items]
        files = await self.lookup.get_many([entry.file for entry in entries], at=now)
        listings = Listings(self.sources.members)
        again = [
            await same(entry, file, job.created, listings)
            for entry, file in zip(entries, files, strict=True)
        ]
        return Original(made, job, result, stages[result.stage], again)

    async def _made(self, principal: Principal, file_id: str) -> str:
        """Return the id of the result that a file is, or was taken out of; else its own."""
        if parse_result_file(file_id) is not None:
            return file_id
        file = await self.access.load(principal, File, file_id, Right.EDIT)
        return str(file.lineage.get("archive", file_id))

    def _draft(self, original: Original, job_id: str, now: int) -> Job:
        """Make the job: of the steps up to that stage, with what they had agreed on.

        Of a set it begins by measuring.
        """
        before, of_one = original.job, bool(original.entries)
        return Job(
            id=job_id,
            owner=before.owner,
            listed=before.owner,
            active=before.owner,
            open="open",
            checked=now,
            name=f"Replay of {original.result.name}"[:200],
            inputs={"source": SOURCE, "id": original.file},
            steps=before.steps[: original.steps],
            klass="interactive" if of_one else before.klass,
            seed=before.seed,
            state=JobState.RUNNING if of_one else JobState.EXPANDING,
            stage=original.result.stage - (not of_one),
            stages=original.result.stage + 1,
            items=int(of_one),
            agreed=original.agreed,
            reuse=False,
            mail=False,
            expanded=of_one,
            units=int(of_one),
            cost=float(of_one),
            created=now,
        )

    async def _begun(
        self, job: Job, original: Original, now: int
    ) -> tuple[Sequence[Action], Sequence[Unit]]:
        """Return what lists the job's inputs, and what works on them; of a set both is to come."""
        if not original.entries:
            return (), [pass_unit(job, "gather", now)]
        first, *others = [await self._own(job, entry) for entry in original.entries]
        mixed = tuple(range(1, len(original.entries)))
        entries = [msgspec.structs.replace(first, partners=mixed), *others]
        page = await self.manifests.page(job.id, job.stage, 0, entries)
        return (page,), item_units(job, original.stage, [[Piece(0, 1.0, alone=True)]], 0, now)

    async def _own(self, job: Job, entry: Entry) -> Entry:
        """Return an input as one of the replay, which keeps what is marked on it by itself."""
        data = await self.manifests.annotations(entry)
        plain = msgspec.structs.replace(entry, annotations=b"", annotations_blob="", weight=None)
        return await self.manifests.annotated(plain, job.id, data)
