"""What is known about a file once somebody has looked; no codec is needed to say it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """What is known about a file; 0 and "" where it does not apply or is not known.

    `width` and `height` are pixels after orientation, `duration` is in seconds, `rate` in frames a
    second, on average. A `steady` video has frames of one length, as many as those two say, all by
    its headers.
    """

    media_type: str
    width: int = 0
    height: int = 0
    duration: float = 0.0
    frames: int = 0
    codec: str = ""
    rate: float = 0.0
    steady: bool = False
