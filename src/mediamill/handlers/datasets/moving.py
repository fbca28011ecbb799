"""Move members between subsets, splits and groups, by a plan that is written down before.

A plan is lines of JSON: the file, what its member is, what it becomes; before them, an object with
what is to be told of it, where there is something. It is written once and then followed, so that
whoever goes on after a cut, or takes it for cut too early, does and tells the same; followed
backward it undoes the move.
What somebody has moved elsewhere meanwhile is left alone.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from mediamill.blobs.port import Blobs
from mediamill.core.errors import ConditionFailed, Conflict, NotFound
from mediamill.handlers.datasets.task import Plain, Work
from mediamill.store.repositories.projects import (
    MEMBERS_PER_STEP,
    Members,
    ProjectFile,
    Projects,
    moving,
)

MOST_TOLD = 256 << 10
"""Bytes of what is told of a plan: of a hundred classes by split, at most."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a member is."""

    subset: str
    split: str
    group: str

    @classmethod
    def of(cls, row: ProjectFile) -> "Place":
        return cls(row.subset, row.split, row.group)


class Move(msgspec.Struct, frozen=True, array_like=True):
    """A line of a plan."""

    file: str
    before: Place
    after: Place

    @property
    def back(self) -> "Move":
        return Move(self.file, self.after, self.before)


@dataclass
class Mover:
    """Writes plans and follows them."""

    projects: Projects
    blobs: Blobs

    async def write(
        self, key: str, moves: Iterable[Move], told: Mapping[str, Any] | None = None
    ) -> None:
        """Write a plan, unless there is one already; moves that change nothing are left out."""
        head = b"" if told is None else msgspec.json.encode(told) + b"\n"
        lines = (msgspec.json.encode(move) + b"\n" for move in moves if move.before != move.after)
        with suppress(Conflict):
            await self.blobs.put(key, head + b"".join(lines), fresh=True)

    async def told(self, key: str) -> dict[str, Any] | None:
        """Return what is to be told of a plan; None where no such plan was written."""
        try:
            chunks = [chunk async for chunk in self.blobs.read(key, 0, MOST_TOLD)]
        except NotFound:
            return None
        line = b"".join(chunks).partition(b"\n")[0]
        return msgspec.json.decode(line, type=dict) if line.startswith(b"{") else None

    async def read(self, key: str) -> AsyncIterator[Move]:
        """Read a plan; raises `NotFound` when it is gone."""
        rest = b""
        async for chunk in self.blobs.read(key):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if not line.startswith(b"{"):
                    yield msgspec.json.decode(line, type=Move)

    async def follow(self, project: str, key: str, *, back: bool = False) -> tuple[int, int]:
        """Move as a plan says; return how many are there then, and how many were left alone."""
        moved = left = 0
        waiting: list[Move] = []
        async for move in self.read(key):
            waiting.append(move.back if back else move)
            if len(waiting) == MEMBERS_PER_STEP:
                moved, left = moved + await self._step(project, waiting), left + len(waiting)
                waiting = []
        if waiting:
            moved, left = moved + await self._step(project, waiting), left + len(waiting)
        return moved, left - moved

    async def _step(self, project: str, moves: Sequence[Move]) -> int:
        """Write one transaction, anew when somebody changed a member meanwhile."""
        while True:
            rows = await self.projects.holding(project, [move.file for move in moves])
            places = {file: Place.of(row) for file, row in rows.items()}
            there = sum(places.get(move.file) == move.after for move in moves)
            due = [
                (rows[move.file], _moved(rows[move.file], move.after))
                for move in moves
                if places.get(move.file) == move.before
            ]
            if not due:
                return there
            try:
                await self.projects.store.transact(*moving(project, due))
            except ConditionFailed:
                current = await self.projects.get(project)
                if current is None or current.hidden:
                    raise NotFound(f"There is no project {project}.") from None
            else:
                return there + len(due)


@dataclass
class MoveMembers(Plain):
    """Moves all members that are meant; the request names them and where they go."""

    mover: Mover

    async def run(self, work: Work) -> dict[str, Any]:
        request, project = work.task.request, work.project.id
        wanted = Members(**request["members"])
        rows = [row async for row in self.mover.projects.walk(project, wanted)]
        await self.mover.write(work.task.plan, moves_of(rows, request["set"]))
        moved, left = await self.mover.follow(project, work.task.plan)
        return {"moved": moved, "left": left, "total": moved + left}


def moves_of(rows: Iterable[ProjectFile], fields: dict[str, str]) -> list[Move]:
    """Make the moves that give members some fields anew."""
    places = ((row, Place.of(row)) for row in rows)
    return [
        Move(row.file, place, msgspec.structs.replace(place, **fields)) for row, place in places
    ]


def _moved(row: ProjectFile, place: Place) -> ProjectFile:
    return row.evolve(subset=place.subset, split=place.split, group=place.group)
