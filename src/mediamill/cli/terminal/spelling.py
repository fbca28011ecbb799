"""Spell paths that are not UTF-8, so that they can be printed, sent and written to JSON.

A path of a file system is bytes. Python gives those that are no UTF-8 as lone surrogates, which no
text file and no message takes. Each is spelled as a mark and its hexadecimal number: the byte 255
as `�FF`. All other paths, and those that are spelled already, stay as they are.
"""

import os
import re
from pathlib import Path

MARK = "\N{REPLACEMENT CHARACTER}"
_ODD = re.compile("[\udc80-\udcff]")
_SPELLED = re.compile(f"{MARK}([89A-F][0-9A-F])".encode())


def spelled(path: str | os.PathLike[str]) -> str:
    """Return a path, or a text that names some, as UTF-8 can hold it."""
    return _ODD.sub(lambda odd: f"{MARK}{ord(odd[0]) - 0xDC00:02X}", os.fspath(path))


def meant(text: str) -> Path:
    """Return the path that was spelled so: itself where that is there."""
    path = Path(text)
    if MARK not in text or path.exists():
        return path
    data = _SPELLED.sub(lambda byte: bytes.fromhex(byte[1].decode()), text.encode())
    return Path(data.decode(errors="surrogateescape"))
