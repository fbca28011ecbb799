"""What goes with a result, in one transaction: rows by which people find what models said."""

from collections.abc import Callable, Sequence

from mediamill.captions.searching import words_of
from mediamill.core.records import Record
from mediamill.store.repositories.captions import Caption, CaptionState, caption_id
from mediamill.store.repositories.jobs import Job
from mediamill.store.repositories.results import ItemOutcome, Result

CAPTIONED = ("caption", "label")
"""Operations whose results stand in the history of captions."""
TOLD = ("name", "confidence")
"""Of a label; where it is, the result tells."""


def enlisting(job: Job, operation: str) -> Callable[[Result], Sequence[Record]]:
    """Return what makes the rows that go with a result of an operation."""
    if operation not in CAPTIONED:
        return _nothing

    def rows(result: Result) -> Sequence[Record]:
        return [] if result.outcome is ItemOutcome.FAILED else [captioned(job, operation, result)]

    return rows


def captioned(job: Job, operation: str, result: Result) -> Caption:
    """Return the row of what was said of an item."""
    data = result.data or {}
    captions = tuple(data.get("captions", ()))
    labels = tuple({key: one[key] for key in TOLD} for one in data.get("labels", ()))
    answered = [data.get("provider", ""), *(one.get("provider", "") for one in captions)]
    return Caption(
        id=caption_id(result.job, result.stage, result.item),
        owner=job.owner,
        listed=job.owner,
        job=result.job,
        stage=result.stage,
        item=result.item,
        operation=operation,
        file=result.input,
        path=result.path,
        name=result.name,
        captions=captions,
        labels=labels,
        missing=tuple(data.get("missing", ())),
        providers=tuple(dict.fromkeys(filter(None, answered))),
        state=CaptionState.NEW,
        words=words_of(result.name, captions, labels),
        fresh=job.owner,
        created=result.created,
        changed=result.created,
    )


def _nothing(result: Result) -> Sequence[Record]:
    return ()
