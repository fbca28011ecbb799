"""What a slot is asked and what it answers, as the worker sees it and as it crosses the socket.

Messages are MessagePack (msgspec), never pickles: the child handles hostile input, so what it
says is checked against these types and believed no further.
"""

from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from mediamill.operations.work import Outcome, Output, Source

REMEDY = "Make it smaller first, or have MEDIAMILL_SLOT_MEMORY_MB raised."
"""What can be done about an input for which a slot has too little memory."""

Kind = Literal[
    "run", "measure", "reduce", "preview", "compare", "probe", "plan", "annotations", "prepare",
    "upright",
]  # fmt: skip


@dataclass(frozen=True)
class SlotLimits:
    """What a slot may use before it is stopped."""

    memory_bytes: int = 2 << 30
    """Address space of the child."""

    timeout_seconds: float = 3600.0
    """Longest time that one item may take."""

    recycle_after_calls: int = 200
    """How many calls a child serves before a fresh one takes its place."""

    file_bytes: int = 64 << 30
    """Largest file that the child may write."""

    open_files: int = 256
    start_seconds: float = 60.0
    """Longest time until a new child is ready."""


@dataclass(frozen=True)
class CallItem:
    """One input: its index in the unit, a descriptor open for reading, and what is known of it.

    Without a media type the slot finds out what it is, and refuses what the first step does not
    take. `crc32` is checked, and the SHA-256 taken, before a step sees what comes from an archive.
    The caller keeps the descriptor and closes it: for a tuple of items when `run` is over, in an
    async generator after its `yield`, when the descriptor has been passed on.
    """

    index: int
    descriptor: int
    name: str
    media_type: str = ""
    size: int = 0
    sha256: str = ""
    offset: int = 0
    width: int = 0
    height: int = 0
    duration: float = 0.0
    annotations: bytes = b""
    split: str = ""
    partners: "tuple[CallItem, ...]" = ()
    """Other inputs of the set, their descriptors open as long as this one's."""
    crc32: int | None = None

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Its own descriptor and those of its partners, as they are sent beside it."""
        return (self.descriptor, *(partner.descriptor for partner in self.partners))

    def source(self) -> Source:
        """Return the same as an operation sees it, without the descriptor of this process."""
        facts = {name: value for name, value in vars(self).items() if name != "index"}
        partners = tuple(partner.source() for partner in self.partners)
        return Source(**{**facts, "descriptor": -1, "partners": partners})


@dataclass(frozen=True)
class Call:
    """What to do with some items, in order; `run.AHEAD` are on their way at a time, at most."""

    steps: tuple[tuple[str, dict[str, Any]], ...] = ()
    items: tuple[CallItem, ...] | AsyncIterable[CallItem] = ()
    threads: int = 1
    seed: int = 0
    kind: Kind = "run"
    span: tuple[int, int] | None = None
    """The part of each item that is wanted (`Context.span`)."""
    segment_seconds: float = 0.0
    """How long the parts are to be that a plan cuts an item into."""
    agreed: dict[int, dict[str, Any]] = field(default_factory=dict)
    """What steps that survey agreed on, by their place in `steps`."""


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The child took up an item."""

    index: int


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """A part (0…1) of an item is done; at most ten a second."""

    index: int
    fraction: float


class Succeeded(msgspec.Struct, frozen=True, tag="succeeded"):
    """An item is done; its files lie in the scratch folder. A probe's facts are `outcome.data`."""

    index: int
    outcome: Outcome


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """An item failed and the child goes on; `code` is of `core.errors`.

    An unexpected exception has the code `internal`, and `error` and `traceback` in its details:
    these are for the log.
    """

    index: int
    code: str
    message: str
    retryable: bool = False
    details: dict[str, Any] = {}


Event = Started | Progress | Succeeded | Failed


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The child's sandbox is closed; what the kernel granted, and the child's process id."""

    report: dict[str, bool | str]
    pid: int


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The call is over; a worn child wants to be replaced."""

    worn: bool = False


class Setup(msgspec.Struct, frozen=True, tag="setup"):
    """The first message to a child: its limits and whereabouts."""

    folder: str
    catalogue: str
    memory_bytes: int
    file_bytes: int
    open_files: int
    readable: tuple[str, ...] = ()
    warm: tuple[str, ...] = ()
    """Modules to be imported once nothing is asked for a while, so that calls do not wait."""


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """A call begins."""

    kind: Kind
    steps: tuple[tuple[str, dict[str, Any]], ...]
    scratch: str
    threads: int
    seed: int
    seconds: float
    span: tuple[int, int] | None = None
    segment_seconds: float = 0.0
    agreed: dict[int, dict[str, Any]] = {}


class Item(msgspec.Struct, frozen=True, tag="item"):
    """An item; its descriptor travels beside the message."""

    index: int
    source: Source


class End(msgspec.Struct, frozen=True, tag="end"):
    """There are no more items in this call."""


FromChild = Started | Progress | Succeeded | Failed | Ready | Done
ToChild = Setup | Begin | Item | End


def _encode_other(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        return value.tolist()
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot leave a slot")


def _decode_other(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise TypeError(f"{kind.__name__} cannot enter")


encode = msgspec.msgpack.Encoder(enc_hook=_encode_other).encode
from_child = msgspec.msgpack.Decoder(FromChild, dec_hook=_decode_other).decode
to_child = msgspec.msgpack.Decoder(ToChild, dec_hook=_decode_other).decode

__all__ = [
    "Begin", "Call", "CallItem", "Done", "End", "Event", "Failed", "Item", "Kind", "Outcome",
    "Output", "Progress", "Ready", "Setup", "SlotLimits", "Source", "Started", "Succeeded",
    "encode", "from_child", "to_child",
]  # fmt: skip
