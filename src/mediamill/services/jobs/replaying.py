"""Make one result again: by the steps, seed, agreement, annotations and partners that it had.

A replay is a job of one item, which begins in the stage that made the result. What it makes is
told from the original by its SHA-256; where the two differ, libraries and processor in the lineage
of both say why. Of a frame that a project took out of a job's archive the archive is made again.

A report is not: its one input are measures that name all inputs of the job, so a copy of them would
be one more place where retention has to look. Run again, the job makes the same report.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from mediamill.adapters.brokers.port import Doorbell
from mediamill.core.access import Principal, Right
from mediamill.core.errors import ConditionFailed, InvalidInput, NotFound, Unavailable
from mediamill.core.ids import new_id
from mediamill.engine.stages import Piece, Stage, StageKind, item_units, split
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
from mediamill.store.repositories.units import Units
from mediamill.store.repositories.usage import Usages

LOOKS = 20
"""How often inputs are looked at while others of the owner's files go for good."""


@dataclass(frozen=True)
class Original:
    """A result, the job and stage that made it, and its input with those mixed into it."""

    file: str
    """Its id."""
    job: Job
    result: Result
    stage: Stage
    entries: Sequence[Entry]


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

    @classmethod
    def over(cls, parts: Parts, access: Access) -> "Replays":
        """Make the service over open backends."""
        nouns = parts.nouns
        return cls(
            access, nouns.units, nouns.manifests, nouns.results, nouns.lookup, nouns.usages,
            parts.operations, parts.bell,
        )  # fmt: skip

    async def begin(self, principal: Principal, file_id: str) -> Job:
        """Accept the job that makes a result file again; raises `NotFound`, `InvalidInput`."""
        if made := await made_before(self.units.store, principal, Job, "job"):
            return made
        job_id, gates = new_id("job"), Gates(self.units.store)
        for _ in range(LOOKS):
            turn, now = await gates.turn(principal.user), await self.units.store.now()
            original = await self._original(principal, file_id)
            await self.usages.require(principal.user, 1)
            job = self._draft(original, job_id, now)
            first, *others = [await self._own(job, entry) for entry in original.entries]
            mixed = tuple(range(1, len(original.entries)))
            entries = [msgspec.structs.replace(first, partners=mixed), *others]
            page = await self.manifests.page(job.id, job.stage, 0, entries)
            units = item_units(job, original.stage, [[Piece(0, job.cost, alone=True)]], 0, now)
            gate = gates.still(principal.user, turn)
            job = opened(job, now)
            charge = await self.usages.open_job(job.owner, job.month, job.reserved)
            actions: tuple[Action, ...] = (Put(job, when=(Absent(),)), gate, page, *charge)
            try:
                async with self.usages.refusing(job.owner, actions):
                    await self.units.insert(units, *actions)
            except ConditionFailed:
                continue
            for klass in dict.fromkeys(unit.klass for unit in units):
                await self.bell.ring(f"work:{klass}")
            return job
        raise Unavailable("Files of yours are being removed just now: try again in a moment.")

    async def _original(self, principal: Principal, file_id: str) -> Original:
        """Return what is known of a result file that its owner may have made again."""
        made = await self._made(principal, file_id)
        place = parse_result_file(made)
        if place is None:
            raise InvalidInput("Only what a job made can be made again; this came in as it is.")
        job = await self.access.load(principal, Job, place[0])
        result = await self.results.get(*place[:3])
        if result is None or result.expired or place[3] >= len(result.files):
            raise NotFound(f"There is no file {made}.")
        stages = split(self.catalogue.build_all(job.steps))
        if stages[result.stage].asks:
            raise InvalidInput("A model answers otherwise each time: run the job again instead.")
        if stages[result.stage].kind is not StageKind.RUN:
            raise InvalidInput(
                "A report is made of a whole set, not of one input: run the job again instead. "
                "Over the same inputs it makes the same report."
            )
        items = [result.item, *result.lineage.get("partners", ())]
        found = await self.manifests.at(job.id, result.stage, items)
        entries = [found[item] for item in items]
        files = await self.lookup.get_many([entry.file for entry in entries], at=job.created)
        for entry, file in zip(entries, files, strict=True):
            if file is None:
                raise NotFound(f"{entry.name or 'An input'}, which it was made of, is gone.")
        return Original(made, job, result, stages[result.stage], entries)

    async def _made(self, principal: Principal, file_id: str) -> str:
        """Return the id of the result that a file is, or was taken out of; else its own."""
        if parse_result_file(file_id) is not None:
            return file_id
        file = await self.access.load(principal, File, file_id, Right.EDIT)
        return str(file.lineage.get("archive", file_id))

    def _draft(self, original: Original, job_id: str, now: int) -> Job:
        """Make the job: of the steps up to that stage, with what they had agreed on."""
        before, stage = original.job, original.stage
        steps = before.steps[: stage.first + len(stage.steps)]
        return Job(
            id=job_id,
            owner=before.owner,
            listed=before.owner,
            active=before.owner,
            open="open",
            checked=now,
            name=f"Replay of {original.result.name}"[:200],
            inputs={"source": "replay", "id": original.file},
            steps=steps,
            klass="interactive",
            seed=before.seed,
            state=JobState.RUNNING,
            stage=original.result.stage,
            stages=original.result.stage + 1,
            items=1,
            agreed=before.agreed,
            reuse=False,
            mail=False,
            expanded=True,
            units=1,
            cost=1.0,
            created=now,
        )

    async def _own(self, job: Job, entry: Entry) -> Entry:
        """Return an input as one of the replay, which keeps what is marked on it by itself."""
        data = await self.manifests.annotations(entry)
        plain = msgspec.structs.replace(entry, annotations=b"", annotations_blob="", weight=None)
        return await self.manifests.annotated(plain, job.id, data)
