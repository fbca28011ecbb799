"""All that callers do with annotations, put together."""

from dataclasses import dataclass
from typing import Self

from mediamill.parts import Parts
from mediamill.services.access import Access
from mediamill.services.annotations.classes import ClassService
from mediamill.services.annotations.service import AnnotationService
from mediamill.services.annotations.transfers import TransferService
from mediamill.services.projects.tasks import TaskService


@dataclass(frozen=True)
class AnnotationServices:
    """Services over the annotations of one project each."""

    drawing: AnnotationService
    classes: ClassService
    transfers: TransferService

    @classmethod
    def over(cls, parts: Parts, access: Access, tasks: TaskService) -> Self:
        """Make all of them of the same parts."""
        nouns = parts.nouns
        drawing = AnnotationService(access, nouns.annotations, nouns.projects, nouns.lookup)
        transfers = TransferService(
            access, nouns.annotations, nouns.projects, nouns.lookup, tasks, parts.blobs,
            parts.scratch,
        )  # fmt: skip
        return cls(drawing, ClassService(access, nouns.annotations), transfers)
