"""What an earlier attempt at the same request made: found again instead of made twice."""

import hashlib
from collections.abc import AsyncIterator
from typing import TypeVar

from mediamill.core.access import Principal
from mediamill.core.errors import KeyReused
from mediamill.core.ids import earlier_ids, new_id
from mediamill.services.repeats.once import REUSED
from mediamill.store.port import Store
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.projects import Project
from mediamill.store.repositories.templates import Template
from mediamill.store.repositories.uploads import Upload

T = TypeVar("T", File, Job, Project, Template, Upload)


async def made_before(store: Store, principal: Principal, kind: type[T], prefix: str) -> T | None:
    """Return what an earlier attempt made in the place of the next new id, and pass that place."""
    for made in earlier_ids(prefix):
        record = await store.get(kind, made)
        if record is not None and record.owner == principal.user and not record.hidden:
            new_id(prefix)
            return record
    return None


async def require_same(file: File, chunks: AsyncIterator[bytes]) -> None:
    """Read a stream to its end; raises `KeyReused` when it is not the file's bytes."""
    digest = hashlib.sha256()
    async for chunk in chunks:
        digest.update(chunk)
    if digest.hexdigest() != file.sha256:
        raise KeyReused(REUSED)
