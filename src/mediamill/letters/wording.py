"""How mails put things: names, lengths of time, counts."""

import re

HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+"
)
"""What could begin a new line or header, or turn the order of letters around."""


def shown(text: str, most: int) -> str:
    """Return a text that somebody else chose as one line of at most so many letters."""
    line = " ".join(HIDDEN.sub(" ", text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def took(seconds: float) -> str:
    """Write a length of time: 4 s, 12 min 5 s, 3 h 20 min."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_left} min"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def sized(number: float) -> str:
    """Write a number of bytes, in powers of ten as disks are sold: 734.0 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def counted(number: int, noun: str) -> str:
    """Write a number of things: 1 item, 1,200 items."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
