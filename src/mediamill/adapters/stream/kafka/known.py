"""Up to where the group has partitions committed, so that no offset is set back."""

from collections.abc import Container, Iterable, Mapping

from confluent_kafka import TopicPartition

from mediamill.adapters.stream.kafka.letters import position
from mediamill.adapters.stream.port import Part

Place = tuple[str, int]


class Known:
    """What the group has, or is just given with a letter; behind that nothing is committed."""

    def __init__(self) -> None:
        self._at: dict[Place, int] = {}

    def reset(self, found: Iterable[tuple[Part, TopicPartition]] = ()) -> None:
        """Begin anew with what the group has committed of these."""
        self._at = {
            (part.topic, part.number): place.offset for part, place in found if is_of(place, part)
        }

    def note(self, topic: str, number: int, at: int) -> None:
        """Let nothing be committed any more up to an offset."""
        self._at[topic, number] = max(at, self._at.get((topic, number), 0))

    def ahead(self, offsets: Mapping[Part, int], ours: Container[Part]) -> list[TopicPartition]:
        """Return what is to be committed: of those that are ours what is beyond."""
        return [
            position(part, at)
            for part, at in offsets.items()
            if part in ours and at > self._at.get((part.topic, part.number), 0)
        ]


def is_of(committed: TopicPartition, part: Part) -> bool:
    """Tell whether an offset was committed for this topic, and not for another of its name."""
    return committed.offset >= 0 and committed.metadata in ("", None, part.topic_id)
