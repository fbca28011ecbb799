"""Pack pictures into a stored zip, encoding beside decoding where a second thread is allowed."""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from mediamill.media.archive.write import Appendable, ArchiveWriter
from mediamill.media.image.codecs.encoding import EXTENSIONS, AnyFormat
from mediamill.media.image.picture import Picture

INDEX = "frames.jsonl"
_AHEAD = 3
"""Pictures that may wait to be encoded; each holds a decoded frame."""


@dataclass(frozen=True)
class Encoded:
    """An encoded picture and what its line of `frames.jsonl` says."""

    data: bytes
    sha256: str
    info: dict[str, Any]
    """`index`, `pts`, `time`, `key_frame`, and `width` and `height` of the picture."""


def pack(
    pictures: Iterable[Picture],
    stream: Appendable,
    encode: Callable[[Picture], bytes],
    form: AnyFormat,
    threads: int,
) -> list[dict[str, Any]]:
    """Write the pictures and then `frames.jsonl`; return the lines of the latter."""
    lines: list[dict[str, Any]] = []
    seen: dict[int, int] = {}
    with ArchiveWriter(stream) as archive:
        for item in encoded(pictures, encode, threads):
            index = item.info["index"]
            seen[index] = seen.get(index, 0) + 1
            name = entry_name(index, item.info["time"], form, seen[index])
            member = archive.add(name, item.data, item.sha256)
            lines.append(
                {"name": member.name, **item.info, "size": member.size, "sha256": item.sha256}
            )
        archive.add(INDEX, "".join(json.dumps(line) + "\n" for line in lines).encode())
    return lines


def entry_name(index: int, time: float, form: AnyFormat, copy: int = 1) -> str:
    """Return the name of a frame in the archive; up to a million frames, names sort by time.

    Where steps made several pictures of a frame, those after the first are numbered.
    """
    ending = f"-{copy}" if copy > 1 else ""
    return f"frame-{index:06d}-{max(0, round(time * 1000))}{ending}.{EXTENSIONS[form]}"


def encoded(
    pictures: Iterable[Picture], encode: Callable[[Picture], bytes], threads: int
) -> Iterator[Encoded]:
    """Yield the pictures encoded, in their order; the next ones are decoded meanwhile."""

    def finish(picture: Picture) -> Encoded:
        data = encode(picture)
        info = {**picture.info, "width": picture.width, "height": picture.height}
        return Encoded(data, hashlib.sha256(data).hexdigest(), info)

    if threads < 2:
        yield from map(finish, pictures)
        return
    waiting: deque[Future[Encoded]] = deque()
    with ThreadPoolExecutor(1, "encode") as pool:
        for picture in pictures:
            waiting.append(pool.submit(finish, picture))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
