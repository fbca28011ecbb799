"""When files go: what the projects say that they are in, else what the installation says.

A project may say how long its files are kept, from when they joined. Then, of each project of its
owner's that a file is in, one is asked: until when do you keep it? One without a rule says what the
installation does. The last answer holds. So the time of no rule is changed by who puts a file
somewhere else as well, and two projects do not take from each other.

What was made of a file goes with it. So a project that keeps a result keeps the file that it was
made of; it never takes that earlier, for that is not its own.

Projects are their owner's: one that somebody else added a file to says of it nothing but what the
installation does.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from mediamill.core.clock import DAY
from mediamill.core.errors import ConditionFailed
from mediamill.core.retention import AS_INSTALLED, HOLD_MS, Retention, age_of, latest
from mediamill.store.port import MAX_ACTIONS, Equals, Lags, Page, Store, Update
from mediamill.store.repositories.files import File, Files
from mediamill.store.repositories.projects import AGING, Project, ProjectFile, Projects
from mediamill.store.repositories.results import Result, parse_result_file
from mediamill.store.repositories.retention import Aging, Origin

Aged = File | Origin
LEFT_MS = DAY
"""How long a file stays at least that leaves a project with a rule."""


def rules_of(project: Project, now: int) -> tuple[str, ...]:
    """Return what a project says at a time (ms), and what it said less than a day before.

    All of that holds, so what takes more waits for a day, as the installation's rules do, and
    saying again what was said before undoes it.
    """
    before = (rule for rule, replaced in project.former.items() if replaced + HOLD_MS > now)
    return (project.keep, *before)


def due_in(project: Project, added: int, base: int | None, now: int) -> int | None:
    """Return until when a project keeps a file of its owner's that joined at a time (ms).

    None is for ever; `base` is what the installation says. A project that is deleted, and may be
    brought back, takes nothing before that.
    """
    said = [_said(rule, added, base) for rule in rules_of(project, now)]
    return latest([*said, base] if project.hidden else said)


def _said(rule: str, added: int, base: int | None) -> int | None:
    if rule == AS_INSTALLED:
        return base
    age = age_of(rule)
    return None if age is None else added + age


class Keeping:
    """Tells when files go; nothing of it is stored."""

    def __init__(self, store: Store) -> None:
        self.store, self.projects = store, Projects(store)
        self.files, self.aging = Files(store), Aging(store)

    @property
    def behind(self) -> int:
        """By how much listings may lag behind (ms).

        Who takes a file by what listings lack has to wait so long from when it is due: then they
        show the rules, and the memberships, that were there in time.
        """
        return self.store.lag if isinstance(self.store, Lags) else 0

    async def dues(
        self, rows: Sequence[Aged], rules: Retention, instead: Project | None = None
    ) -> dict[str, int | None]:
        """Return when each of some files goes (ms), by its id; None for never.

        `rules` are the installation's; `instead` is taken for the project of its id. Of files that
        their owners deleted the rows that are left tell when results go.
        """
        now = await self.store.now()
        found: dict[str, int | None] = {}
        for owner, some in _by_owner(rows).items():
            projects = await self._ruled(owner, instead)
            base = {row.id: rules.due(row.source, row.created) for row in some}
            own = await self._members(projects, [row.id for row in some])
            for row in some:
                said = [due_in(project, m.added, base[row.id], now) for project, m in own[row.id]]
                if not said or await self._elsewhere(row.id, projects):
                    said.append(base[row.id])
                if row.kept is not None:
                    said.append(row.kept)
                if latest(said) is not None:
                    said += await self._made(row, projects, base[row.id], now)
                found[row.id] = rules.bounded(latest(said), base[row.id], row.created)
        return found

    async def dated(self, files: Sequence[File], rules: Retention) -> list[File]:
        """Return files with when they go; of results that was found with them."""
        dues = await self.dues([file for file in files if file.source != "result"], rules)
        return [file.evolve(expires=dues.get(file.id, file.expires)) for file in files]

    async def early(
        self, project: Project, rules: Retention, until: int
    ) -> AsyncIterator[list[tuple[File, int]]]:
        """Visit a project's files that are due up to a time (ms), and when, some at a time.

        None unless the project may take them before the installation would. Some may be hidden.
        """
        ages = [age_of(rule) for rule in rules_of(project, await self.store.now())]
        if project.hidden or not all(ages):
            return
        before = until - max(age or 0 for age in ages)
        after: str | None = None
        while True:
            page = await self.projects.members(project.id, after, 1000)
            old = [row.file for row in page.rows if row.job is None and row.added <= before]
            for start in range(0, len(old), 100):
                found = await self.files.get_many(old[start : start + 100])
                files = [file for file in found if file is not None]
                dues = await self.dues(files, rules)
                timed = [(file, dues[file.id]) for file in files]
                yield [(file, due) for file, due in timed if due is not None and due <= until]
            if (after := page.after) is None:
                return

    # -- what leaves ----------------------------------------------------------------------------

    async def leaving(self, project: Project, members: Sequence[ProjectFile]) -> None:
        """Let files stay for a day whose memberships of a project are about to go.

        Those that it kept by its rule, themselves or by a result; and where it has none for their
        owner, those that are in other projects with one, which now speak without it.
        """
        for start in range(0, len(members), MAX_ACTIONS):
            files = [one.file for one in members[start : start + MAX_ACTIONS]]
            places = {file: parse_result_file(file) for file in files}
            made = dict.fromkeys(place[:3] for place in places.values() if place is not None)
            results = await self.store.get_many(Result, [*made])
            roots = {row.source for row in results if row is not None and row.source}
            itself = {file for file, place in places.items() if place is None}
            known = (await self.aging.known(sorted(itself | roots))).values()
            staying = [row for row in known if row.owner == project.ruled]
            others = [r for r in known if r.owner != project.ruled and r.id in itself]
            for owner, rows in _by_owner(others).items():
                held = await self._members(await self._ruled(owner, None), [r.id for r in rows])
                staying += [row for row in rows if row.id in held]
            await self._stay([row for row in staying if row.expired is None])

    async def forget_file(self, file: str) -> None:
        """Take a file that is being removed, or a result, out of every project."""
        while rows := (await self.projects.of_file(file)).rows:
            await self._part(rows)

    async def forget_job(self, job: str) -> None:
        """Take the results of a job that is being removed out of every project."""
        while rows := await self.projects.of_job(job):
            await self._part(rows)

    async def _part(self, rows: Sequence[ProjectFile]) -> None:
        """Remove memberships, of any projects, of which what they kept stays for a day."""
        for project_id in dict.fromkeys(row.project for row in rows):
            project = await self.projects.get(project_id)
            if project is not None:
                await self.leaving(project, [row for row in rows if row.project == project_id])
        await self.projects.forget(rows)

    async def _stay(self, rows: Sequence[Aged]) -> None:
        kept, there = await self.store.now() + LEFT_MS, (Equals("expired", None),)
        stay = [
            Update(type(row), (row.id,), set={"kept": kept}, add=_changed(row), when=there)
            for row in rows
        ]
        try:
            await self.store.transact(*stay)
        except ConditionFailed:  # some are gone, or going
            for one in stay:
                with suppress(ConditionFailed):
                    await self.store.transact(one)

    async def forget(self, project: Project) -> None:
        """List a project no more that says nothing now and said nothing for a day."""
        now = await self.store.now()
        if any(rules_of(project, now)):
            return
        same = Equals("revision", project.revision)
        none: dict[str, Any] = {"former": {}, "ruled": None, "aging": None}
        with suppress(ConditionFailed):
            await self.store.transact(Update(Project, (project.id,), set=none, when=(same,)))

    # -- who holds what -------------------------------------------------------------------------

    async def ruled(self, after: str | None = None, limit: int = 100) -> Page[Project]:
        """List everybody's projects that have a rule, now or before, deleted ones too."""
        index = Project.index("project_aging")
        return await self.store.query(Project, index, AGING, after=after, limit=limit)

    async def _ruled(self, owner: str, instead: Project | None) -> dict[str, Project]:
        """Return an owner's projects that have a rule, now or before, by id."""
        index, found, after = Project.index("project_ruled"), dict[str, Project](), None
        while True:
            page = await self.store.query(Project, index, owner, after=after)
            found |= {project.id: project for project in page.rows}
            if (after := page.after) is None:
                break
        if instead is not None and instead.owner == owner:
            found[instead.id] = instead
        return found

    async def _members(
        self, projects: Mapping[str, Project], files: Sequence[str]
    ) -> defaultdict[str, list[tuple[Project, ProjectFile]]]:
        """Return which of some projects each of some files is in."""
        found: defaultdict[str, list[tuple[Project, ProjectFile]]] = defaultdict(list)
        for project in projects.values():
            for file, row in (await self.projects.holding(project.id, files)).items():
                found[file].append((project, row))
        return found

    async def _elsewhere(self, file: str, projects: Mapping[str, Project]) -> bool:
        """Tell whether a file is in a project without a rule, or in somebody else's."""
        async for rows in self.projects.all_of_file(file):
            if any(row.project not in projects for row in rows):
                return True
        return False

    async def _made(
        self, row: Aged, projects: Mapping[str, Project], base: int | None, now: int
    ) -> list[int | None]:
        """Return until when projects keep what was made of a file."""
        said: list[int | None] = []
        for job in await self.aging.jobs(row.id) if projects else ():
            holding = [one for one in projects.values() if await self._has_of(job, one.id)]
            async for files in self._results(row.id, job):
                for project in holding:
                    rows = await self.projects.holding(project.id, files)
                    said += [due_in(project, m.added, base, now) for m in rows.values()]
                if not holding or None in said:
                    break
        return said

    async def _has_of(self, job: str, project: str) -> bool:
        """Tell whether a project has results of a job."""
        index = ProjectFile.index("project_of_job")
        page = await self.store.query(
            ProjectFile, index, job, at_least=project, at_most=project, limit=1
        )
        return bool(page.rows)

    async def _results(self, root: str, job: str) -> AsyncIterator[list[str]]:
        """Visit what a job made of a file, some at a time."""
        after: str | None = None
        while True:
            page = await self.aging.results(root, after, 100, job)
            yield [row.file_id(n) for row in page.rows for n, _ in row.outputs]
            if (after := page.after) is None:
                return


def _changed(row: Aged) -> dict[str, int | float]:
    return {"revision": 1} if isinstance(row, File) else {}


def _by_owner(rows: Sequence[Aged]) -> dict[str, list[Aged]]:
    found: defaultdict[str, list[Aged]] = defaultdict(list)
    for row in rows:
        found[row.owner].append(row)
    return found
