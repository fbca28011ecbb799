"""Annotations and classes as they look outside, and as they are sent."""

from typing import Annotated, Any

import msgspec
from pydantic import Field, JsonValue

from mediamill.annotations.model import Annotation, Category, Rle
from mediamill.services.annotations.classes import Uses
from mediamill.services.annotations.service import Drawn
from mediamill.web.parsing import Body
from mediamill.web.views.common import Count, Time, View, moment

MAX_AT_ONCE = 500
"""Annotations of one request, whose JSON has at most 5,000 members; several may follow."""

Number = Annotated[float, Field(strict=True, ge=-1e7, le=1e7)]
AnnotationId = (
    Annotated[int, Field(strict=True, ge=0, le=2**53)]
    | Annotated[str, Field(strict=True, max_length=200)]
)
ClassName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S(.*\S)?$")]
Box = Annotated[list[Number], Field(min_length=4, max_length=4, examples=[[10, 20, 64, 48]])]
Ring = Annotated[list[Number], Field(min_length=6, max_length=20_000)]


class MaskBody(Body):
    """Runs of pixels down the columns, the first outside: COCO's, compressed or as numbers."""

    height: int = Field(ge=1, le=100_000)
    width: int = Field(ge=1, le=100_000)
    counts: (
        Annotated[str, Field(max_length=500_000)]
        | Annotated[
            list[Annotated[int, Field(strict=True, ge=0, le=2**40)]], Field(max_length=20_000)
        ]
    )


class AnnotationBody(Body):
    """One object on a picture, in pixels."""

    id: AnnotationId | None = Field(None, description="Left out: it gets one.")
    class_: ClassName = Field(alias="class", description="Name of a class of the project.")
    box: Box | None = Field(None, description="Left, top, width, height.")
    polygons: list[Ring] = Field(
        default_factory=list, max_length=1_000, description="x, y of one corner after the other."
    )
    mask: MaskBody | None = None
    keypoints: list[Number] = Field(
        default_factory=list,
        max_length=3_000,
        description="x, y, and 0 not there, 1 hidden or 2 seen, one after the other.",
    )
    crowd: Annotated[bool, Field(strict=True)] = False
    area: float | None = Field(None, strict=True, ge=0, le=1e14)
    extra: dict[str, JsonValue] = Field(default_factory=dict, max_length=100)

    def annotation(self) -> Annotation:
        """Return what it says; an empty id asks for one."""
        box = self.box and (self.box[0], self.box[1], self.box[2], self.box[3])
        mask = self.mask and Rle(
            self.mask.height,
            self.mask.width,
            self.mask.counts if isinstance(self.mask.counts, str) else tuple(self.mask.counts),
        )
        return Annotation(
            "" if self.id is None else self.id,
            self.class_,
            box or None,
            tuple(tuple(ring) for ring in self.polygons),
            mask or None,
            tuple(self.keypoints),
            self.crowd,
            self.area,
            dict(self.extra),
        )


class ChangedBody(AnnotationBody):
    """An annotation in the place of the one with its id."""

    id: AnnotationId


Labels = Annotated[list[ClassName], Field(max_length=1_000)]
Bodies = Annotated[list[AnnotationBody], Field(max_length=MAX_AT_ONCE)]


class AnnotationsBody(Body):
    """All that is drawn on a file."""

    annotations: Bodies = Field(default_factory=list)
    labels: Labels = Field(default_factory=list, description="Classes of the picture as a whole.")
    extra: dict[str, JsonValue] = Field(default_factory=dict, max_length=100)


class PatchBody(Body):
    """A change of some of it."""

    add: Bodies = Field(default_factory=list)
    change: Annotated[list[ChangedBody], Field(max_length=MAX_AT_ONCE)] = Field(
        default_factory=list
    )
    remove: list[AnnotationId] = Field(default_factory=list, max_length=MAX_AT_ONCE)
    labels: Labels | None = Field(None, description="These instead of those there are.")


class MaskView(View):
    height: int
    width: int
    counts: str | list[int]


class AnnotationView(View):
    id: int | str
    class_: str = Field(alias="class", serialization_alias="class")
    box: list[float] | None
    polygons: list[list[float]]
    mask: MaskView | None
    keypoints: list[float]
    crowd: bool
    area: float | None
    extra: dict[str, Any]


class DrawnView(View):
    """What is drawn on one file."""

    file: str
    name: str
    width: Count
    height: Count
    annotations: list[AnnotationView]
    labels: list[str]
    extra: dict[str, Any]
    revision: Count = Field(description="As in the `ETag`; 0 before anything was drawn.")
    undo: Count = Field(description="Changes that can be taken back, one by one.")
    changed_at: Time | None


class ClassView(View):
    number: int = Field(description="COCO’s category id.")
    name: str
    supercategory: str
    colour: str = Field(description="As `#rrggbb`; empty where none was chosen.")
    keypoints: list[str]
    skeleton: list[list[int]] = Field(description="Bones: pairs of key points, counted from 1.")
    pairs: list[list[int]] = Field(description="Key points that a mirror exchanges, from 0.")
    extra: dict[str, Any]
    files: Count | None = Field(None, description="With annotations of it, where counted.")
    annotations: Count | None = None


class ClassesView(View):
    data: list[ClassView]
    counted: bool = Field(description="Whether all files were counted, where counts are asked for.")


class FindingView(View):
    """Something wrong with a set of annotations."""

    level: str = Field(examples=["error", "warning"])
    code: str = Field(examples=["missing_image"])
    message: str
    place: str = Field(description="Where in the file.", examples=["annotations[17]"])


def annotation_view(one: Annotation) -> AnnotationView:
    return AnnotationView.model_validate(
        {
            "id": one.id,
            "class": one.category,
            "box": one.box,
            "polygons": one.polygons,
            "mask": None if one.mask is None else msgspec.to_builtins(one.mask),
            "keypoints": one.keypoints,
            "crowd": one.crowd,
            "area": one.area,
            "extra": one.extra,
        }
    )


def drawn_view(drawn: Drawn) -> DrawnView:
    content = drawn.content
    return DrawnView(
        file=drawn.file.id,
        name=drawn.file.name,
        width=content.width,
        height=content.height,
        annotations=[annotation_view(one) for one in content.annotations],
        labels=list(content.labels),
        extra=content.extra,
        revision=drawn.revision,
        undo=drawn.kept,
        changed_at=moment(drawn.changed),
    )


def class_view(category: Category, uses: Uses | None = None) -> ClassView:
    return ClassView(
        number=category.number,
        name=category.name,
        supercategory=category.supercategory,
        colour=category.colour,
        keypoints=list(category.keypoints),
        skeleton=[list(bone) for bone in category.skeleton],
        pairs=[list(pair) for pair in category.pairs],
        extra=category.extra,
        files=None if uses is None else uses.files,
        annotations=None if uses is None else uses.annotations,
    )
