"""Captions as their owner sees and judges them.

A change can be undone; what a model gave stays beside what was made of it by hand. Who judges many
at once is told of each that could not be changed, for it was at that moment, or is gone.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from mediamill.captions.searching import words_of
from mediamill.captions.wording import tidied
from mediamill.core.access import Principal, Right
from mediamill.core.acts import note
from mediamill.core.errors import ConditionFailed, Conflict, InvalidInput, NotFound
from mediamill.handlers.asks.index_captions import worded
from mediamill.services.access import Access
from mediamill.services.captions.choosing import Choice, Choosing
from mediamill.store.port import Equals, Page, Update
from mediamill.store.repositories.captions import Before, Caption, Captions, CaptionState
from mediamill.store.repositories.jobs import Job

log = structlog.get_logger(__name__)

UNDOABLE = 10
"""Changes of a row that can be undone."""
LONGEST = 2_000
"""Characters of a text by hand."""
AT_ONCE = 200
"""Rows that one request removes."""

Texts = Mapping[tuple[str, str], str]
"""Texts by variant and language."""


@dataclass
class CaptionService:
    """What a caller may do with what was said of their pictures."""

    access: Access

    def __post_init__(self) -> None:
        self.store = self.access.store
        self.captions, self.choosing = Captions(self.store), Choosing(self.store)

    async def chosen(
        self, principal: Principal, job: str = "", state: str | None = None, query: str = ""
    ) -> Choice:
        """Return which captions are meant; raises `NotFound` for a job that is not theirs."""
        if job:
            await self.access.load(principal, Job, job, Right.OWN)
        return Choice(principal.user, job, None if state is None else CaptionState(state), query)

    async def list(self, choice: Choice, after: str | None, limit: int) -> Page[Caption]:
        """List captions; see `Choosing.page`."""
        return await self.choosing.page(choice, after, limit)

    async def get(self, principal: Principal, caption: str, right: Right = Right.VIEW) -> Caption:
        """Return one; raises `NotFound`."""
        row = await self.access.load(principal, Caption, caption, right)
        if not await self.choosing.shown([row]):
            raise NotFound(f"There is no caption {caption}.")
        return row

    # -- review ---------------------------------------------------------------------------------

    async def judge(self, principal: Principal, caption: str, state: CaptionState) -> Caption:
        """Approve or reject one, or take that back; raises `Conflict` if it changed meanwhile."""
        return await self._judged(await self.get(principal, caption, Right.EDIT), state)

    async def judge_all(
        self, principal: Principal, captions: Sequence[str], state: CaptionState
    ) -> dict[str, Caption | None]:
        """Do so with many; None for what is not there, or changed at the same moment."""
        done: dict[str, Caption | None] = {}
        for caption in captions:
            done[caption] = None
            with suppress(NotFound, Conflict):
                done[caption] = await self.judge(principal, caption, state)
        return done

    async def edit(self, principal: Principal, caption: str, texts: Texts) -> Caption:
        """Set texts by hand; what the model gave is kept.

        Raises `InvalidInput` for one that there is not, and for a text that is empty or too long.
        """
        row = await self.get(principal, caption, Right.EDIT)
        fresh = _with_texts(row, texts)
        if fresh == row.captions:
            return row
        original = row.captions if row.original is None else row.original
        return await self._change(row, state=CaptionState.EDITED, captions=fresh, original=original)

    async def undo(self, principal: Principal, caption: str) -> Caption:
        """Take the last change back; raises `Conflict` where there is none."""
        row = await self.get(principal, caption, Right.EDIT)
        if not row.before:
            raise Conflict("There is nothing to undo.")
        last = row.before[-1]
        original = None if last.captions == row.original else row.original
        fields: dict[str, Any] = {"state": last.state, "captions": last.captions}
        return await self._write(row, **fields, original=original, before=row.before[:-1])

    async def asked_again(self, row: Caption, job: str) -> Caption | None:
        """Note the job that asks anew about one, or none; None if it changed meanwhile."""
        with suppress(Conflict):
            return await self._write(row, again=job)
        return None

    async def _judged(self, row: Caption, state: CaptionState) -> Caption:
        if state is row.state:
            return row
        if state is CaptionState.EDITED:
            raise InvalidInput.at("state", "A caption is edited by giving its texts.")
        return await self._change(row, state=state)

    async def _change(self, row: Caption, **fields: Any) -> Caption:
        """Change a row so that it can be undone."""
        before = (*row.before, Before(row.state, row.captions))[-UNDOABLE:]
        return await self._write(row, **fields, before=before)

    async def _write(self, row: Caption, **fields: Any) -> Caption:
        """Write a change, and have the row be found by what it says now."""
        after = row.evolve(**fields)
        reworded = after.captions != row.captions
        if reworded:  # the words of before go with those that come
            words = words_of(after.name, after.captions, after.labels)
            fields |= {"words": tuple(dict.fromkeys((*row.words, *words))), "fresh": row.owner}
        fields["changed"] = await self.store.now()
        same = (Equals("revision", row.revision),)
        try:
            await self.store.transact(
                Update(Caption, (row.id,), set=fields, add={"revision": 1}, when=same)
            )
        except ConditionFailed:
            raise Conflict("The caption was changed at the same moment: look again.") from None
        after = row.evolve(**fields, revision=row.revision + 1)
        if reworded:
            await self.captions.index(worded([after]))
        return after

    # -- removal --------------------------------------------------------------------------------

    async def delete(self, principal: Principal, caption: str) -> None:
        """Remove one from the history; what its job made stays with the job."""
        row = await self.get(principal, caption, Right.OWN)
        await self.captions.forget(row.id)
        note("caption_deleted", row.id, owner=row.owner)

    async def delete_some(self, choice: Choice) -> tuple[int, bool]:
        """Remove some of a choice; return how many, and whether there may be more."""
        page = await self.choosing.page(choice, None, AT_ONCE)
        for row in page.rows:
            await self.captions.forget(row.id)
        if page.rows:
            note("captions_deleted", owner=choice.owner, captions=len(page.rows))
        return len(page.rows), page.after is not None


def _with_texts(row: Caption, texts: Texts) -> tuple[dict[str, Any], ...]:
    """Return a row's captions with other texts; raises `InvalidInput`."""
    left = dict(texts)
    fresh = list[dict[str, Any]]()
    for one in row.captions:
        text = left.pop((one["variant"], one["language"]), None)
        fresh.append(one if text is None else {**one, "text": _text(one["variant"], text)})
    if left:
        variant, language = next(iter(left))
        message = f"There is no {variant} in {language} here."
        raise InvalidInput.at("captions", message)
    return tuple(fresh)


def _text(variant: str, given: str) -> str:
    if len(given) > LONGEST:
        raise InvalidInput.at("captions", f"A caption has at most {LONGEST:,} characters.")
    text = tidied(given)
    if not text and variant != "alt-text":
        raise InvalidInput.at("captions", "Only the alt-text of a decorative picture is empty.")
    return text
