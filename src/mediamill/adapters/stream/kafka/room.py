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

    def hold(self, message: Message) -> bool:
        """Count a message in; True when its partition is to be paused with it."""
        with self._lock:
            held = self._held.get(message.part, 0) + message.size
            self._held[message.part] = held
            full = held >= self._share and message.part not in self._paused
            if full:
                self._paused.add(message.part)
            return full

    def release(self, message: Message) -> bool:
        """Count a message out; True when its partition is to go on with that."""
        with self._lock:
            if message.part not in self._held:
                return False
            self._held[message.part] -= message.size
            relieved = message.part in self._paused
            relieved = relieved and self._held[message.part] <= self._share // 2
            if relieved:
                self._paused.discard(message.part)
            return relieved

    @property
    def _share(self) -> int:
        return self._most // max(1, len(self._held))
