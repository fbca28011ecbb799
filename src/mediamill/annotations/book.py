"""The classes of a project, and what its annotations call them.

What is stored names classes by number, so that one is renamed, merged into another or removed by a
change of the book alone, at once for a million annotations, and brought back the same way.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Self

import msgspec

from mediamill.annotations.model import Annotation, Category, ImageAnnotations
from mediamill.core.errors import InvalidInput

MAX_CLASSES = 20_000
"""Classes that a project may ever have, those that were removed or merged included."""
MAX_BYTES = 4 << 20
"""What they may take as JSON, with what a set of COCO says of itself: each reader reads all."""


def bounded(size: int) -> None:
    """Raise `InvalidInput` for more bytes than a project's classes may take."""
    if size > MAX_BYTES:
        message = f"The classes of a project may take {MAX_BYTES:,} bytes, {size:,} were given."
        raise InvalidInput(f"{message} Leave out fields that nobody reads, or classes.")


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A class, and what became of it."""

    category: Category
    into: int | None = None
    """The class that it was merged into."""
    removed: bool = False

    @property
    def live(self) -> bool:
        """Whether it is a class still."""
        return self.into is None and not self.removed


class Book(msgspec.Struct, frozen=True, omit_defaults=True):
    """All classes that a project ever had, and what a set of COCO says of itself (`document`)."""

    entries: tuple[Entry, ...] = ()
    document: dict[str, Any] = {}

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes that there are, by number."""
        live = (one.category for one in self.entries if one.live)
        return tuple(sorted(live, key=lambda category: category.number))

    def named(self, name: str) -> Category | None:
        """Return the class of a name."""
        return next((one for one in self.categories if one.name == name), None)

    def need(self, number: int) -> Category:
        """Return the class of a number; raises `InvalidInput`."""
        found = next((one for one in self.categories if one.number == number), None)
        if found is None:
            raise InvalidInput(f"There is no class {number}.")
        return found

    def meant(self) -> Mapping[str, Category]:
        """Return what each number means now, as text; those that mean nothing any more are not."""
        entries = {one.category.number: one for one in self.entries}
        found: dict[str, Category] = {}
        for number, first in entries.items():
            entry, seen = first, {number}
            while entry.into in entries and entry.into not in seen:
                seen.add(entry.into)
                entry = entries[entry.into]
            if entry.live:
                found[str(number)] = entry.category
        return found

    # -- what is stored, and what is seen -------------------------------------------------------

    def resolved(self, stored: ImageAnnotations) -> ImageAnnotations:
        """Return stored annotations with the names of their classes; those of none are left out."""
        meant = self.meant()
        kept = tuple(
            msgspec.structs.replace(one, category=meant[one.category].name)
            for one in stored.annotations
            if one.category in meant
        )
        labels = tuple(dict.fromkeys(meant[n].name for n in stored.labels if n in meant))
        used = {one.category for one in kept if one.keypoints}
        pairs = {one.name: one.pairs for one in meant.values() if one.pairs and one.name in used}
        return msgspec.structs.replace(stored, annotations=kept, labels=labels, pairs=pairs)

    def numbered(self, seen: ImageAnnotations) -> ImageAnnotations:
        """Return annotations with numbers for classes; raises `InvalidInput` for unknown ones."""
        numbers = {one.name: str(one.number) for one in self.categories}

        def number(name: str) -> str:
            if name not in numbers:
                raise InvalidInput(f"There is no class {name[:200]}: add it first.")
            return numbers[name]

        kept = tuple(
            msgspec.structs.replace(one, category=number(one.category)) for one in seen.annotations
        )
        labels = tuple(map(number, dict.fromkeys(seen.labels)))
        return msgspec.structs.replace(seen, annotations=kept, labels=labels, pairs={})

    # -- changes --------------------------------------------------------------------------------

    def with_added(self, categories: Iterable[Category]) -> Self:
        """Add classes whose names are new; numbers that are taken are given anew.

        Those that are there are told what they do not say themselves (`filled`).
        """
        taken = {one.category.number for one in self.entries}
        entries = list(self.entries)
        places = {one.category.name: n for n, one in enumerate(entries) if one.live}
        for category in categories:
            if (place := places.get(category.name)) is not None:
                entries[place] = Entry(filled(entries[place].category, category))
                continue
            number = category.number
            if number in taken or number < 0:
                number = max(taken, default=0) + 1
            taken.add(number)
            places[category.name] = len(entries)
            entries.append(Entry(msgspec.structs.replace(category, number=number)))
        if len(entries) > MAX_CLASSES:
            raise InvalidInput(f"A project may have at most {MAX_CLASSES:,} classes.")
        return msgspec.structs.replace(self, entries=tuple(entries))

    def changed(self, category: Category) -> Self:
        """Put a class in the place of that of its number; raises `InvalidInput`.

        Bones and pairs of key points that are there no more go.
        """
        self.need(category.number)
        category = _fitting(category)
        other = self.named(category.name)
        if other is not None and other.number != category.number:
            raise InvalidInput.at(
                "name", f"Another class is named {category.name}; merge the two instead."
            )
        return self._with(category.number, Entry(category))

    def merged(self, number: int, into: int) -> Self:
        """Let a class be another from now on; raises `InvalidInput`."""
        if number == into:
            raise InvalidInput.at("into", "A class cannot be merged into itself.")
        self.need(into)
        return self._with(number, Entry(self.need(number), into=into))

    def without(self, number: int) -> Self:
        """Remove a class, and with it what is drawn of it; raises `InvalidInput`."""
        return self._with(number, Entry(self.need(number), removed=True))

    def _with(self, number: int, entry: Entry) -> Self:
        entries = (entry if one.category.number == number else one for one in self.entries)
        return msgspec.structs.replace(self, entries=tuple(entries))


def filled(known: Category, given: Category) -> Category:
    """Return a class with what it does not say itself, as another of its name says it.

    Bones and pairs name places of key points, so they are taken for the same points alone.
    """
    points = known.keypoints or given.keypoints
    fields = ["supercategory", "colour", "keypoints"]
    if points == given.keypoints:
        fields += ["skeleton", "pairs"]
    more = {field: getattr(known, field) or getattr(given, field) for field in fields}
    return msgspec.structs.replace(known, **more, extra={**given.extra, **known.extra})


def contradicted(known: Category, given: Category) -> tuple[str, ...]:
    """Return in which of their fields two classes of a name say different things."""
    fields = ("supercategory", "keypoints", "skeleton", "pairs")
    said = ((field, getattr(known, field), getattr(given, field)) for field in fields)
    return tuple(field for field, here, there in said if here and there and here != there)


def _fitting(category: Category) -> Category:
    """Return a class with the bones and pairs of its key points alone."""
    most = len(category.keypoints)
    return msgspec.structs.replace(
        category,
        skeleton=tuple(bone for bone in category.skeleton if max(bone) <= most),
        pairs=tuple(pair for pair in category.pairs if max(pair) < most),
    )


def counted(content: ImageAnnotations) -> dict[str, int]:
    """Count annotations by category, and labels as one each."""
    counts: dict[str, int] = {}
    for category in (*(one.category for one in content.annotations), *content.labels):
        counts[category] = counts.get(category, 0) + 1
    return counts


def with_ids(content: ImageAnnotations, first: int) -> ImageAnnotations:
    """Give ids, from `first` on, to annotations that have none (empty) or one that is taken."""
    taken: set[int | str] = set()
    kept: list[Annotation] = []
    for one in content.annotations:
        if one.id == "" or one.id in taken:
            one = msgspec.structs.replace(one, id=first)  # noqa: PLW2901 - the same with an id
            first += 1
        taken.add(one.id)
        kept.append(one)
    return content.with_annotations(kept)
