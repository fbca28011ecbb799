"""A set of annotations while it is read: a scratch database, so that memory stays small.

Formats give their annotations in any order, and name images before or after them. Here they are
put beside the files that they belong to, and what is wrong with them is listed.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from mediamill.annotations.book import MAX_CLASSES, bounded, contradicted, filled
from mediamill.annotations.model import Annotation, Category
from mediamill.core.errors import InvalidInput

MOST_FINDINGS = 10_000
"""Findings that are kept word by word; all are counted."""

MOST_PARTS = 8
"""Parts of a path by which a file is found, from its end."""
TELLING = ("images", "labels", "Annotations", "JPEGImages")

Level = Literal["error", "warning"]
Key = int | str

_TABLES = """
PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16384;
CREATE TABLE files(n INTEGER PRIMARY KEY, id, path, width, height);
CREATE TABLE tails(tail, file, PRIMARY KEY(tail, file)) WITHOUT ROWID;
CREATE TABLE images(n INTEGER PRIMARY KEY, key UNIQUE, body, place, file);
CREATE UNIQUE INDEX image_file ON images(file);
CREATE TABLE annotations(n INTEGER PRIMARY KEY, image, id UNIQUE, category, body, place);
CREATE INDEX annotation_image ON annotations(image);
"""


class Finding(msgspec.Struct, frozen=True):
    """Something wrong with a set: an error keeps it from being stored, a warning does not."""

    level: Level
    code: str
    message: str
    place: str
    """Where in the file: `annotations[17]`, `labels/a.txt:3`."""


class FileFacts(msgspec.Struct, frozen=True):
    """A file that annotations may belong to; `path` has its folders where it has any."""

    id: str
    path: str
    width: int
    height: int


class Image(msgspec.Struct, frozen=True):
    """A picture as the set describes it; sizes are 0 where it does not say."""

    key: Key
    path: str
    width: int = 0
    height: int = 0
    split: str = ""
    labels: tuple[str, ...] = ()
    extra: dict[str, Any] = {}


class Index:
    """What was read so far; `document` is what a format says of the set as a whole.

    `known` are the classes, by name, of what the set is to be put on.
    """

    def __init__(self, path: Path | None = None, known: Iterable[Category] = ()) -> None:
        self._database = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._database.executescript(_TABLES)
        self._database.execute("BEGIN")
        self.known = {category.name: category for category in known}
        self.categories: dict[Key, Category] = {}
        self._names: set[str] = set()
        self.document: dict[str, Any] = {}
        self._bytes = 0
        """What categories and document take as JSON."""
        self.findings: list[Finding] = []
        self.counts: dict[str, int] = {}
        self.errors = 0

    def close(self) -> None:
        """Forget all of it."""
        self._database.close()

    def find(self, level: Level, code: str, message: str, place: str) -> None:
        """List something that is wrong."""
        self.counts[code] = self.counts.get(code, 0) + 1
        self.errors += level == "error"
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(level, code, message, place))

    def add_files(self, files: Iterable[FileFacts]) -> int:
        """Say what files there are; returns how many."""
        statement = "INSERT INTO files(id,path,width,height) VALUES(?,?,?,?)"
        count = 0
        for file in files:
            row = (file.id, file.path, file.width, file.height)
            number = self._database.execute(statement, row).lastrowid
            tails = {*_tails(file.path), *_tails(file.path, bare=True)}
            self._database.executemany(
                "INSERT INTO tails VALUES(?,?)", ((tail, number) for tail in tails)
            )
            count += 1
        return count

    def adopt_images(self) -> None:
        """Take the pictures that the set describes for files, where none are at hand."""
        self.add_files(
            FileFacts(str(number), image.path, image.width, image.height)
            for number, image, _ in list(self.images())
        )

    def add_category(self, key: Key, category: Category, place: str) -> None:
        """Add a category, unless its key or name is there already, or there are too many.

        What is known of a class of its name stays so, and fills in what it does not say.
        """
        if len(self.categories) >= MAX_CLASSES:
            words = f"There are more than {MAX_CLASSES:,} categories."
            self.find("error", "too_many_categories", words, place)
        elif key in self.categories:
            self.find("error", "category_twice", f"There are two categories {key}.", place)
        elif category.name in self._names:
            words = f"Two categories are named {category.name}; give them different names."
            self.find("error", "category_twice", words, place)
        elif self._holds(category, place):
            self._names.add(category.name)
            self.categories[key] = self._as_known(category, place)

    def describe(self, member: str, value: Any, place: str, *, listed: bool) -> None:
        """Keep a member that a format says of the set as a whole, or the next part of a list."""
        if not self._holds(value, place):
            return
        there = self.document.setdefault(member, [] if listed else value)
        if listed and isinstance(there, list):  # a member that comes twice is what it was first
            there.append(value)

    def _holds(self, value: Any, place: str) -> bool:
        """Count what a category or a part of the document takes; False where it is too much."""
        size = self._bytes + len(msgspec.json.encode(value))
        try:
            bounded(size)
        except InvalidInput as error:
            self.find("error", "too_large", error.message, place)
            return False
        self._bytes = size
        return True

    def _as_known(self, category: Category, place: str) -> Category:
        known = self.known.get(category.name)
        if known is None:
            return category
        for field in contradicted(known, category):
            words = f"The class {category.name} has another {field} already, which it keeps."
            self.find("warning", "class_differs", words, place)
        return msgspec.structs.replace(filled(known, category), number=category.number)

    def add_image(self, image: Image, place: str) -> bool:
        """Add a picture, unless there is one of its key."""
        statement = "INSERT OR IGNORE INTO images(key,body,place) VALUES(?,?,?)"
        row = (_key(image.key), msgspec.json.encode(image), place)
        if self._database.execute(statement, row).rowcount == 1:
            return True
        self.find("error", "image_twice", f"There are two images {image.key}.", place)
        return False

    def add(self, image: Key, category: Key, annotation: Annotation, place: str) -> bool:
        """Add an annotation to an image that may come later; ids must differ."""
        statement = (
            "INSERT OR IGNORE INTO annotations(image,id,category,body,place) VALUES(?,?,?,?,?)"
        )
        body = msgspec.json.encode(annotation)
        row = (_key(image), _key(annotation.id), _key(category), body, place)
        if self._database.execute(statement, row).rowcount == 1:
            return True
        words = f"Two annotations have the id {annotation.id}; give each its own."
        self.find("error", "annotation_twice", words, place)
        return False

    def candidates(self, path: str, *, by_stem: bool = False) -> list[FileFacts]:
        """List the files that a path may mean, two where there are more.

        That is the one of just that path, else those with which it has most of its end in common:
        folders above are left out on either side. `by_stem` passes over endings, and over folders
        that tell images from labels.
        """
        statement = (
            "SELECT id, path, width, height FROM tails JOIN files ON files.n=tails.file "
            "WHERE tail=? LIMIT 2"
        )
        for tail in _tails(path, bare=by_stem):
            if rows := self._database.execute(statement, (tail,)).fetchall():
                return [FileFacts(str(row[0]), str(row[1]), *map(int, row[2:])) for row in rows]
        return []

    def images(self) -> Iterator[tuple[int, Image, str]]:
        """Yield number, picture and place of each, in their order."""
        cursor = self._database.execute("SELECT n, body, place FROM images ORDER BY n")
        for number, body, place in cursor:
            yield number, msgspec.json.decode(body, type=Image), place

    def claim(self, number: int, file: str) -> bool:
        """Give a picture its file; False when another picture has it."""
        statement = "UPDATE OR IGNORE images SET file=? WHERE n=?"
        return self._database.execute(statement, (file, number)).rowcount == 1

    def annotations(self, image: Key) -> Iterator[tuple[Key, Annotation, str]]:
        """Yield category key, annotation and place of an image's annotations, in their order."""
        statement = "SELECT category, body, place FROM annotations WHERE image=? ORDER BY n"
        for category, body, place in self._database.execute(statement, (_key(image),)):
            yield _unkey(category), msgspec.json.decode(body, type=Annotation), place

    def orphans(self) -> Iterator[tuple[Key, str]]:
        """Yield image key and place of annotations whose image is not there."""
        statement = (
            "SELECT image, place FROM annotations WHERE NOT EXISTS "
            "(SELECT 1 FROM images WHERE images.key=annotations.image) ORDER BY n"
        )
        for image, place in self._database.execute(statement):
            yield _unkey(image), place

    def count(self, what: Literal["images", "annotations", "files"]) -> int:
        """Return how many there are."""
        statements: Mapping[str, str] = {
            "images": "SELECT count(*) FROM images",
            "annotations": "SELECT count(*) FROM annotations",
            "files": "SELECT count(*) FROM files",
        }
        (found,) = self._database.execute(statements[what]).fetchone()
        return int(found)


def base_of(path: str) -> str:
    """Return the last part of a path, whichever slashes it has."""
    return path.replace("\\", "/").rpartition("/")[2]


def _tails(path: str, *, bare: bool = False) -> list[str]:
    """Return a path from its root, then its ends, the longest first.

    `bare` is without the extension and the folders that tell images from labels.
    """
    *folders, base = (part for part in path.replace("\\", "/").split("/") if part != ".")
    if bare:
        folders = [folder for folder in folders if folder not in TELLING]
        base = base.rpartition(".")[0] or base
    parts = [*folders, base]
    kind = "~" if bare else "="
    ends = ("/".join(parts[-n:]) for n in range(min(len(parts), MOST_PARTS), 0, -1))
    return [f"{kind}/{'/'.join(parts)}", *(f"{kind}{end}" for end in ends)]


def _key(key: Key) -> str:
    return f"#{key}" if isinstance(key, int) else f"'{key}"


def _unkey(key: str) -> Key:
    return int(key[1:]) if key.startswith("#") else key[1:]
