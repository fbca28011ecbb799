"""Captioned items: what models said of pictures, what people made of it, and words that find it.

A row is written with the result of its item, in one transaction. Its words are brought into the
index a moment later (`Captions.index`): until then it is `fresh`. A row names all words under which
it may be found, so that none is left when it goes.

    new ──▶ approved | rejected | edited      each can be undone
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any

import msgspec

from mediamill.core.errors import ConditionFailed
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import (
    MAX_ACTIONS,
    MAX_PAGE,
    Action,
    Check,
    Delete,
    Equals,
    Page,
    Put,
    Store,
    Update,
    key_index,
)

ROOM = MAX_ACTIONS - 2
BEHIND = " "
"""Sorts behind a word and before any other that begins with it."""
LAST = "\U0010ffff"


class CaptionState(StrEnum):
    NEW = "new"
    APPROVED = "approved"
    EDITED = "edited"
    REJECTED = "rejected"


class Before(msgspec.Struct, frozen=True):
    """What a row was before a change."""

    state: CaptionState
    captions: tuple[dict[str, Any], ...]


class Caption(Record, frozen=True, kw_only=True):
    """What was said of one item of a job."""

    table = "captions"
    key = Key("id")
    indexes = (
        Index("caption_listed", ("listed",), ("created", "id"), shards=4),
        Index("caption_state", ("listed", "state"), ("created", "id"), shards=4),
        Index("caption_job", ("job",), ("stage", "item"), shards=4),
        Index("caption_fresh", ("fresh",), ("created", "id"), shards=4),
    )

    id: str
    owner: str
    listed: str | None = None
    """The owner; None while the row is being removed."""
    job: str
    stage: int
    item: int
    operation: str
    """`caption` or `label`."""
    file: str
    """Id of the file that it is about, or of the archive that holds it."""
    path: str = ""
    """Where in the archive."""
    name: str
    """Of the picture."""
    captions: tuple[dict[str, Any], ...] = ()
    """As they stand now (`captions/model.py`)."""
    original: tuple[dict[str, Any], ...] | None = None
    """As the model gave them, once they have been edited."""
    labels: tuple[dict[str, Any], ...] = ()
    """Names and confidences."""
    missing: tuple[dict[str, str], ...] = ()
    """What was asked for and not given: `variant` or `labels`, `language`, and the `reason`."""
    providers: tuple[str, ...] = ()
    """Who answered."""
    state: CaptionState = CaptionState.NEW
    before: tuple[Before, ...] = ()
    """Changes that can be undone, the last one last."""
    again: str = ""
    """The job that asked anew about it, once it was rejected; it is noted before there is one."""
    words: tuple[str, ...] = ()
    """Under which it may be found."""
    fresh: str | None = None
    """The owner until it can be found under its words as they are, then None."""
    revision: int = 0
    created: int
    changed: int

    @property
    def hidden(self) -> bool:
        """Whether it is answered as absent."""
        return self.listed is None

    def log_context(self) -> dict[str, Any]:
        return {"caption": self.id, "owner": self.owner, "job": self.job}


class CaptionWord(Record, frozen=True, kw_only=True):
    """A word under which a caption is found, the newest first."""

    table = "caption_words"
    key = Key("term", "created", "caption")
    indexes = (Index("caption_words_of", ("owner",), ("word", "created", "caption"), shards=4),)

    term: str
    """`term_of` its owner and the word."""
    created: int
    """When the caption was."""
    caption: str
    owner: str
    word: str


def caption_id(job: str, stage: int, item: int) -> str:
    """Return the id of what was said of an item."""
    return f"capt_{job.removeprefix('job_')}-{stage}-{item}"


def term_of(owner: str, word: str) -> str:
    """Return where an owner's captions with a word are found."""
    return f"{owner} {word}"


def _posting(row: Caption, word: str) -> CaptionWord:
    return CaptionWord(
        term=term_of(row.owner, word), created=row.created, caption=row.id, owner=row.owner,
        word=word,
    )  # fmt: skip


def _gone(row: Caption, word: str) -> Delete:
    return Delete(CaptionWord, (term_of(row.owner, word), row.created, row.id))


class Captions:
    """Reads of captions, and what keeps their words right."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, caption: str) -> Caption | None:
        return await self.store.get(Caption, caption)

    async def get_many(self, ids: Sequence[str]) -> list[Caption]:
        """Return those that are there, in their order; any number of ids."""
        found = list[Caption]()
        for start in range(0, len(ids), 100):
            keys = [(one,) for one in ids[start : start + 100]]
            found += [row for row in await self.store.get_many(Caption, keys) if row is not None]
        return found

    async def of_owner(
        self, owner: str, state: CaptionState | None, after: str | None, limit: int
    ) -> Page[Caption]:
        """List an owner's captions, all or those in a state, newest first."""
        index, partition = Caption.index("caption_listed"), [owner]
        if state is not None:
            index, partition = Caption.index("caption_state"), [owner, state]
        return await self.store.query(
            Caption, index, *partition, after=after, limit=limit, descending=True
        )

    async def of_job(self, job: str, after: str | None = None, limit: int = 100) -> Page[Caption]:
        """List a job's captions in the order of its inputs."""
        index = Caption.index("caption_job")
        return await self.store.query(Caption, index, job, after=after, limit=limit)

    # -- words ----------------------------------------------------------------------------------

    async def beginning(self, owner: str, prefix: str, limit: int) -> Page[CaptionWord]:
        """List by word where an owner's captions have words that begin with a text."""
        index = CaptionWord.index("caption_words_of")
        return await self.store.query(
            CaptionWord, index, owner, at_least=prefix, at_most=prefix + LAST, limit=limit
        )

    async def vocabulary(self, owner: str, prefix: str, most: int) -> list[str]:
        """Return the first of an owner's words that begin with a text."""
        index, found, start = CaptionWord.index("caption_words_of"), list[str](), prefix
        while len(found) < most:  # from one word to the next
            page = await self.store.query(
                CaptionWord, index, owner, at_least=start, at_most=prefix + LAST, limit=1
            )
            if not page.rows:
                break
            found.append(page.rows[0].word)
            start = found[-1] + BEHIND
        return found

    async def with_word(
        self, owner: str, word: str, until: int | None, after: str | None, limit: int = 100
    ) -> Page[CaptionWord]:
        """List captions with exactly this word, newest first, none made after a time (ms)."""
        return await self.store.query(
            CaptionWord, key_index(CaptionWord), term_of(owner, word), at_most=until,
            after=after, limit=limit, descending=True,
        )  # fmt: skip

    async def fresh(self, owner: str, limit: int) -> Sequence[Caption]:
        """List some that cannot be found yet under their words, the oldest first."""
        index = Caption.index("caption_fresh")
        return (await self.store.query(Caption, index, owner, limit=limit)).rows

    async def index(self, rows: Sequence[tuple[Caption, Sequence[str]]]) -> None:
        """Have rows be found under their words, and no others.

        A row that was changed meanwhile is left to who changed it.
        """
        some, waiting = list[Action](), list[list[Action]]()
        for row, words in rows:
            actions = _indexing(row, words)
            if len(actions) > ROOM:
                await self._in_steps(row, actions)
                continue
            if len(some) + len(actions) > ROOM:
                await self._together(some, waiting)
                some, waiting = [], []
            some += actions
            waiting.append(actions)
        await self._together(some, waiting)

    async def _together(self, some: list[Action], each: list[list[Action]]) -> None:
        """Write the actions of some rows at once; where one was changed, each row's by itself."""
        if not some:
            return
        try:
            await self.store.transact(*some)
        except ConditionFailed:
            for actions in each:
                with suppress(ConditionFailed):
                    await self.store.transact(*actions)

    async def _in_steps(self, row: Caption, actions: list[Action]) -> None:
        guard = Check(Caption, (row.id,), (Equals("revision", row.revision),))
        *words, done = actions
        with suppress(ConditionFailed):
            for start in range(0, len(words), ROOM):
                await self.store.transact(guard, *words[start : start + ROOM])
            await self.store.transact(done)

    # -- removal --------------------------------------------------------------------------------

    async def remove(self, row: Caption) -> bool:
        """Remove a row with its words; False if it was changed, or removed, at the same moment."""
        same = (Equals("revision", row.revision),)
        words: list[Action] = [_gone(row, word) for word in row.words]
        try:
            if len(words) > ROOM:  # from here on nobody adds a word
                hiding = Update(
                    Caption, (row.id,), {"listed": None, "fresh": None}, {"revision": 1}, same
                )
                await self.store.transact(hiding)
                same = (Equals("revision", row.revision + 1),)
            while len(words) > ROOM:
                await self.store.transact(*words[:ROOM])
                words = words[ROOM:]
            await self.store.transact(Delete(Caption, (row.id,), same), *words)
        except ConditionFailed:
            return False
        return True

    async def forget(self, caption: str) -> None:
        """Remove a row with its words, whoever changes it at the same moment."""
        while (row := await self.get(caption)) is not None and not await self.remove(row):
            pass

    async def forget_job(self, job: str) -> int:
        """Remove all that was said of the items of a job; return how many rows that were."""
        count = 0
        while rows := (await self.of_job(job, limit=MAX_PAGE)).rows:
            for row in rows:
                await self.forget(row.id)
            count += len(rows)
        return count

    async def walk_job(self, job: str) -> AsyncIterator[Caption]:
        """Visit a job's captions in the order of its inputs, in constant memory."""
        after: str | None = None
        while True:
            page = await self.of_job(job, after, MAX_PAGE)
            for row in page.rows:
                yield row
            if (after := page.after) is None:
                return


def _indexing(row: Caption, words: Sequence[str]) -> list[Action]:
    """Make the actions that set a row's words right; the last changes the row."""
    now = dict.fromkeys(words)
    stale = [word for word in row.words if word not in now]
    done: dict[str, Any] = {"fresh": None}
    if set(row.words) != now.keys():
        done["words"] = tuple(now)
    same = (Equals("revision", row.revision),)
    return [
        *(Put(_posting(row, word)) for word in now),
        *(_gone(row, word) for word in stale),
        Update(Caption, (row.id,), set=done, when=same),
    ]
