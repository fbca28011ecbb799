"""What is known about a file once somebody has looked; no codec is needed to say it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """What is known about a file; 0 and "" where it does not apply or is not known.

    `width` and `height` are pixels after orientation, `duration` is in seconds.
    """

    media_type: str
    width: int = 0
    height: int = 0
    duration: float = 0.0
    frames: int = 0
    codec: str = ""
