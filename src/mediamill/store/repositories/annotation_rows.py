"""Rows of annotations: what is drawn on a file now and was before, and the classes of a project."""

from mediamill.core.records import Index, Key, Record

KEPT = 20
"""Earlier contents of a file that can be brought back."""


class FileAnnotations(Record, frozen=True, kw_only=True):
    """What is drawn on a file in a project."""

    table = "file_annotations"
    key = Key("project", "file")
    indexes = (
        Index("annotations_of_file", partition=("file",), sort=("project",)),
        Index("annotations_of_job", partition=("job",), sort=("project", "file")),
    )

    project: str
    file: str
    job: str | None = None
    """The job whose result the file is, else None."""
    revision: int
    """Grows with every change, also with one that is taken back."""
    edits: int = 0
    """Changes that stand: the next goes into the history under this number."""
    kept: int = 0
    """How many of them can be taken back."""
    content: bytes = b""
    """`ImageAnnotations` with numbers for classes, empty where a blob holds them."""
    blob: str = ""
    size: int = 0
    """Bytes of the content."""
    charged: int = 0
    """Bytes that the project's owner is charged for: of the content and of what is kept of it."""
    task: str = ""
    """The import that wrote it, empty for an edit."""
    count: int = 0
    classes: dict[str, int] = {}
    """Annotations and labels by the number of their class."""
    user: str = ""
    """Who changed it last; empty for an import."""
    changed: int


class AnnotationHistory(Record, frozen=True, kw_only=True):
    """What was drawn on a file before a change."""

    table = "annotation_history"
    key = Key("project", "file", "edit")

    project: str
    file: str
    edit: int
    content: bytes = b""
    blob: str = ""
    size: int = 0
    task: str = ""
    user: str = ""
    changed: int


class AnnotationBook(Record, frozen=True, kw_only=True):
    """The classes of a project (`annotations/book.py`)."""

    table = "annotation_books"
    key = Key("project")

    project: str
    revision: int
    content: bytes = b""
    blob: str = ""
