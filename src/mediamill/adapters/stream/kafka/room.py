"""How much of what was handed over may be held at a time: a share for each partition.

A taker that keeps up gives room back all the time: who polls waits for that. A partition is paused
only when it gets none, because what was fetched ahead of it is then thrown away.
"""

import threading
import time
from collections.abc import Iterable

from mediamill.adapters.stream.port import Message, Part

PATIENCE = 0.5
"""Seconds that are waited for room before the partitions that have none are paused."""


class Room:
    """Counts bytes in and out; says when a partition is to be paused, and when to go on."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._held: dict[Part, int] = {}
        self._paused: set[Part] = set()
        self._full_since: float | None = None

    @property
    def tight(self) -> bool:
        """Whether a partition is paused."""
        return bool(self._paused)

    def reset(self, parts: Iterable[Part] = ()) -> None:
        """Begin with these partitions, nothing of which is held."""
        with self._changed:
            self._held, self._paused = dict.fromkeys(parts, 0), set()
            self._changed.notify_all()

    def hold(self, message: Message) -> bool:
        """Count a message in; False when there is no room for more of its partition."""
        with self._changed:
            self._held[message.part] = self._held.get(message.part, 0) + message.size
            return self._held[message.part] < self._share

    def release(self, messages: Iterable[Message]) -> set[Part]:
        """Count messages out; return the paused partitions that are to go on with that."""
        with self._changed:
            for message in messages:
                if message.part in self._held:
                    self._held[message.part] -= message.size
            relieved = {part for part in self._paused if self._held[part] <= self._share // 2}
            self._paused -= relieved
            self._changed.notify_all()
            return relieved

    def wait(self, seconds: float) -> tuple[bool, set[Part]]:
        """Wait for room in all partitions that are not paused; tell whether there is some.

        Also return the partitions that are to be paused, for which it was waited long enough.
        """
        with self._changed:
            if self._changed.wait_for(lambda: not self._full(), seconds):
                self._full_since = None
                return True, set()
            now = time.monotonic()
            if self._full_since is None:
                self._full_since = now - seconds
            if now - self._full_since < PATIENCE:
                return False, set()
            full = self._full()
            self._paused |= full
            return True, full

    def _full(self) -> set[Part]:
        """Return the partitions without room that are not paused."""
        full = {part for part, held in self._held.items() if held >= self._share}
        return full - self._paused

    @property
    def _share(self) -> int:
        return self._most // max(1, len(self._held))
