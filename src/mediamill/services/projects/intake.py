"""Files that come into a project many at a time: looked at together, written together."""

from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.core.access import Principal
from mediamill.core.errors import ConditionFailed, MediamillError, NotFound, UnsupportedMedia
from mediamill.handlers.datasets.bringing import Bringing, Looked
from mediamill.services.uploads.recording import THUMBNAILED, FileRows, Label, drawing, known
from mediamill.services.uploads.validating import Arrival, Validator
from mediamill.store.repositories.files import File, digest_key
from mediamill.store.repositories.projects import Project, ProjectFile, Projects, joining

SOURCE, IMAGES = "import", "image/"


@dataclass
class MemberIntake:
    """Makes files, each a member of a project in the same transaction as its row."""

    rows: FileRows
    validator: Validator

    async def take(
        self, user: str, arriving: Sequence[Bringing]
    ) -> Sequence[MediamillError | None]:
        """Take images in as files of a user; return what is wrong with each that was refused.

        A dozen at a time: all rows are one transaction. What is there already is left. Raises
        `NotFound` when the project was deleted, `QuotaExceeded`, and `ProjectFull`, with nothing
        taken, when they are too many for it.
        """
        return await self.join(await self.look(user, arriving))

    async def look(self, user: str, arriving: Sequence[Bringing]) -> Looked:
        """Write images durably and look at them; what is good has no row yet."""
        there = await self.rows.store.get_many(File, [(one.file,) for one in arriving])
        waiting = [one for one, row in zip(arriving, there, strict=True) if row is None]
        arrivals = [Arrival(user, f"files/{one.file}", one.name, one.data) for one in waiting]
        came = await self.validator.admit(arrivals)
        errors: dict[str, MediamillError] = {}
        ready: list[tuple[File, ProjectFile]] = []
        for one, found in zip(waiting, came, strict=True):
            if isinstance(found, MediamillError):
                errors[one.file] = found
                continue
            if not found.facts.media_type.startswith(IMAGES):
                message = f"{one.name} is no image, but {found.facts.media_type}."
                errors[one.file] = UnsupportedMedia(message)
                await self.validator.blobs.delete(f"files/{one.file}")
                continue
            label = Label(SOURCE, lineage=one.lineage)
            begun = await self.rows.begun(
                Principal(user), one.name, found.digest.size, label, one.file
            )
            file = begun.evolve(**known(begun, found.digest, found.facts))
            ready.append((file, one.member))
        return Looked([one.file for one in arriving], ready, errors)

    async def join(self, looked: Looked, *, draw: bool = True) -> Sequence[MediamillError | None]:
        """Give what was looked at its rows; raises what `take` does."""
        await self._insert(looked.ready, draw=draw)
        return [looked.wrong.get(file) for file in looked.files]

    async def require_room(self, project: str, files: Sequence[str]) -> None:
        """Raise `ProjectFull` where there is no room for those that are no members yet."""
        row = await self._project(project)
        if row.most is not None:
            held = await Projects(self.rows.store).holding(project, files)
            row.require_room(len(files) - len(held))

    async def adopt(self, user: str, copies: Sequence[tuple[File, ProjectFile]]) -> None:
        """Make copies of files, whose bytes are there under their ids, a user's own."""
        there = await self.rows.store.get_many(File, [(copy.id,) for copy, _ in copies])
        ready = [
            (_owned(copy, user), member)
            for (copy, member), row in zip(copies, there, strict=True)
            if row is None
        ]
        await self._insert(ready)

    async def _insert(self, ready: Sequence[tuple[File, ProjectFile]], draw: bool = True) -> None:
        if not ready:
            return
        row = await self._project(ready[0][1].project)
        row.require_room(len(ready))
        *puts, project = joining(row, [member for _, member in ready])
        units = [unit for file, _ in ready for unit in drawing(file)] if draw else []
        try:
            await self.rows.insert_all([file for file, _ in ready], units, project, *puts)
        except ConditionFailed as error:
            if error.action == 0:
                (await self._project(row.id)).require_room(len(ready))
            raise

    async def _project(self, project: str) -> Project:
        row = await self.rows.store.get(Project, project)
        if row is None or row.hidden:
            raise NotFound("The project was deleted meanwhile.")
        return row


def _owned(file: File, user: str) -> File:
    """Return the row of a copy as its new owner's."""
    return File(
        id=file.id,
        owner=user,
        listed=user,
        name=file.name,
        media_type=file.media_type,
        size=file.size,
        sha256=file.sha256,
        crc32=file.crc32,
        width=file.width,
        height=file.height,
        duration=file.duration,
        rate=file.rate,
        steady=file.steady,
        source=SOURCE,
        blob=f"files/{file.id}",
        thumbnail=None if file.media_type.startswith(THUMBNAILED) else "",
        lineage=file.lineage,
        created=file.created,
        digest=digest_key(user, file.sha256),
        received=file.size,
        charged=file.size,
    )
