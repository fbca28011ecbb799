"""Questions that are not answered: who asks goes on, and one call hangs for all who ask."""

import asyncio

import pytest

from mediamill.core.hanging import Hanging


async def test_what_hangs_is_asked_once_and_its_answer_is_everybodys():
    hanging, answer, calls = Hanging(), asyncio.Event(), 0

    async def question() -> int:
        nonlocal calls
        calls += 1
        while not answer.is_set():  # as a driver may: it does not let itself be taken back
            try:
                await answer.wait()
            except asyncio.CancelledError:
                continue
        return calls

    for _ in range(3):
        with pytest.raises(TimeoutError):
            await hanging.ask("store", question, 0.01)
    assert calls == 1
    waiting = asyncio.ensure_future(hanging.ask("store", question, 60))
    await asyncio.sleep(0)
    answer.set()
    assert await waiting == 1
    assert await hanging.ask("store", question, 60) == 2, "asked anew once it was answered"


async def test_what_has_hung_for_long_is_asked_anew():
    """The way there may be another by now."""
    hanging, calls = Hanging(anew=0), 0

    async def question() -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            await asyncio.Event().wait()
        return calls

    with pytest.raises(TimeoutError):
        await hanging.ask("store", question, 0.01)
    assert await hanging.ask("store", question, 60) == 2
    hanging.close()


async def test_however_often_it_is_asked_two_of_a_name_hang_and_no_more():
    """Each may keep a thread of a pool that others need as well."""
    hanging, begun, go = Hanging(anew=0), [], asyncio.Event()

    async def question() -> None:
        begun.append(asyncio.current_task())
        await go.wait()

    for _ in range(4):
        for name in ("store", "disk"):
            with pytest.raises(TimeoutError):
                await hanging.ask(name, question, 0.01)
    assert len(begun) == 4
    go.set()
    await hanging.ask("disk", question, 60)
    begun.clear()
    await hanging.ask("disk", question, 60)
    assert len(begun) == 1, "what has ended makes room"


async def test_an_error_is_told_to_who_asks_and_is_no_warning_where_nobody_waits():
    hanging, go = Hanging(), asyncio.Event()

    async def question() -> None:
        await go.wait()
        raise ValueError("wrong")

    with pytest.raises(TimeoutError):
        await hanging.ask("a", question, 0.01)
    go.set()
    with pytest.raises(ValueError, match="wrong"):
        await hanging.ask("a", question, 60)
    go.clear()
    with pytest.raises(TimeoutError):
        await hanging.ask("a", question, 0.01)
    hanging.close()
    await asyncio.sleep(0)
