"""Which pictures of a set are there more than once, and what belongs together yet is apart."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mediamill.media.image.duplicates.fingerprint import Fingerprint, decode
from mediamill.media.image.duplicates.groups import Joined, Likeness, near_duplicates
from mediamill.operations.health_check.table import Table


@dataclass(frozen=True)
class Repeats:
    """Groups of rows: `exact` are the same bytes, `near` look the same, the exact ones among them.

    `similarity` is that of the least alike two that joined a group in `near`; 1 for equal files.
    """

    exact: list[list[int]]
    near: list[list[int]]
    similarity: list[float]

    def leaks(self, table: Table) -> list[dict[str, Any]]:
        """Return what is in different splits and should not be; none counts as train.

        That is duplicates, and members of one group, such as the frames of a video.
        """
        exact = {row: n for n, group in enumerate(self.exact) for row in group}
        found = []
        for group, similarity in zip(self.near, self.similarity, strict=True):
            if leak := _leak(table, group):
                same = len({exact.get(row, -1 - row) for row in group}) == 1
                kind = "exact" if same else "near"
                found.append({"kind": kind, "similarity": similarity, **leak})
        for name, group in _grouped(table).items():
            if leak := _leak(table, group):
                found.append({"kind": "group", "group": name, **leak})
        return found


def _leak(table: Table, rows: list[int]) -> dict[str, Any] | None:
    """Return which splits some rows are in, where these are several."""
    splits = sorted({table.words["split"][row] or "train" for row in rows})
    if len(splits) == 1:
        return None
    return {"splits": splits, "images": [table.shown(row) for row in rows]}


def _grouped(table: Table) -> dict[str, list[int]]:
    """Return the rows of each group; the file that a group is called after is in it."""
    groups = {*table.words["group"]} - {""}
    found: defaultdict[str, list[int]] = defaultdict(list)
    for row in table.sound:
        file = table.words["file"][row]
        if name := table.words["group"][row] or (file if file in groups else ""):
            found[name].append(row)
    return found


def repeats(
    table: Table,
    folder: Path,
    similarity: float,
    *,
    near: bool,
    progress: Callable[[float], None] = lambda part: None,
) -> Repeats:
    """Return the duplicates of a table; near ones only where they are asked for.

    `folder` is where large arrays may be kept meanwhile.
    """
    exact = _exact(table)
    joined = Joined(len(table))
    for group in exact:
        for row in group[1:]:
            joined.join(group[0], row)
    likenesses = _near(table, folder, similarity, progress) if near else []
    for one in likenesses:
        joined.join(one.a, one.b)
    groups = joined.groups()
    place = {row: n for n, group in enumerate(groups) for row in group}
    least = [1.0] * len(groups)
    for one in likenesses:
        least[place[one.a]] = min(least[place[one.a]], one.similarity)
    return Repeats(exact, groups, least)


def _exact(table: Table) -> list[list[int]]:
    """Return the rows of equal files; frames of equal videos are equal each to each."""
    rows: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for row in table.sound:
        if digest := table.words["sha256"][row]:
            rows[digest, table.pictures[row]].append(row)
    return [group for group in rows.values() if len(group) > 1]


def _near(
    table: Table, folder: Path, similarity: float, progress: Callable[[float], None]
) -> list[Likeness]:
    """Return the likenesses by rows; those without a fingerprint are left out."""
    rows: list[int] = []

    def known() -> Iterator[Fingerprint]:
        for row, text in enumerate(table.fingerprints()):
            if text:
                rows.append(row)
                yield decode(text)

    found = near_duplicates(known(), folder, similarity, progress).likenesses
    return [Likeness(rows[one.a], rows[one.b], one.similarity) for one in found]
