"""What an owner says about a file: its name and its tags."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mediamill.core.access import Principal, Right
from mediamill.core.errors import ConditionFailed, InvalidInput, Outdated
from mediamill.media.archive.names import safe_name
from mediamill.services.access import Access
from mediamill.services.files.trash import own_uploads_only
from mediamill.store.port import MAX_ACTIONS, Action, Delete, Put, Store
from mediamill.store.repositories.files import File, FileTag, tag_key
from mediamill.store.repositories.purging import change

MAX_TAGS, MAX_TAG = 50, 100
"""Tags of a file, and characters of a tag."""


def clean_tags(tags: Iterable[str], pointer: str = "tags") -> tuple[str, ...]:
    """Return tags in their order: NFC, trimmed, each once, empty ones left out.

    Raises `InvalidInput` for too many, too long ones, and commas or control characters in one.
    """
    found: dict[str, None] = {}
    for place, tag in enumerate(tags):
        text = " ".join(unicodedata.normalize("NFC", tag).split())
        if problem := _problem(text):
            message = f"{text[:40]!r} is no tag: {problem}."
            raise InvalidInput.at(f"{pointer}.{place}", message)
        if text:
            found[text] = None
    if len(found) > MAX_TAGS:
        message = f"A file has at most {MAX_TAGS} tags."
        raise InvalidInput.at(pointer, message)
    return tuple(found)


def _problem(text: str) -> str:
    if len(text) > MAX_TAG:
        return f"it may have at most {MAX_TAG} characters"
    if "," in text:
        return "a comma separates tags"
    if any(unicodedata.category(letter)[0] == "C" for letter in text):
        return "it holds characters that do not show"
    return ""


@dataclass(frozen=True)
class Retagged:
    """A file whose tags were changed, and what it did not have, or had, before."""

    file: File
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass
class Labels:
    """Changes names and tags for who may edit a file."""

    store: Store
    access: Access

    async def edit(
        self,
        principal: Principal,
        file_id: str,
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        revision: int | None = None,
    ) -> File:
        """Rename a file or replace its tags; returns it as it is then.

        `revision` is what the caller saw: raises `Outdated` when the file has changed since.
        """
        own_uploads_only(file_id, "they keep the name that it gave them, and have no tags")
        cleaned = None if tags is None else clean_tags(tags)
        while True:
            file = await self._load(principal, file_id)
            if revision not in (None, file.revision):
                message = f"{file.name} has changed since you read it: read it again."
                raise Outdated(message, revision=file.revision)
            renamed = file.name if name is None else safe_name(name, file.name)
            try:
                return await self._write(file, renamed, file.tags if cleaned is None else cleaned)
            except ConditionFailed:
                continue  # it changed meanwhile: look again

    async def retag(
        self, principal: Principal, file_id: str, add: Sequence[str], remove: Sequence[str]
    ) -> Retagged:
        """Add tags to those that a file has, and take some away."""
        own_uploads_only(file_id, "they have no tags")
        gone = set(clean_tags(remove, "remove"))
        while True:
            file = await self._load(principal, file_id)
            tags = clean_tags([*(tag for tag in file.tags if tag not in gone), *add], "add")
            try:
                written = await self._write(file, file.name, tags)
            except ConditionFailed:
                continue
            added = tuple(tag for tag in tags if tag not in file.tags)
            return Retagged(written, added, tuple(tag for tag in file.tags if tag not in tags))

    async def _load(self, principal: Principal, file_id: str) -> File:
        return await self.access.load(principal, File, file_id, Right.EDIT)

    async def _write(self, file: File, name: str, tags: tuple[str, ...]) -> File:
        """Write what differs, in one transaction where it fits into one."""
        if (name, tags) == (file.name, file.tags):
            return file
        gone = [tag for tag in file.tags if tag not in tags]
        new = [tag for tag in tags if tag not in file.tags]
        if gone and new and len(gone) + len(new) >= MAX_ACTIONS:
            file = await self._write(file, name, tuple(t for t in file.tags if t in tags))
            gone = []
        steps: list[Action] = [Delete(FileTag, (tag_key(file.owner, t), file.id)) for t in gone]
        steps += [Put(FileTag(tagged=tag_key(file.owner, t), file=file.id)) for t in new]
        await self.store.transact(change(file, name=name, tags=tags), *steps)
        return file.evolve(name=name, tags=tags, revision=file.revision + 1)
