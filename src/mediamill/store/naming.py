"""Which objects the records name, and which SHA-256 they say these have."""

from collections.abc import Iterator

from mediamill.core.records import Record
from mediamill.store.repositories.annotation_rows import (
    AnnotationBook,
    AnnotationHistory,
    FileAnnotations,
)
from mediamill.store.repositories.datasets import VersionFile
from mediamill.store.repositories.files import File, FileState
from mediamill.store.repositories.manifests import ManifestPage
from mediamill.store.repositories.results import Result
from mediamill.store.repositories.uploads import UploadPart
from mediamill.store.repositories.versions import Version

NAMING: tuple[type[Record], ...] = (
    AnnotationBook,
    AnnotationHistory,
    File,
    FileAnnotations,
    ManifestPage,
    Result,
    UploadPart,
    Version,
    VersionFile,
)
"""Kinds of records that are nothing without the objects that they name."""
REPLACING: tuple[type[Record], ...] = (AnnotationBook, AnnotationHistory, FileAnnotations)
"""Those of them that come to name another object, or none, while they live."""


def recorded(record: Record) -> Iterator[tuple[str, str]]:
    """Yield the objects whose bytes a record vouches for, each with its SHA-256."""
    match record:
        case File(state=FileState.READY | FileState.TRASHED):
            yield record.blob, record.sha256
        case Version():
            yield record.blob, record.sha256
        case VersionFile():
            yield record.blob, record.sha256
        case Result():
            for file in record.files:
                yield file.blob, file.sha256


def named(record: Record) -> Iterator[tuple[str, str]]:
    """Yield all objects that a record is nothing without; SHA-256 is empty where it tells none."""
    yield from recorded(record)
    match record:
        case Result():
            for file in record.files:
                if file.annotations_blob:
                    yield file.annotations_blob, ""
        case (
            AnnotationBook() | AnnotationHistory() | FileAnnotations() | ManifestPage()
            | UploadPart()
        ) if record.blob:  # fmt: skip
            yield record.blob, ""
