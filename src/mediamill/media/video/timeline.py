"""The presentation times of a video's frames, and what is known about the packets they are in."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass
class Packets:
    """What the demuxer said about each packet, in decoding order."""

    pts: "array[int]" = field(default_factory=lambda: array("q"))
    flags: bytearray = field(default_factory=bytearray)
    """Bits of `nal`."""
    layers: bytearray = field(default_factory=bytearray)
    """HEVC temporal layer."""


@dataclass
class Timeline:
    """All frames of a video in presentation order; a frame's index is its place here.

    `ticks` count in `time_base` seconds from the container's start. `packets` is None where the
    times were learned by decoding: then frames are told by their place, otherwise by `pts`.
    """

    time_base: Fraction
    origin: int
    ticks: Sequence[int]
    keys: bytearray
    end: int
    """Where the last frame stops being shown, in ticks."""
    packets: Packets | None = None
    order: "array[int]" = field(default_factory=lambda: array("q"))
    """The packet of each frame, where `packets` is known."""
    damaged: bool = False
    """Some packets are cut or could not be decoded."""

    def __len__(self) -> int:
        return len(self.ticks)

    def time(self, index: int) -> float:
        """Return when a frame is shown, in seconds from the start."""
        return float(self.ticks[index] * self.time_base)

    def pts(self, index: int) -> int:
        """Return a frame's presentation time stamp as the container has it."""
        return self.ticks[index] + self.origin

    @classmethod
    def even(cls, frames: int, rate: Fraction) -> "Timeline":
        """Return that of frames which last equally long; a tick is one. It takes no memory."""
        return cls(1 / rate, 0, range(frames), bytearray(), frames)

    @property
    def duration(self) -> float:
        """Seconds from the start to the end of the last frame."""
        return float(self.end * self.time_base)
