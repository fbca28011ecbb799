"""Captions and the words that find them: the same on every store, and none is left behind."""

import asyncio
import random

import pytest
from tests.support.places import EACH_STORE

from mediamill.captions.searching import words_of
from mediamill.core.settings import Settings
from mediamill.services.captions import choosing as choosing_module
from mediamill.services.captions.choosing import Choice, Choosing
from mediamill.store.memory import MemoryStore
from mediamill.store.opening import open_store
from mediamill.store.port import Put
from mediamill.store.repositories.captions import (
    Caption,
    Captions,
    CaptionState,
    caption_id,
)
from mediamill.store.repositories.jobs import Job

WORDS = ["boat", "boats", "boat-house", "Böat", "dog", "dogs", "red", "犬", "犬小屋", "the"]
JOB = Job(id="job_x", owner="ann", steps=(), klass="bulk", created=0)


def said(item: int, text: str, owner: str = "ann", created: int | None = None, **more) -> Caption:
    row = Caption(
        id=caption_id("job_x", 0, item), owner=owner, listed=owner, job="job_x", stage=0, item=item,
        operation="caption", file="file_x", name=f"{item}.jpg", fresh=owner,
        captions=({"variant": "concise", "language": "en", "text": text},),
        created=item // 2 if created is None else created, changed=0, **more,
    )  # fmt: skip
    return row.evolve(words=words_of(row.name, row.captions, row.labels))


async def found(choosing: Choosing, query: str, limit: int = 3, **more) -> list[int]:
    """Return the items that a search finds, page by page."""
    items, after = list[int](), None
    while True:
        page = await choosing.page(Choice("ann", query=query, **more), after, limit)
        items += [row.item for row in page.rows]
        if (after := page.after) is None:
            return items


async def exercised(store, steps: int) -> None:
    """Write, search, edit and remove captions at random; searches find what is there."""
    draws, choosing, captions = random.Random(7), Choosing(store), Captions(store)
    texts: dict[int, str] = {}
    await store.transact(Put(JOB), Put(said(999, "red boat", owner="bob")))
    await captions.index([(row, row.words) for row in await captions.fresh("bob", 10)])
    for step in range(steps):
        item, text = draws.randrange(25), " ".join(draws.sample(WORDS, 3))
        row = await captions.get(caption_id("job_x", 0, item))
        if row is None:
            texts[item] = text
            await store.transact(Put(said(item, text)))
        elif draws.random() < 0.3:
            del texts[item]
            await captions.forget(row.id)
        else:
            texts[item] = text
            new = said(item, text)
            words = tuple(dict.fromkeys((*row.words, *new.words)))
            await store.transact(Put(new.evolve(words=words, revision=row.revision + 1)))
        if step % 10 == 9:
            await searched(choosing, texts)
    await captions.forget_job("job_x")
    assert await captions.vocabulary("ann", "", 10) == []
    assert await captions.vocabulary("bob", "", 10) == []
    assert await captions.fresh("ann", 10) == ()


async def searched(choosing: Choosing, texts: dict[int, str]) -> None:
    def has(text: str, word: str) -> bool:
        whole = [*text.lower().replace("ö", "o").replace("-", " ").split(), "jpg"]
        return any(word in each if word == "犬" else each.startswith(word) for each in whole)

    for query in ("boat", "boats red", "dog boat", "jpg", "犬", "red dog", "cat", "the dog"):
        wanted = [word for word in query.split() if word != "the"]
        expected = [n for n, text in texts.items() if all(has(text, word) for word in wanted)]
        newest = sorted(expected, key=lambda n: (n // 2, caption_id("job_x", 0, n)), reverse=True)
        assert await found(choosing, query) == newest, query


@pytest.mark.parametrize("most", [None, 2])
async def test_in_memory(most, monkeypatch):
    """As well where every word is in more captions than are read at a stroke."""
    if most is not None:
        monkeypatch.setattr(choosing_module, "PAGE", most)
        monkeypatch.setattr(choosing_module, "MAX_PAGE", most)
    await exercised(MemoryStore(), 100)


@pytest.mark.places(*EACH_STORE)
async def test_on_every_store(place, tmp_path):
    store = await open_store(Settings(home=tmp_path).store_url)
    await exercised(store, 20)
    await store.close()


async def test_a_run_of_letters_must_stand_so():
    store = MemoryStore()
    await store.transact(Put(JOB), Put(said(1, "黒い犬")), Put(said(2, "犬は黒い")))
    choosing = Choosing(store)
    assert await found(choosing, "黒い犬") == [1]
    assert sorted(await found(choosing, "犬 黒")) == [1, 2]


async def test_filters_look_on_where_most_are_left_out():
    store = MemoryStore()
    await store.transact(Put(JOB))
    for item in range(300):
        state = CaptionState.REJECTED if item % 100 == 0 else CaptionState.NEW
        await store.transact(Put(said(item, "red boat", state=state)))
    choosing = Choosing(store)
    rejected = {"state": CaptionState.REJECTED}
    assert await found(choosing, "boat", **rejected) == [200, 100, 0]
    assert await found(choosing, "", job="job_x", **rejected) == [0, 100, 200]
    assert await found(choosing, "", **rejected) == [200, 100, 0]
    assert len(await found(choosing, "bo re", limit=50)) == 300


async def test_very_many_words_are_brought_in_and_taken_out_again():
    store = MemoryStore()
    captions = Captions(store)
    row = said(1, " ".join(f"word{n}" for n in range(350)))
    await store.transact(Put(JOB), Put(row))
    await captions.index([(row, row.words)])
    assert len(await captions.vocabulary("ann", "word", 1_000)) == len(row.words) - 2
    changed = said(1, "red").evolve(words=(*row.words, "red"), revision=1)
    await store.transact(Put(changed))
    await captions.index([(changed, words_of(changed.name, changed.captions, ()))])
    assert await captions.vocabulary("ann", "", 10) == ["1", "jpg", "red"]
    long = row.evolve(words=(*row.words, "red"), revision=2)
    await store.transact(Put(long))
    await captions.index([(long, row.words)])
    await captions.forget(row.id)
    assert await captions.vocabulary("ann", "", 10) == []


async def test_words_of_a_row_that_is_removed_meanwhile_do_not_come_back():
    """Whoever brings words in looked at the row before it was removed, or changed."""
    for words in (5, 350):
        store = MemoryStore()
        captions = Captions(store)
        row = said(1, " ".join(f"word{n}" for n in range(words)))
        await store.transact(Put(JOB), Put(row))
        stale = row
        await asyncio.gather(captions.forget(row.id), captions.index([(stale, stale.words)]))
        await captions.index([(stale, stale.words)])
        assert await captions.vocabulary("ann", "", 10) == []
