"""What a request names as inputs: looked at before a job is accepted, as far as that is cheap."""

from collections.abc import Sequence
from dataclasses import dataclass

from mediamill.core.access import Principal, Right
from mediamill.core.errors import (
    InvalidInput,
    MediamillError,
    NotFound,
    UnsupportedMedia,
    wrong,
)
from mediamill.core.kinds import misfit
from mediamill.engine.gathering import Found, Sources, Wish
from mediamill.engine.gathering.members import check_patterns
from mediamill.media.documents.types import ZIPPED
from mediamill.operations.base import Operation
from mediamill.services.access import Access
from mediamill.store.repositories.files import File
from mediamill.store.repositories.jobs import Entry
from mediamill.store.repositories.projects import SPLITS, SUBSETS, Project

MAX_FILES = 10_000
SAMPLE = 100
"""Inputs of a project, an archive or a manifest that are looked at when a job is accepted."""


@dataclass(frozen=True)
class Named:
    """Inputs as a request names them: a list of files, or one source."""

    files: tuple[str, ...] | None = None
    project: str | None = None
    archive: str | None = None
    members: tuple[str, ...] = ()
    """Patterns for the members of the archive; none for all that may fit."""
    manifest: str | None = None
    subset: str | None = None
    """Of the project only what is in this subset, and in this split; None for any."""
    split: str | None = None

    @property
    def source(self) -> str:
        """The name of the one field that says where inputs come from; raises `InvalidInput`."""
        given = [
            name
            for name in ("files", "project", "archive", "manifest")
            if getattr(self, name) is not None
        ]
        if len(given) != 1:
            message = "Give one of files, project, archive and manifest."
            errors = [wrong(name, message) for name in given[1:] or ["files"]]
            raise InvalidInput(message, errors=errors)
        return given[0]

    def noted(self) -> dict[str, object]:
        """Return what a job keeps of it; nothing for a list of files, which its manifest holds."""
        source = self.source
        if source == "files":
            return {}
        members = {"members": list(self.members)} if self.members else {}
        of_project = {"subset": self.subset, "split": self.split}
        chosen = {name: value for name, value in of_project.items() if value is not None}
        return {"source": source, "id": getattr(self, source), **members, **chosen}


@dataclass(frozen=True)
class Look:
    """The inputs that were looked at, and whether there may be more of them."""

    found: Sequence[Found]
    more: bool = False


@dataclass
class Inputs:
    """Looks at inputs for the caller; what may not be seen is not there."""

    access: Access
    sources: Sources

    async def look(
        self, principal: Principal, named: Named, first: Operation, operation: str, most: int
    ) -> Look:
        """Return inputs: all files that are listed, else at most about `most`.

        Raises `InvalidInput` with an error for each that is wrong, and where the `first` step of
        the job, called `operation`, could not take any.
        """
        source = named.source
        if named.members and source != "archive":
            message = "members are those of an archive."
            raise InvalidInput.at("members", message)
        _check_part(named)
        if source == "files":
            look = await self._listed(principal, named.files or ())
        else:
            try:
                look = await self._peek(principal, named, first, most)
            except MediamillError as error:
                if error.retryable:
                    raise
                raise InvalidInput.at(source, error.message) from error
        _refuse_hopeless(look, first, operation, source)
        return look

    async def _listed(self, principal: Principal, ids: Sequence[str]) -> Look:
        """Load every file for the caller, or say of each what is wrong with it."""
        if not 1 <= len(ids) <= MAX_FILES:
            message = f"A job has 1 to {MAX_FILES:,} files; list more in a manifest."
            raise InvalidInput.at("files", message)
        errors, seen, found = [], set[str](), list[Found]()
        for place, (file_id, file) in enumerate(
            zip(ids, await self.sources.lookup.get_many(ids), strict=True)
        ):
            if file is None or not await self._seen(principal, file):
                errors.append(wrong(f"files.{place}", f"There is no file {file_id[:80]}."))
            elif file_id in seen:
                errors.append(wrong(f"files.{place}", f"{file_id} is listed twice."))
            elif file.obstacle:
                errors.append(wrong(f"files.{place}", file.obstacle))
            else:
                found.append(Found(Entry(file.id, file.name), file, place + 1))
                seen.add(file_id)
        if errors:
            raise InvalidInput(errors[0]["message"], errors=errors[:100])
        return Look(found)

    async def _peek(self, principal: Principal, named: Named, first: Operation, most: int) -> Look:
        """Look at a source that is the caller's until enough is seen of it."""
        source, record = named.source, str(getattr(named, named.source))
        wish = Wish(
            principal.user, source, record, named.members, first.takes,
            subset=named.subset, split=named.split,
        )  # fmt: skip
        file = None
        if source == "project":
            await self.access.load(principal, Project, record)
        else:
            file = await self._check_file(principal, record, source)
            check_patterns(named.members)
        return Look(*await self.sources.sample(wish, file, most))

    async def _seen(self, principal: Principal, file: File) -> bool:
        return not file.hidden and await self.access.sees(principal, file)

    async def check_target(self, principal: Principal, project: str) -> None:
        """Raise `InvalidInput` for a project that the caller may not add to, or that is full."""
        try:
            found = await self.access.load(principal, Project, project, Right.EDIT)
            found.require_room(1)
        except MediamillError as error:
            raise InvalidInput.at("output_project", error.message) from error

    async def references(
        self, principal: Principal, ids: Sequence[str], where: str
    ) -> Sequence[Found]:
        """Return files that are measured beside the inputs; raises `InvalidInput` at `where`."""
        files = await self.sources.lookup.get_many(ids)
        for file_id, file in zip(ids, files, strict=True):
            if file is None or not await self._seen(principal, file):
                raise InvalidInput.at(where, f"There is no file {file_id[:80]}.")
            if file.obstacle:
                raise InvalidInput.at(where, file.obstacle)
        return [Found(Entry(f.id, f.name, reference=True), f, None) for f in files if f is not None]

    async def _check_file(self, principal: Principal, file_id: str, source: str) -> File:
        """Return a file that is the caller's, is ready, and is what it is used as."""
        (file,) = await self.sources.lookup.get_many([file_id])
        if file is None or not await self._seen(principal, file):
            raise NotFound(f"There is no file {file_id[:80]}.")
        if file.obstacle:
            raise InvalidInput(file.obstacle)
        if source == "manifest" and not file.media_type.startswith("text/"):
            raise UnsupportedMedia(f"{file.name} is no text that could list inputs.")
        if source == "archive" and file.media_type not in ZIPPED:
            raise UnsupportedMedia(f"{file.name} is no zip archive.")
        return file


def _check_part(named: Named) -> None:
    """Raise `InvalidInput` for a part of a project that there is not."""
    for name, known in (("subset", SUBSETS), ("split", ("", *SPLITS))):
        value = getattr(named, name)
        if value is not None and named.project is None:
            raise InvalidInput.at(name, f"{name} is that of a project.")
        if value is not None and value not in known:
            words = ", ".join(one or "empty for none" for one in known)
            raise InvalidInput.at(name, f"{name} is one of {words}.")


def misfits(look: Look, first: Operation, operation: str) -> dict[int, str]:
    """Tell which inputs will fail for what they are, by their places, and why.

    Members of archives only show when they are run.
    """
    found = {}
    for place, one in enumerate(look.found):
        if one.entry.problem is not None:
            found[place] = one.entry.problem.message
        elif one.entry.place is None and one.file and not first.takes(one.file.media_type):
            kind = one.file.media_type
            found[place] = misfit(operation, first.accepts, one.entry.name, kind)
    return found


def _refuse_hopeless(look: Look, first: Operation, operation: str, source: str) -> None:
    """Refuse a job none of whose inputs fits; single misfits become failed items instead."""
    if look.more:
        return
    if not look.found:
        message = f"The {source} holds nothing that {operation} could work on."
        raise InvalidInput.at(source, message)
    wrongs = misfits(look, first, operation)
    if len(wrongs) == len(look.found):
        raise InvalidInput.at(source, wrongs[0])
