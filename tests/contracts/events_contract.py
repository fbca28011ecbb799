"""What every place for events does; a test class inherits it, and gives `events`."""

import pytest

from mediamill.adapters.events.port import Events
from mediamill.core.errors import InvalidInput
from mediamill.core.events import MAX_BYTES, Snapshot, event_id
from mediamill.engine.announcing import file_event
from mediamill.store.repositories.files import File

AT = 1_763_700_000_000


def event(number: int = 0, type_: str = "file.created", name: str = "dot.png") -> Snapshot:
    """Make an event of a file."""
    file = File(
        id=f"file_{number:026}", owner="user_ann", name=name, media_type="image/png", size=1,
        sha256="0" * 64, crc32=0, blob="b", created=AT,
    )  # fmt: skip
    return file_event(type_, file, AT)


def sized(size: int) -> Snapshot:
    """Make an event of so many bytes as JSON."""
    import msgspec

    made = event(name="")
    return event(name="x" * (size - len(msgspec.json.encode(made))))


class EventsContract:
    async def test_what_is_published_is_taken_again_and_again(self, events: Events):
        for _ in range(2):
            await events.publish(event(), "user_ann")

    async def test_the_largest_event_is_taken(self, events: Events):
        await events.publish(sized(MAX_BYTES - 1000), "user_ann")

    async def test_it_says_whether_anybody_takes_them(self, events: Events):
        told = await events.probe()
        assert events.takes is (told is not None)

    async def test_one_that_was_never_used_closes(self, events: Events):
        await events.close()


class TakingContract(EventsContract):
    """For places that take events: a larger one will never be taken."""

    async def test_one_that_is_too_large_is_refused_for_good(self, events: Events):
        with pytest.raises(InvalidInput):
            await events.publish(sized(MAX_BYTES + 1), "user_ann")


def test_the_same_fact_has_the_same_id_and_ids_sort_by_time():
    assert event_id(AT, "a", 1) == event_id(AT, "a", 1)
    others = {event_id(AT, "a", 2), event_id(AT, "b", 1), event_id(AT, "a1"), event_id(AT, "a", 1)}
    assert len(others) == 4
    assert max(others) < event_id(AT + 1, "a", 1)
