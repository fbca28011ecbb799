"""TIFF and BigTIFF (TIFF 6.0; Adobe's and AWare's supplements): what the pixels need stays.

Directories keep the tags that say how pixels lie, how they are turned and what colours they are.
All bytes that none of these point at are blanked, so offsets stay what they are.
"""

from dataclasses import dataclass
from typing import Literal

from mediamill.media.privacy.parts import Overlay, Parts, Scan, Uncut

_SHOWN = frozenset({
    254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284,
    290, 291, 292, 293, 296, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 332, 334, 338,
    339, 340, 341, 347, 529, 530, 531, 532, 34675,
})  # fmt: skip
_COMPRESSION, _OLD_JPEG = 259, 6
_PIXELS = ((273, 279), (324, 325))
"""Offsets and lengths: of strips, of tiles."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8,
          13: 4, 16: 8, 17: 8, 18: 8}  # fmt: skip
ORDERS: dict[bytes, Literal["little", "big"]] = {b"II": "little", b"MM": "big"}
_MOST_PAGES, _MOST_ENTRIES, _MOST_VALUES = 1_000, 4_000, 1 << 20


@dataclass(frozen=True)
class _Entry:
    """A field of a directory, and where its value is."""

    tag: int
    kind: int
    count: int
    at: int
    raw: bytes

    @property
    def size(self) -> int:
        return _SIZES[self.kind] * self.count


def tiff(scan: Scan) -> Parts:
    """Keep what shows of every page."""
    return _Tiff(scan).parts()


class _Tiff:
    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._order = ORDERS[scan.read(0, 2)]
        version = self._number(2, 2)
        if version not in (42, 43):
            raise Uncut
        self._wide = version == 43
        self._word = 8 if self._wide else 4
        self._made = Overlay(scan.size)

    def parts(self) -> Parts:
        head = 16 if self._wide else 8
        self._made.keep(0, head)
        at, seen = self._number(head - self._word, self._word), set[int]()
        while at:
            if at in seen or len(seen) >= _MOST_PAGES:
                raise Uncut
            seen.add(at)
            at = self._page(at)
        return self._made.parts()

    def _number(self, at: int, count: int) -> int:
        return self._value(self._scan.read(at, count))

    def _value(self, data: bytes) -> int:
        return int.from_bytes(data, self._order)

    def _page(self, at: int) -> int:
        """Keep a directory's fields that show, and all they point at; return where the next is."""
        wide = 8 if self._wide else 2
        step = 20 if self._wide else 12
        count = self._number(at, wide)
        if count > _MOST_ENTRIES:
            raise Uncut
        entries = [self._entry(at + wide + n * step, step) for n in range(count)]
        kept = {entry.tag: entry for entry in entries if entry.tag in _SHOWN}
        if _COMPRESSION in kept and self._values(kept[_COMPRESSION]) == [_OLD_JPEG]:
            raise Uncut
        end = at + wide + count * step
        behind = self._scan.read(end, self._word)
        number = len(kept).to_bytes(wide, self._order)
        made = number + b"".join(entry.raw for entry in kept.values()) + behind
        self._made.put(at, made)
        for entry in kept.values():
            if entry.size > self._word:
                self._made.keep(entry.at, entry.at + entry.size)
        for places, sizes in _PIXELS:
            if places in kept and sizes in kept:
                pairs = zip(self._values(kept[places]), self._values(kept[sizes]), strict=False)
                for start, size in pairs:
                    self._made.keep(start, start + size)
        return self._value(behind)

    def _entry(self, at: int, step: int) -> _Entry:
        raw = self._scan.read(at, step)
        tag, kind = self._value(raw[:2]), self._value(raw[2:4])
        count = self._value(raw[4 : 4 + self._word])
        if kind not in _SIZES:
            return _Entry(0, 1, 0, 0, raw)
        value = 4 + self._word
        small = _SIZES[kind] * count <= self._word
        place = at + value if small else self._value(raw[value : value + self._word])
        if small:  # what is behind a short value says nothing
            used = value + _SIZES[kind] * count
            raw = raw[:used].ljust(step, b"\0")
        return _Entry(tag, kind, count, place, raw)

    def _values(self, entry: _Entry) -> list[int]:
        width = _SIZES[entry.kind]
        if entry.count > _MOST_VALUES:
            raise Uncut
        data = self._scan.read(entry.at, entry.size)
        return [self._value(data[n : n + width]) for n in range(0, len(data), width)]
