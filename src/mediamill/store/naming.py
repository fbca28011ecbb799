"""Which objects the records name, and which SHA-256 they say these have."""

from collections.abc import Iterator
from typing import Any

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
from mediamill.store.repositories.uploads import Upload, UploadPart, UploadState
from mediamill.store.repositories.versions import Version

Values = tuple[Any, ...]
"""The key of a record."""

NAMING: tuple[type[Record], ...] = (
    AnnotationBook,
    AnnotationHistory,
    File,
    FileAnnotations,
    ManifestPage,
    Result,
    Upload,
    UploadPart,
    Version,
    VersionFile,
)
"""Kinds of records that are nothing without the objects that they name."""


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
        case Upload(state=UploadState.CHECKING) if record.direct:
            yield record.arriving, ""


def telling(kind: type[Record], key: Values) -> tuple[type[Record], Values]:
    """Return the record that tells what became of an object that one of a kind named."""
    return (Upload, key[:1]) if kind is UploadPart else (kind, key)


def misses(record: Record, key: str) -> bool:
    """Tell whether a record as it is now makes something of an object that it named before.

    Annotations that were changed since: whoever goes back to the row of then needs what that named.
    Of an upload that was discarded, or is a file now (`became`), nobody does.
    """
    match record:
        case AnnotationBook() | AnnotationHistory() | FileAnnotations():
            return True
        case Upload():
            return record.state in (UploadState.RECEIVING, UploadState.CHECKING)
    return key in dict(named(record))


def became(record: Record) -> str:
    """Return the id of the file that an upload has become; empty for all else."""
    if isinstance(record, Upload) and record.state is UploadState.READY:
        return record.file
    return ""
