"""How much of what was handed over may be held at a time: a share for each partition."""

import threading
from collections.abc import Iterable

from mediamill.adapters.stream.port import Message, Part


class Room:
    """Counts bytes in and out; says when a partition is to be paused, and when to go on."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._held: dict[Part, int] = {}
        self._paused: set[Part] = set()

    @property
    def tight(self) -> bool:
        """Whether a partition is paused."""
        return bool(self._paused)

    def reset(self, parts: Iterable[Part] = ()) -> None:
        """Begin with these partitions, nothing of which is held."""
        with self._lock:
            self._held, self._paused = dict.fromkeys(parts, 0), set()

    def hold(self, messages: Iterable[Message]) -> set[Part]:
        """Count messages in; return the partitions that are to be paused with that."""
        with self._lock:
            for message in messages:
                self._held[message.part] = self._held.get(message.part, 0) + message.size
            full = {part for part, held in self._held.items() if held >= self._share}
            full -= self._paused
            self._paused |= full
            return full

    def release(self, messages: Iterable[Message]) -> set[Part]:
        """Count messages out; return the partitions that are to go on with that."""
        with self._lock:
            for message in messages:
                if message.part in self._held:
                    self._held[message.part] -= message.size
            relieved = {part for part in self._paused if self._held[part] <= self._share // 2}
            self._paused -= relieved
            return relieved

    @property
    def _share(self) -> int:
        return self._most // max(1, len(self._held))
