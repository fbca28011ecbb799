"""`split`: place the members of a project, and write down how near that came to what was asked."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from mediamill.core.errors import InvalidInput
from mediamill.datasets.splitting import Division, Image, divide, merged
from mediamill.handlers.datasets.checked import Alike, Checks
from mediamill.handlers.datasets.moving import Move, Mover, Place
from mediamill.handlers.datasets.task import Plain, Work
from mediamill.store.repositories.lookup import FileLookup
from mediamill.store.repositories.projects import ProjectFile

BATCH = 1_000
MOST_CLASSES = 100
"""Classes whose balance the outcome tells; the rarest are left out."""
_NUMBER = re.compile(r"[0-9]+(?=[^0-9/]*$)")

ClassesOf = Callable[[str, Sequence[str]], Awaitable[Mapping[str, Sequence[str]]]]
"""Return the classes in each of some files of a project."""


@dataclass
class SplitMembers(Plain):
    """Splits a project; the plan is written before the first member moves."""

    mover: Mover
    lookup: FileLookup
    classes: ClassesOf
    checks: Checks

    async def run(self, work: Work) -> dict[str, Any]:
        plan = work.task.plan
        told = await self.mover.told(plan)
        if told is None:
            await self._plan(work)
            told = await self.mover.told(plan)  # somebody else's, who was first
        moved, left = await self.mover.follow(work.project.id, plan)
        return {**(told or {}), "moved": moved, "left": left}

    async def _plan(self, work: Work) -> None:
        """Write down where members go, and before it what is to be told of that."""
        project, request = work.project.id, work.task.request
        rows = [row async for row in self.mover.projects.walk(project)]
        if not rows:
            raise InvalidInput("The project has no files to split.")
        alike = await self._alike(work, request["group_by"])
        groups = await self._groups(rows, request["group_by"], alike)
        classes = await self._classes(project, rows) if request["stratify"] else {}
        images = [
            Image(
                row.file,
                groups[row.file],
                tuple(sorted(set(classes.get(row.file, ())))),
                row.split,
            )
            for row in rows
        ]
        division = divide(
            images,
            request["ratios"],
            request["seed"],
            stratify=request["stratify"],
            keep=request["keep"],
        )
        moves = [_move(row, division.splits[row.file]) for row in rows]
        unchecked = sum(row.file not in alike.known for row in rows) if alike else 0
        outcome = {**told(division), "unchecked": unchecked, "total": len(rows)}
        await self.mover.write(work.task.plan, moves, outcome)

    async def _alike(self, work: Work, group_by: Sequence[str]) -> Alike | None:
        """Return what is known of near-duplicates where they are to stay together."""
        if "near-duplicates" not in group_by:
            return None
        return await self.checks.alike(work.project, work.task.user)

    async def _groups(
        self, rows: Sequence[ProjectFile], group_by: Sequence[str], alike: Alike | None
    ) -> dict[str, str]:
        """Return the group of each file: its own where nothing ties it to another."""
        labels: list[dict[str, str]] = []
        if "video" in group_by:  # a video's id ties its frames, and what was made of a file to it
            known = {row.file for row in rows}
            own = {row.group: row.group for row in rows if row.group in known}
            labels.append(own | {row.file: row.group for row in rows if row.group})
        if "name" in group_by:
            labels.append(await self._stems(rows))
        if alike is not None:
            labels.append(dict(alike.groups))
        return merged([row.file for row in rows], *labels)

    async def _stems(self, rows: Sequence[ProjectFile]) -> dict[str, str]:
        """Return each file's name without its last number: `plant7_03.jpg` and `plant7_04.jpg`."""
        found: dict[str, str] = {}
        for start in range(0, len(rows), BATCH):
            files = await self.lookup.get_many([row.file for row in rows[start : start + BATCH]])
            found |= {
                file.id: _NUMBER.sub("", file.name.rpartition(".")[0])
                for file in files
                if file is not None and _NUMBER.search(file.name.rpartition(".")[0])
            }
        return found

    async def _classes(self, project: str, rows: Sequence[ProjectFile]) -> dict[str, Sequence[str]]:
        found: dict[str, Sequence[str]] = {}
        for start in range(0, len(rows), BATCH):
            files = [row.file for row in rows[start : start + BATCH]]
            found |= await self.classes(project, files)
        return found


def told(division: Division) -> dict[str, Any]:
    """Return what is told of a division: ratios wanted and reached, and the balance of classes."""
    balance = sorted(division.classes.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    return {
        "wanted": _rounded(division.wanted),
        "reached": _rounded(division.reached),
        "counts": dict(division.counts),
        "classes": dict(balance[:MOST_CLASSES]),
        "classes_left_out": max(0, len(balance) - MOST_CLASSES),
        "groups": division.groups,
        "largest_group": division.largest,
        "bound": round(division.bound, 3),
        "straddling": division.straddling,
    }


def _rounded(ratios: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in ratios.items()}


def _move(row: ProjectFile, split: str) -> Move:
    before = Place.of(row)
    return Move(row.file, before, msgspec.structs.replace(before, split=split))
