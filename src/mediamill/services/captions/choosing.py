"""Which captions a caller means: all, of a job, in a state, or with some words.

Those of a deleted job are not there, whether it may still be brought back or not.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from mediamill.captions.searching import MOST_TERMS, plain, runs_in, texts_of, words_in
from mediamill.handlers.asks.index_captions import worded
from mediamill.store.port import MAX_PAGE, Page, Store
from mediamill.store.repositories.captions import (
    Caption,
    Captions,
    CaptionState,
    CaptionWord,
)
from mediamill.store.repositories.jobs import Job

PAGE = 100
LOOKED_AT = 2_000
"""Rows that are looked at for one page; a page of few then has more behind it."""
MOST_WORDS = 60
"""Words that may begin with one of a query, where they find more than a thousand rows; further ones
are not found."""
BROUGHT = 300
"""New rows that a search brings into the index before it looks."""
BEGIN = (1 << 62, "")

Place = tuple[int, str]
"""When a caption was made, and its id: where it stands in a search."""


@dataclass(frozen=True)
class Choice:
    """Which of an owner's captions."""

    owner: str
    job: str = ""
    state: CaptionState | None = None
    query: str = ""

    def takes(self, row: Caption) -> bool:
        """Tell whether a row is meant, but for the words of the query."""
        return (
            not row.hidden
            and row.owner == self.owner
            and self.job in ("", row.job)
            and self.state in (None, row.state)
        )


@dataclass
class Choosing:
    """Lists captions of a choice."""

    store: Store
    captions: Captions = field(init=False)

    def __post_init__(self) -> None:
        self.captions = Captions(self.store)

    async def page(self, choice: Choice, after: str | None, limit: int) -> Page[Caption]:
        """List captions: of a job in the order of its inputs, all others newest first.

        A page may hold fewer than there are. Raises `ValueError` for a cursor of another list.
        """
        if choice.query.strip():
            return await self._found(choice, after, limit)
        found, looked = list[Caption](), 0
        while len(found) < limit and looked < LOOKED_AT:
            page = await self._listed(choice, after, limit - len(found))
            found += await self.shown([row for row in page.rows if choice.takes(row)])
            after, looked = page.after, looked + max(1, len(page.rows))
            if after is None:
                break
        return Page(tuple(found), after)

    async def walk(self, choice: Choice) -> AsyncIterator[Caption]:
        """Visit all captions of a choice, in constant memory."""
        after: str | None = None
        while True:
            page = await self.page(choice, after, PAGE)
            for row in page.rows:
                yield row
            if (after := page.after) is None:
                return

    async def shown(self, rows: Sequence[Caption]) -> list[Caption]:
        """Return rows without those of deleted jobs."""
        keys = [*dict.fromkeys((row.job,) for row in rows)]
        there = set[str]()
        for start in range(0, len(keys), PAGE):
            jobs = await self.store.get_many(Job, keys[start : start + PAGE])
            there |= {job.id for job in jobs if job is not None and not job.hidden}
        return [row for row in rows if row.job in there]

    async def _listed(self, choice: Choice, after: str | None, limit: int) -> Page[Caption]:
        if choice.job:
            return await self.captions.of_job(choice.job, after, limit)
        return await self.captions.of_owner(choice.owner, choice.state, after, limit)

    # -- search ---------------------------------------------------------------------------------

    async def bring(self, owner: str) -> bool:
        """Bring new captions into the index; False where there are more than it takes at once."""
        for _ in range(BROUGHT // PAGE):
            rows = await self.captions.fresh(owner, PAGE)
            await self.captions.index(worded(rows))
            if len(rows) < PAGE:
                return True
        return False

    async def _found(self, choice: Choice, after: str | None, limit: int) -> Page[Caption]:
        """List what has all words of a query: by the rarest of them, and then by its texts."""
        start = BEGIN if after is None else _read(after)
        terms, runs = words_in(choice.query)[:MOST_TERMS], runs_in(choice.query)
        if not terms:
            return Page(())
        await self.bring(choice.owner)
        found, looked, place = list[Caption](), 0, start
        merged = Merged(await self._rarest(choice.owner, terms, start), start)
        while len(found) < limit and looked < LOOKED_AT:
            places = await merged.next(min(PAGE, limit))
            if not places:
                return Page(tuple(found))
            looked += len(places)
            keys = [caption for _, caption in places]
            rows = {row.id: row for row in await self.captions.get_many(keys)}
            shown = {
                row.id for row in await self.shown([*rows.values()])
                if choice.takes(row) and _has(row, terms, runs)
            }  # fmt: skip
            for place in places:
                if place[1] in shown:
                    found.append(rows[place[1]])
                if len(found) == limit:
                    break
        done = place == merged.last and not await merged.next(1)
        return Page(tuple(found), None if done else _written(place))

    async def _rarest(self, owner: str, terms: Sequence[str], start: Place) -> "list[Stream]":
        """Return lists with all that has the rarest of some words, where one is rare.

        Else those of the longest: of each word that begins so, for these are told one by one.
        """
        for most in (PAGE, MAX_PAGE):
            pages = [await self._beginning(owner, term, most) for term in terms]
            whole = [page.rows for page in pages if page.after is None]
            if whole:
                few = min(whole, key=len)
                newest = sorted(few, key=lambda row: (row.created, row.caption), reverse=True)
                return [Stream(self.captions, owner, "", 0, newest, begun=True)]
        told = [len({row.word for row in page.rows}) for page in pages]
        listed = [term for term, count in zip(terms, told, strict=True) if count <= MOST_WORDS]
        longest = max(listed or terms, key=len)
        words = [longest]
        if len(longest) > 1:
            words = await self.captions.vocabulary(owner, longest, MOST_WORDS)
        return [Stream(self.captions, owner, word, start[0]) for word in words]

    async def _beginning(self, owner: str, term: str, most: int) -> Page[CaptionWord]:
        """List where words begin with a term; those of one letter are that letter."""
        if len(term) > 1:
            return await self.captions.beginning(owner, term, most)
        return await self.captions.with_word(owner, term, None, None, most)


@dataclass
class Stream:
    """The captions with one word, newest first."""

    captions: Captions
    owner: str
    word: str
    until: int
    rows: list[CaptionWord] = field(default_factory=list)
    after: str | None = None
    begun: bool = False

    async def fill(self) -> None:
        """Fetch some, unless some are left."""
        while not self.rows and (not self.begun or self.after is not None):
            until = self.until if self.until < BEGIN[0] else None
            page = await self.captions.with_word(self.owner, self.word, until, self.after, PAGE)
            self.rows, self.after, self.begun = [*page.rows], page.after, True


@dataclass
class Merged:
    """The captions of several words, newest first, each once, behind a place."""

    streams: Sequence[Stream]
    last: Place

    async def next(self, count: int) -> list[Place]:
        """Return the next places, fewer only where there are no more."""
        found = list[Place]()
        while len(found) < count:
            heads = []
            for stream in self.streams:
                await stream.fill()
                if stream.rows:
                    heads.append(((stream.rows[0].created, stream.rows[0].caption), stream))
            if not heads:
                break
            place, stream = max(heads, key=lambda head: head[0])
            stream.rows.pop(0)
            if place < self.last:
                found.append(place)
                self.last = place
        return found


def _has(row: Caption, terms: Sequence[str], runs: Sequence[str]) -> bool:
    """Tell whether a row, as it is now, has words that begin with all terms."""
    texts = texts_of(row.name, row.captions, row.labels)
    words = [word for text in texts for word in words_in(text)]
    if not all(any(_begins(word, term) for word in words) for term in terms):
        return False
    folded = [plain(text) for text in texts]
    return all(any(run in text for text in folded) for run in runs)


def _begins(word: str, term: str) -> bool:
    return word.startswith(term) if len(term) > 1 else word == term


def _written(place: Place) -> str:
    return f"{place[0]}.{place[1]}"


def _read(cursor: str) -> Place:
    created, _, caption = cursor.partition(".")
    if not (created.isascii() and created.isdigit() and len(created) < 17 and caption):
        raise ValueError("this is no cursor of a search")
    return int(created), caption
