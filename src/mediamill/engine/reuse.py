"""When an item was done before: the digest of all that its outcome depends on, and its new name.

The digest covers the bytes read, the steps of the stage with their versions and resolved
parameters, and the job's seed where a step draws. What the input is called is left out: files that
are taken over are named after the input they are taken over for.
"""

import hashlib
from collections.abc import Sequence

import msgspec

from mediamill.media.archive.names import with_suffix
from mediamill.operations.base import Operation
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Entry, Step
from mediamill.store.repositories.results import Result, ResultFile

FORMAT = 1
"""Raised when digests of the same things change, so that older rows are not met."""

_canonical = msgspec.json.Encoder(order="deterministic").encode


class Digests:
    """Makes the digests of one stage's items."""

    def __init__(self, steps: Sequence[Step], operations: Sequence[Operation], seed: int) -> None:
        done = [
            (step.operation, type(made).__module__, made.version, step.parameters)
            for step, made in zip(steps, operations, strict=True)
        ]
        drawn = seed if any(made.draws for made in operations) else None
        self._stage = (FORMAT, done, drawn)

    def of(self, file: File, entry: Entry) -> str:
        """Return the digest of one item; empty where what it reads has none.

        A member is known by its archive's bytes and its place in them.
        """
        if not file.sha256:
            return ""
        read = (file.sha256, entry.path, entry.place) if entry.path else (file.sha256,)
        return hashlib.sha256(_canonical((*self._stage, read))).hexdigest()


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
