"""What a child that has been taken over can make its parent do."""

import asyncio
import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mediamill.core.errors import MediamillError, SlotFailure
from mediamill.engine.slots import Call, Progress, SlotLimits, calls
from mediamill.engine.slots.wire import ChildEnd, frame
from mediamill.operations.base import Context, MediaOperation, Operation, Outcome, Source
from tests.engine.test_slots import until
from tests.support.slots import Slots, open_slots

HERE = "tests.engine.test_slots_review"
LIMITS = SlotLimits(memory_bytes=2 << 30, timeout_seconds=20)
MOST_WAITING = 1 << 20
"""Bytes of messages that may reasonably wait for somebody to take them."""


class Taken(MediaOperation):
    """An operation that has been taken over: its input names what it does."""

    def run(self, source: Source, context: Context) -> Outcome:
        word = source.read().decode()
        done: Outcome | None = getattr(self, f"do_{word}")(context)
        return done or Outcome()

    def do_flood(self, context: Context) -> None:
        end = _end()
        message = frame(calls.encode(Progress(0, 0.5))) * 1000
        stop = time.monotonic() + 60
        while time.monotonic() < stop:
            end._socket.sendall(message)

    def do_flood_later(self, context: Context) -> None:
        threading.Thread(target=_flood, args=(_end(), 300), daemon=True).start()

    def do_nul(self, context: Context) -> Outcome:
        return _lie(context, path=context.scratch / "a\0b")

    def do_negative_size(self, context: Context) -> Outcome:
        return _lie(context, size=-1)

    def do_huge_crc(self, context: Context) -> Outcome:
        return _lie(context, crc32=1 << 40)

    def do_other_size(self, context: Context) -> Outcome:
        return _lie(context, size=1 << 40)

    def do_backwards(self, context: Context) -> None:
        _end().send(calls.encode(Progress(0, -5.0)))

    def do_leave(self, context: Context) -> None:
        (context.scratch.parent / "left").write_bytes(bytes(1 << 20))

    def do_die(self, context: Context) -> None:
        os._exit(3)


def _end() -> ChildEnd:
    return next(o for o in gc.get_objects() if isinstance(o, ChildEnd))


def _flood(end: ChildEnd, megabytes: int) -> None:
    time.sleep(0.3)
    with suppress(OSError):
        for _ in range(megabytes):
            end._socket.sendall(frame(bytes(1 << 20)))


def _lie(context: Context, **changes: Any) -> Outcome:
    with context.output("x", "text/plain") as writer:
        writer.write(b"hello")
    return Outcome((replace(writer.output, **changes),))


def build(name: str, parameters: dict[str, Any]) -> Operation:
    return Taken(**parameters)


def __getattr__(name: str) -> Callable[..., Operation]:
    """Replace the probe, in the child only, which is where this catalogue is asked for."""
    if name == "build_lying":
        from mediamill.engine.slots import steps

        steps.PROBE = f"{HERE}:lying_probe"
        return build
    raise AttributeError(name)


def lying_probe(opening: Any, name: str, size: int) -> dict[str, Any]:
    return {"media_type": 5, "width": "wide"}


@pytest.fixture
async def slots(tmp_path: Path):
    async with open_slots(tmp_path, limits=LIMITS, catalogue=f"{HERE}:build") as slots:
        yield slots


def waiting(slots: Slots) -> int:
    """Tell how many bytes of messages wait in the parent, as Python holds them."""
    found = 0
    for seat in slots.pool._seats:
        if seat._child is not None:
            messages = list(seat._child.end._messages)
            found += sum(map(sys.getsizeof, messages)) + len(seat._child.end._frames._buffer)
    return found


async def test_a_flood_of_events_does_not_pile_up(slots):
    most = 0
    began = time.monotonic()
    async with slots.items("flood") as items, slots.pool.acquire() as slot:
        with suppress(MediamillError):
            async for _ in slot.run(Call((("taken", {}),), items)):
                await asyncio.sleep(0)  # whoever listens has something to do
                most = max(most, waiting(slots)) if most < MOST_WAITING * 4 else most
                if most > MOST_WAITING * 4 or time.monotonic() - began > 3:
                    break
    assert most <= MOST_WAITING, f"{most:,} bytes wait"


async def test_a_flood_of_events_does_not_outlive_the_time_limit(tmp_path):
    limits = replace(LIMITS, timeout_seconds=1)
    async with open_slots(tmp_path, limits=limits, catalogue=f"{HERE}:build") as slots:
        began, ended = time.monotonic(), False
        async with slots.items("flood") as items, slots.pool.acquire() as slot:
            try:
                async for _ in slot.run(Call((("taken", {}),), items)):
                    await asyncio.sleep(0)
                    if time.monotonic() - began > 30:
                        break
            except SlotFailure:
                ended = True
        assert ended, "an item ran for 30 s where 1 s is allowed"


async def test_an_idle_child_cannot_fill_the_parents_memory(slots):
    await slots.events("flood_later", operation="taken")
    most = 0
    for _ in range(60):
        await asyncio.sleep(0.05)
        most = max(most, waiting(slots))
    assert most <= 80 << 20, f"{most:,} bytes wait"  # one longest message, and a little


@pytest.mark.parametrize("word", ["nul", "negative_size", "huge_crc", "other_size"])
async def test_what_cannot_be_a_file_is_nonsense(slots, word):
    with pytest.raises(SlotFailure):
        await slots.events(word, operation="taken")


async def test_progress_is_a_fraction(slots):
    with pytest.raises(SlotFailure):
        await slots.events("backwards", operation="taken")


async def test_facts_that_are_none_are_nonsense(tmp_path):
    async with (
        open_slots(tmp_path, limits=LIMITS, catalogue=f"{HERE}:build_lying") as slots,
        slots.items("x") as items,
        slots.pool.acquire() as slot,
    ):
        with pytest.raises(SlotFailure):
            await slot.probe(items[0].descriptor, "x", 1)


async def test_what_a_child_leaves_behind_goes_with_it(slots, tmp_path):
    await slots.events("leave", operation="taken")
    with suppress(SlotFailure):
        await slots.events("die", operation="taken")
    await slots.events("flood_later", operation="taken")  # a new child sits here
    assert await until(lambda: not list((tmp_path / "scratch").rglob("left")))
