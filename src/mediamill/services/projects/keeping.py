"""How long a project keeps its files: what it says, and what that would take, before it is set."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.core.access import Principal, Right
from mediamill.core.acts import note
from mediamill.core.clock import DAY
from mediamill.core.errors import ConditionFailed, Conflict
from mediamill.core.retention import HOLD_MS, Retention, age_of
from mediamill.services.access import Access
from mediamill.store.port import Equals, Store, Update
from mediamill.store.repositories.datasets import Datasets
from mediamill.store.repositories.files import File
from mediamill.store.repositories.keeping import Keeping
from mediamill.store.repositories.projects import AGING, Project
from mediamill.store.repositories.results import Result, parse_result_file

LOOKED_AT = 200
"""Members of one look."""
AHEAD = (0, DAY, 7 * DAY, 30 * DAY)
"""How far ahead a look tells apart (ms); what goes still later is one more."""
MOST_RULES = 24
"""Rules that a project has within a day: all of them hold until the day is over."""


@dataclass
class Going:
    """Files, and what goes with them; sizes in bytes."""

    files: int = 0
    bytes: int = 0
    results: int = 0
    """Files that jobs made of them."""
    result_bytes: int = 0
    frozen: int = 0
    """Images of frozen versions that were made of them."""


@dataclass
class Look:
    """What some members of a project come to by a rule."""

    rule: str
    goes: tuple[Going, ...]
    """By when: within each time of `AHEAD`, then later."""
    kept: Going
    """What stays for ever, without what was made of it."""
    why: dict[str, int]
    """Of the files, what decides when they go: `project`, `other`, `installation`."""
    results: int = 0
    """Members that jobs made: they go with the file that they were made of."""
    mixed: int = 0
    """Of these, those in which other files have a part as well: they go with the first of them."""
    in_force: int | None = None
    """When the rule alone would hold (ms); None where it does already."""
    after: str | None = None
    """Behind which member the next look begins; None where this is the last."""


@dataclass
class KeepingService:
    """What a caller may do about how long a project keeps its files."""

    access: Access
    keeping: Keeping
    retention: Retention

    @property
    def store(self) -> Store:
        return self.access.store

    async def own(self, principal: Principal, project_id: str) -> Project:
        """Return a project of one's own; raises as `change` does for who may not."""
        return await self.access.load(principal, Project, project_id, Right.OWN)

    async def change(self, principal: Principal, project_id: str, rule: str) -> Project:
        """Say how long a project of one's own keeps its files; what it said holds for a day yet.

        Raises `Conflict` when that was changed too often.
        """
        while True:
            project = await self.own(principal, project_id)
            if project.keep == rule:
                return project
            now = await self.store.now()
            live = {said: at for said, at in project.former.items() if at + HOLD_MS > now}
            former = {said: at for said, at in live.items() if said != rule} | {project.keep: now}
            if len(former) > MOST_RULES:
                raise Conflict(f"A project has at most {MOST_RULES} rules a day.", state="ruled")
            fields = {"keep": rule, "former": former, "ruled": project.owner, "aging": AGING}
            same = (Equals("deleted", None), Equals("revision", project.revision))
            change = Update(Project, (project.id,), set=fields, add={"revision": 1}, when=same)
            try:
                await self.store.transact(change)
            except ConditionFailed:  # changed meanwhile, or deleted: look again
                continue
            note("project_retention_changed", project.id, owner=project.owner,
                 before=project.keep or "installation", rule=rule or "installation")  # fmt: skip

    async def look(
        self, principal: Principal, project_id: str, rule: str | None, after: str | None
    ) -> Look:
        """Tell what a rule would take of some members once it alone holds; nothing is changed.

        Without a rule: what the one that is set takes. For the owner, as it counts what is made of
        files anywhere.
        """
        project = await self.own(principal, project_id)
        tried = project.keep if rule is None else rule
        now = await self.store.now()
        look = Look(tried, tuple(Going() for _ in (*AHEAD, None)), Going(),
                    {"project": 0, "other": 0, "installation": 0})  # fmt: skip
        look.in_force = _in_force(project, tried, now)
        page = await self.keeping.projects.members(project.id, after, LOOKED_AT)
        look.results = sum(row.job is not None for row in page.rows)
        look.mixed = await self._mixed([row.file for row in page.rows if row.job is not None])
        ids = [row.file for row in page.rows if row.job is None]
        joined = {row.file: row.added for row in page.rows}
        files = [f for f in await self.keeping.files.get_many(ids) if f and not f.hidden]
        held = project.evolve(keep=tried, former={})
        dues = await self.keeping.dues(files, self.retention, held)
        before = await self.keeping.dues(files, self.retention) if look.in_force else {}
        for file in files:
            due = dues[file.id]
            look.why[self._why(held, file, joined[file.id], due)] += 1
            if due is None:
                look.kept.files, look.kept.bytes = look.kept.files + 1, look.kept.bytes + file.size
            else:
                first = _first(before.get(file.id), look.in_force)
                await self._add(look.goes[bisect_left(AHEAD, max(due, first) - now)], file)
        look.after = page.after
        return look

    def _why(self, held: Project, file: File, joined: int, due: int | None) -> str:
        """Tell what decides when a file goes: this project, the installation, or something else."""
        age = age_of(held.keep)
        if held.keep and held.owner == file.owner and due == (age and joined + age):
            return "project"
        base = self.retention.due(file.source, file.created)
        return "installation" if due == base else "other"

    async def _mixed(self, files: Sequence[str]) -> int:
        """Count the results that several files have a part in: mixed ones, reports of a set."""
        places = [place for file in files if (place := parse_result_file(file)) is not None]
        found = 0
        for start in range(0, len(places), 100):
            keys = Counter(place[:3] for place in places[start : start + 100])
            for row in await self.store.get_many(Result, [*keys]):
                if row is not None and (row.lineage.get("partners") or not row.source):
                    found += keys[row.key_values()]
        return found

    async def _add(self, going: Going, file: File) -> None:
        """Count a file that goes, with what was made of it."""
        going.files, going.bytes = going.files + 1, going.bytes + file.size
        after: str | None = None
        while True:
            page = await self.keeping.aging.results(file.id, after)
            going.results += sum(len(row.files) for row in page.rows)
            going.result_bytes += sum(one.size for row in page.rows for one in row.files)
            if (after := page.after) is None:
                break
        going.frozen += len(await Datasets(self.store).made_of(file.id, 1000))


def _first(before: int | None, in_force: int | None) -> int:
    """Return the first time at which a file may go, by what holds until a rule alone does (ms)."""
    if in_force is None:
        return 0
    return in_force if before is None else min(before, in_force)


def _in_force(project: Project, rule: str, now: int) -> int | None:
    """Return when a rule alone holds, if it is set now, or was."""
    if rule != project.keep:
        return now + HOLD_MS
    until = max(project.former.values(), default=0) + HOLD_MS
    return until if until > now else None
