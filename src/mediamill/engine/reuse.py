"""When an item was done before: the digest of all that its outcome depends on, and its new name.

The digest covers the bytes read, the steps of the stage with their versions and resolved
parameters, what was agreed for them over the set, what is marked on the input, its split and its
partners, and the job's seed where a step draws. What the input is called is left out, unless a step
reads it: files that are taken over are named after the input they are taken over for.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mediamill.engine.stages import Stage, StageKind
from mediamill.media.archive.names import with_suffix
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Entry, Step
from mediamill.store.repositories.results import Result, ResultFile

FORMAT = 1
"""Raised when digests of the same things change, so that older rows are not met."""

_canonical = msgspec.json.Encoder(order="deterministic").encode


class Digests:
    """Makes the digests of one stage's items.

    Those of a reduction are empty: it is made anew, unless models are asked in it (`of_set`).
    """

    def __init__(
        self,
        steps: Sequence[Step],
        stage: Stage,
        seed: int,
        agreed: Mapping[int, Mapping[str, Any]] | None = None,
        asked: Sequence[tuple[object, ...]] = (),
    ) -> None:
        """`asked` are the providers of a stage that asks models (`Opened.identity`)."""
        done = [
            (step.operation, type(made).__module__, made.version, step.parameters)
            for step, made in zip(steps, stage.steps, strict=True)
        ]
        drawn = seed if any(made.draws for made in stage.steps) else None
        said = sorted((agreed or {}).items())
        more = (stage.kind, said) if said or stage.kind is not StageKind.RUN else ()
        more = (*more, asked) if asked else more
        self._stage, self._kind = (FORMAT, done, drawn, *more), stage.kind
        self._named = any(made.reads_name for made in stage.steps)
        self._placed = any(made.reads_place for made in stage.steps)

    def of(
        self, file: File, entry: Entry, partners: Sequence[Entry] = (), item: int | None = None
    ) -> str:
        """Return the digest of one item; empty where what it reads has none.

        Empty too where a step reads its place and `item` does not tell it.

        A member is known by its archive's bytes and its place in them. What is measured does not
        depend on the split.
        """
        if not file.sha256 or self._kind is StageKind.REDUCE or (self._placed and item is None):
            return ""
        read = (file.sha256, entry.path, entry.place) if entry.path else (file.sha256,)
        split = entry.split if self._kind is StageKind.RUN else ""
        mixed = [(one.digest, marks(one)) for one in partners]
        known = (marks(entry), split, mixed, entry.reference)
        beside: tuple[object, ...] = (known,) if any(known) else ()
        beside += ("named", entry.name or file.name) if self._named else ()
        beside += ("placed", item) if self._placed else ()
        return self._digest(read, *beside)

    def of_set(self, members: Sequence[tuple[str, str]]) -> str:
        """Return the digest of a reduction that asks models; empty where a member has none.

        Members are the digests of what was measured, in order, with what the inputs are called: an
        answer about many tells them apart so.
        """
        return self._digest("set", members) if all(digest for digest, _ in members) else ""

    def _digest(self, *read: object) -> str:
        return hashlib.sha256(_canonical((*self._stage, *read))).hexdigest()


def marks(entry: Entry) -> str:
    """Return the SHA-256 of what is marked on an input; empty for nothing."""
    if entry.annotations_blob:
        return entry.annotations_blob.rpartition("-")[2]
    return hashlib.sha256(entry.annotations).hexdigest() if entry.annotations else ""


def identity(file: File, entry: Entry) -> str:
    """Return by what an input is chosen as a partner, whatever it is called: its SHA-256."""
    if not entry.path:
        return file.sha256
    return hashlib.sha256(f"{file.sha256}/{entry.path}".encode()).hexdigest()


def renamed(old: Result, name: str) -> list[ResultFile] | None:
    """Return the files of a result under the names that another input's would have.

    None where that cannot be told: a name that does not begin with its input's.
    """
    before, after = with_suffix(old.name, ""), with_suffix(name, "")
    if before == after:
        return [*old.files]
    if not all(file.name.startswith(before) for file in old.files):
        return None
    return [
        msgspec.structs.replace(file, name=with_suffix(f"{after}.x", file.name[len(before) :]))
        for file in old.files
    ]
