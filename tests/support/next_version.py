"""The next version of the program, made of this one: what a release may add, all at once.

A migration with a column that may be unset, one with a default, an index and a table; a value in
the new column; another kind of unit; another operation.
"""

import shutil
from pathlib import Path

import mediamill
from mediamill.store.sql.migrate import migrations

HERE = Path(mediamill.__file__).parent

MIGRATION = """-- compatible: {compatible}
ALTER TABLE "files" ADD COLUMN "mood" {text};
ALTER TABLE "jobs" ADD COLUMN "tries" {number} NOT NULL DEFAULT 0;
CREATE INDEX "file_mood" ON "files" ("mood", "id")
    WHERE "mood" IS NOT NULL;
CREATE TABLE "moods" (
    "id" {text} NOT NULL,
    PRIMARY KEY ("id")
){suffix};
"""
TYPES = {
    "sqlite": {"text": "TEXT", "number": "INTEGER", "suffix": " STRICT"},
    "postgres": {"text": 'TEXT COLLATE "C"', "number": "BIGINT", "suffix": ""},
}
MARKS = {
    "store/repositories/files.py": {
        'partition=("trash",), sort=("trashed", "id")),': """
        Index("file_mood", partition=("mood",), sort=("id",)),""",
        "    owner: str\n    listed: str | None = None": """
    mood: str | None = None""",
    },
    "store/repositories/jobs.py": {
        '    rerun: str = ""': """
    tries: int = 3""",
    },
    "services/uploads/recording.py": {
        "            tags=label.tags,": """
            mood="happy",""",
    },
    "handlers/kinds.py": {
        '        "close_purses": ClosePurses(nouns.units, nouns.attempts, parts.models),': """
        "draw": Thumbnail(nouns.files, parts.blobs, parts.slots, parts.scratch),""",
    },
}
"""What is added behind what."""
CHANGES = {"services/uploads/recording.py": {'Unit.chore("thumbnail", ': 'Unit.chore("draw", '}}


def next_version(folder: Path) -> Path:
    """Make it in a folder; return what goes first on the import path."""
    program = folder / "mediamill"
    shutil.copytree(HERE, program, ignore=shutil.ignore_patterns("__pycache__"))
    for place, marks in MARKS.items():
        _change(program / place, {mark: mark + more for mark, more in marks.items()})
    for place, changes in CHANGES.items():
        _change(program / place, changes)
    shutil.copy(program / "operations" / "convert.py", program / "operations" / "transmute.py")
    for dialect, types in TYPES.items():
        last = len(migrations(dialect))
        script = MIGRATION.format(compatible=last, **types)
        place = program / "store/sql/migrations" / dialect / f"{last + 1:04}_mood.sql"
        place.write_text(script)
    return folder


def _change(file: Path, changes: dict[str, str]) -> None:
    text = file.read_text()
    for old, new in changes.items():
        assert text.count(old) == 1, f"{file} has “{old}” {text.count(old)} times"
        text = text.replace(old, new)
    file.write_text(text)
