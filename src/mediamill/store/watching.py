"""Who watches the calls of a store: how long each took, what failed, what was asked again."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from mediamill.core.errors import ConditionFailed, StorageFull, Unavailable
from mediamill.core.metrics import STORE_ERRORS, STORE_RETRIES, STORE_SECONDS
from mediamill.core.numbers import Numbers

Operation = Literal["get", "query", "transact", "claim"]
Reason = Literal["throttled", "collided", "away", "failed"]


class Watch(Protocol):
    """Sees the calls of a store."""

    def call(self, operation: Operation) -> AbstractContextManager[None]:
        """Surround one call, whose errors pass through."""

    def again(self, reason: Reason) -> None:
        """Hear that the database is asked again, and why."""


@runtime_checkable
class Watched(Protocol):
    """A store that has its calls watched."""

    watch: Watch


class Unwatched:
    """Sees nothing."""

    def call(self, operation: Operation) -> AbstractContextManager[None]:
        return _NOTHING

    def again(self, reason: Reason) -> None:
        return


_NOTHING = nullcontext()
UNWATCHED = Unwatched()


@dataclass(frozen=True)
class Counting:
    """Counts calls among the numbers of the process."""

    numbers: Numbers

    @contextmanager
    def call(self, operation: Operation) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        except Exception as error:
            if not isinstance(error, ConditionFailed):
                self.numbers.count(STORE_ERRORS, operation, _said(error))
            raise
        finally:
            self.numbers.time(STORE_SECONDS, time.perf_counter() - begun, operation)

    def again(self, reason: Reason) -> None:
        self.numbers.count(STORE_RETRIES, reason)


def _said(error: Exception) -> str:
    """Name an error in few words."""
    match error:
        case StorageFull():
            return "full"
        case Unavailable():
            return "unavailable"
        case ValueError():
            return "wrong"
        case _:
            return "failed"
