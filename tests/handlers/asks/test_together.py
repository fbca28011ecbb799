"""What was asked before, about one file or about all, is asked again only of other models."""

import dataclasses

from mediamill.core.access import Principal
from mediamill.services.jobs.requests import JobRequest
from mediamill.store.repositories.jobs import Counts
from tests.handlers.asks.test_asks import asking, ledger, set_up, texts
from tests.handlers.asks.test_batching import MEMORY

__all__ = ["asking"]

ALL = ("say", {"together": True})
ANN = Principal("user_ann")


async def test_a_set_is_asked_about_once(asking):
    works = await asking(set_up("one", one='address = "echo:m?say=yes"'), **MEMORY)
    files = [*await texts(works, *"abc"), await works.upload("bad.txt", b"x")]
    first = await works.run(files, ALL)
    assert first.counts == Counts(succeeded=1)
    again = await works.run(files, ALL)
    assert again.counts == Counts(reused=1)
    assert not await ledger(works, again)
    assert [row.data for row in await works.rows(again)] == [{
        "said": "yes", "names": ["a.txt", "b.txt", "c.txt"],
    }]  # fmt: skip
    anew = Counts(succeeded=1)
    assert (await works.run(files[:2], ALL)).counts == anew
    assert (await works.run(files[2::-1], ALL)).counts == anew, "in another order"
    renamed = [*files[:2], await works.upload("other.txt", b"text c")]
    assert (await works.run(renamed, ALL)).counts == anew, "an answer tells files by their names"
    assert (await works.run(files, ("say", {"together": True, "longest": 9}))).counts == anew
    assert (await works.run(files, ALL, reuse=False)).counts == anew
    assert (await works.run(files, ALL)).counts == Counts(reused=1)


async def test_another_model_behind_the_same_name_is_asked_anew(asking):
    works = await asking(set_up("one", one='address = "echo:m?say=yes"'), **MEMORY)
    models, files = works.app.parts.models, await texts(works, "a")
    request = JobRequest(files=tuple(files), steps=(("say", {}),))

    async def reused(job) -> bool:
        return job.counts == Counts(reused=1)

    async def planned() -> int | None:
        return (await works.app.planner.plan(ANN, request)).reused

    assert not await reused(await works.run(files, "say"))
    assert await planned() == 1
    assert await reused(await works.run(files, "say"))

    usual, providers = models.panel.open, models.chains.static.providers

    def replaced(configured):
        provider = usual(configured)
        provider.model = "m@0123456789ab"  # as `local:` says what lies in its folder
        return provider

    models.panel.open = replaced
    await models.panel.close()
    assert await planned() == 0
    assert not await reused(await works.run(files, "say"))
    assert await reused(await works.run(files, "say"))

    providers["one"] = dataclasses.replace(
        providers["one"], address="echo:m", options={"say": "yes"}
    )
    assert not await reused(await works.run(files, "say")), "its address is another"
    providers["one"] = dataclasses.replace(providers["one"], options={"say": "no"})
    assert not await reused(await works.run(files, "say")), "its options are others"
    assert not await reused(await works.run(files, ALL))
    assert await reused(await works.run(files, ALL))
