"""The rows of files that come in: each write charges the owner, in the same transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mediamill.adapters.brokers.port import Doorbell
from mediamill.blobs.port import Digest
from mediamill.core.access import Principal
from mediamill.core.errors import ConditionFailed
from mediamill.core.ids import new_id
from mediamill.engine.announcing import Announcer
from mediamill.media.archive.names import safe_name
from mediamill.media.facts import Facts
from mediamill.store.port import Absent, Action, Equals, Put, Store, Update
from mediamill.store.repositories.daily import day_of
from mediamill.store.repositories.figures import About, Fact, Figures
from mediamill.store.repositories.files import File, FileState, digest_key, tag_rows
from mediamill.store.repositories.units import Unit, Units
from mediamill.store.repositories.usage import Usages

THUMBNAILED = ("image/", "video/")
ENDS = {FileState.READY: "file.created", FileState.REJECTED: "file.rejected"}
"""What is announced of a file that comes into a state."""
COUNTED_AS = {FileState.READY: "received", FileState.REJECTED: "rejected"}
"""What figures have of it."""
ROUNDS = 5
"""How often a write is tried whose figures are gone: their day is folded, or was set back."""
UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class Label:
    """What is said of a file beside its bytes: `tags` as `services/files/labels.py` leaves them."""

    source: str = "upload"
    tags: tuple[str, ...] = ()
    sha256: str | None = None
    """What the bytes must hash to, in lower-case hexadecimal."""
    lineage: Mapping[str, Any] = field(default_factory=dict)


UPLOADED = Label()


@dataclass
class FileRows:
    """Writes rows of files, with the housekeeping that goes with them."""

    store: Store
    units: Units
    usages: Usages
    bell: Doorbell
    announcer: Announcer

    def __post_init__(self) -> None:
        self.figures = Figures(self.store)

    async def begun(
        self, principal: Principal, name: str, size: int, label: Label, file_id: str = ""
    ) -> File:
        """Make the row of a file of which only what was said is known."""
        file_id = file_id or new_id("file")
        return File(
            id=file_id,
            owner=principal.user,
            listed=principal.user,
            name=safe_name(name),
            media_type=UNKNOWN_TYPE,
            size=size,
            sha256="",
            crc32=0,
            source=label.source,
            state=FileState.RECEIVING,
            blob=f"files/{file_id}",
            thumbnail="",
            lineage=dict(label.lineage),
            tags=label.tags,
            created=await self.store.now(),
        )

    async def insert(
        self,
        file: File,
        units: Sequence[Unit] = (),
        also: Sequence[Action] = (),
        released: int = 0,
    ) -> None:
        """Insert a row and what it is found by, its units, and what else belongs to it.

        `released` bytes of what the file is charged were charged before, for what `also` ends.
        Raises `QuotaExceeded`, and `ConditionFailed` for a guard of `also`.
        """
        rows = (*inserts(file), *also)
        told = await self._told(file)
        more = file.charged - released
        files = int(counted(file))
        await self._write(file.owner, more, rows, (*units, *told), files, came=[file])

    async def insert_all(
        self, files: Sequence[File], units: Sequence[Unit], guard: Action, *also: Action
    ) -> None:
        """Insert rows of one owner's files with their units, all or none.

        Raises `QuotaExceeded`, and `ConditionFailed`, of action 0 when it is the `guard` that
        failed.
        """
        rows = (guard, *(action for file in files for action in inserts(file)), *also)
        now = await self.store.now()
        told = await self.announcer.of_files(ENDS[files[0].state], files, now)
        charged = sum(file.charged for file in files)
        kept = sum(counted(file) for file in files)
        await self._write(files[0].owner, charged, rows, (*units, *told), kept, came=files)

    async def change(
        self,
        file: File,
        fields: dict[str, Any],
        units: Sequence[Unit] = (),
        *,
        least: int = 0,
        revision: int = 1,
    ) -> bool:
        """Write fields of a file, and its charge; False when it is in another state than `file`.

        The guard is the state alone: its owner may well rename it meanwhile. It is charged what
        `fields` say, else what it was, and in any case `least` bytes; one that is rejected counts
        as none. Raises `QuotaExceeded`.
        """
        while True:
            found = await self.store.get(File, file.id)
            if found is None or found.state is not file.state:
                return False
            charged = max(least, fields.get("charged", found.charged))
            metered = found.metered and fields.get("state") is not FileState.REJECTED
            guard = tuple(Equals(n, getattr(found, n)) for n in ("state", "charged", "metered"))
            step = Update(
                File,
                (file.id,),
                set={**fields, "charged": charged, "metered": metered},
                add={"revision": revision},
                when=guard,
            )
            after = found.evolve(**fields, revision=found.revision + revision)
            told = await self._told(after) if "state" in fields else []
            try:
                more = charged - found.charged
                files = int(metered) - int(found.metered)
                came = [after] if "state" in fields else []
                await self._write(file.owner, more, (step,), (*units, *told), files, came=came)
            except ConditionFailed as error:
                if error.action:
                    raise
                continue  # it was charged otherwise meanwhile: look again
            return True

    async def _told(self, file: File) -> list[Unit]:
        """Announce a file that has come to its end: it is there, or was not taken."""
        type_ = ENDS.get(file.state)
        if type_ is None:
            return []
        return await self.announcer.of_files(type_, [file], await self.store.now())

    async def _write(
        self,
        owner: str,
        more: int,
        rows: tuple[Action, ...],
        units: Sequence[Unit],
        files: int = 0,
        came: Sequence[File] = (),
    ) -> None:
        """Write rows and units; `came` are files that may have come to their end by that."""
        for left in reversed(range(ROUNDS)):
            charge = await self.usages.charge(owner, more, files)
            figures = await self.figures.counting(owner, facts(came))
            actions = (*rows, *charge, *figures)
            try:
                async with self.usages.refusing(owner, actions):
                    if units:
                        await self.units.insert(units, *actions)
                    else:
                        await self.store.transact(*actions)
            except ConditionFailed as error:
                if not left or not len(rows) + len(charge) <= error.action < len(actions):
                    raise
                self.figures.forget(figures)
                continue
            break
        for klass in dict.fromkeys(unit.klass for unit in units):
            await self.bell.ring(f"work:{klass}")


def facts(files: Sequence[File]) -> list[Fact]:
    """Return what came in, and what was not taken, as figures have it."""
    return [
        Fact(
            about=About.FILES, day=day_of(file.created), status=COUNTED_AS[file.state],
            source=file.source, media_type=file.media_type, counts={"count": 1, "bytes": file.size},
        )
        for file in files
        if file.state in COUNTED_AS
    ]  # fmt: skip


def inserts(file: File) -> tuple[Action, ...]:
    """Make the actions that insert a file's row, and what it is found by."""
    row = file.evolve(metered=counted(file))
    return Put(row, when=(Absent(),)), *(Put(tag) for tag in tag_rows(file))


def counted(file: File) -> bool:
    """Tell whether a file counts among its owner's."""
    return file.state is not FileState.REJECTED


def known(file: File, digest: Digest, facts: Facts) -> dict[str, Any]:
    """Return the fields that looking at a file's bytes has filled; it is ready with them."""
    return {
        "state": FileState.READY,
        "blob": file.blob,  # a claimant that fetched it may have put it elsewhere than announced
        "media_type": facts.media_type,
        "size": digest.size,
        "received": digest.size,
        "charged": digest.size,
        "sha256": digest.sha256,
        "crc32": digest.crc32,
        "digest": digest_key(file.owner, digest.sha256),
        "width": facts.width,
        "height": facts.height,
        "duration": facts.duration,
        "rate": facts.rate,
        "steady": facts.steady,
        "thumbnail": None if facts.media_type.startswith(THUMBNAILED) else "",
    }


def drawing(file: File) -> list[Unit]:
    """Make the unit that draws a file's thumbnail, if it may have one."""
    if file.thumbnail is not None:
        return []
    group, now = f"thumbnail:{file.id}", file.created
    return [Unit.chore("thumbnail", group, 0, file.owner, cost=0.2, now=now, due=now, file=file.id)]
