"""Captions as they look outside."""

from typing import Any
from urllib.parse import quote

from pydantic import Field

from mediamill.captions.languages import canonical
from mediamill.captions.rules import objection
from mediamill.core.clock import rfc3339
from mediamill.services.captions.exporting import tag
from mediamill.services.captions.rerunning import Again
from mediamill.store.repositories.captions import Caption
from mediamill.web.views.common import Time, View


class CaptionTextView(View):
    variant: str = Field(examples=["concise", "creative", "alt-text"])
    language: str = Field(examples=["en"])
    text: str
    original: str | None = Field(description="What the model gave; null unless it was edited.")
    remark: str = Field(description="Why it is not as this variant should be; empty where it is.")
    style: str
    provider: str
    model: str


class CaptionLabelView(View):
    name: str
    confidence: float


class CaptionMissingView(View):
    variant: str = Field(examples=["creative", "labels"])
    language: str = Field(description="Empty for labels.")
    reason: str


class CaptionLinks(View):
    thumbnail: str = Field(description="A picture to look at; its file may be gone meanwhile.")
    job: str


class CaptionView(View):
    """What was said of one picture, as it stands now."""

    id: str
    job: str
    operation: str = Field(examples=["caption", "label"])
    file: str = Field(description="Id of the picture's file, or of the archive that it is in.")
    member: str = Field(description="Its path in the archive; empty where it is a file.")
    file_name: str
    state: str = Field(examples=["new", "approved", "edited", "rejected"])
    captions: list[CaptionTextView]
    labels: list[CaptionLabelView]
    missing: list[CaptionMissingView] = Field(description="What was asked for and not given.")
    providers: list[str] = Field(description="Who answered.")
    undoable: bool = Field(description="Whether there is a change that can be undone.")
    again: str | None = Field(description="Id of the job that asked anew about it.")
    html: str = Field(description="`<img>` to be copied into a page.")
    created_at: Time
    changed_at: Time
    links: CaptionLinks


def caption_view(row: Caption, picture: str = "") -> CaptionView:
    """Show a caption; `picture` is another address of its file's thumbnail than the usual one."""
    return CaptionView(
        id=row.id,
        job=row.job,
        operation=row.operation,
        file=row.file,
        member=row.path,
        file_name=row.name,
        state=row.state,
        captions=[_text(row, n) for n in range(len(row.captions))],
        labels=[
            CaptionLabelView(name=one["name"], confidence=one["confidence"]) for one in row.labels
        ],
        missing=[CaptionMissingView(**one) for one in row.missing],
        providers=list(row.providers),
        undoable=bool(row.before),
        again=row.again or None,
        html=tag(row),
        created_at=rfc3339(row.created),
        changed_at=rfc3339(row.changed),
        links=CaptionLinks(thumbnail=_picture(row, picture), job=f"/v1/jobs/{row.job}"),
    )


def _text(row: Caption, place: int) -> CaptionTextView:
    one: dict[str, Any] = row.captions[place]
    given = None if row.original is None else row.original[place]["text"]
    return CaptionTextView(
        variant=one["variant"],
        language=one["language"],
        text=one["text"],
        original=None if given == one["text"] else given,
        remark=objection(one["variant"], one["text"], canonical(one["language"])),
        style=one.get("style", ""),
        provider=one.get("provider", ""),
        model=one.get("model", ""),
    )


def _picture(row: Caption, other: str) -> str:
    if row.path:
        return f"/v1/files/{row.file}/members/{quote(row.path)}"
    return other or f"/v1/files/{row.file}/thumbnail"


class JudgedView(View):
    """What became of one of many captions."""

    id: str
    caption: CaptionView | None = Field(
        description="As it is now; null where it is not there, or changed at the same moment."
    )


class RemovedCaptionsView(View):
    removed: int
    has_more: bool = Field(description="There are more: ask again.")


class UnaskedView(View):
    id: str
    message: str


class AgainView(View):
    """Jobs that ask anew about rejected captions."""

    jobs: list[str] = Field(description="Their ids.")
    failed: list[UnaskedView] = Field(description="What cannot be asked about any more, and why.")
    has_more: bool = Field(description="There are more rejected ones: ask again.")


def again_view(again: Again) -> AgainView:
    return AgainView(
        jobs=[job.id for job in again.jobs],
        failed=[UnaskedView(id=row.id, message=why) for row, why in again.failed],
        has_more=again.more,
    )
