"""HEIC and AVIF stills (ISO/IEC 14496-12 and 23008-12; AV1 Image File Format 1.1).

Items that are pictures stay, with the properties that show them; orientation is one of these. All
else is blanked where it lies, so that nothing moves: EXIF becomes a block that says nothing.
Sequences are not cut: their tracks tell times of their own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mediamill.media.privacy.parts import Overlay, Parts, Scan, Uncut

_PICTURES = frozenset({
    b"hvc1", b"hev1", b"lhv1", b"av01", b"avc1", b"vvc1", b"grid", b"iovl", b"iden", b"tmap",
})  # fmt: skip
_META = frozenset({b"hdlr", b"pitm", b"iinf", b"iloc", b"iref", b"dinf", b"grpl"})
_PROPERTIES = frozenset({
    b"hvcC", b"lhvC", b"av1C", b"avcC", b"vvcC", b"ispe", b"pixi", b"colr", b"pasp", b"irot",
    b"imir", b"clap", b"auxC", b"clli", b"mdcv", b"cclv", b"amve", b"rloc", b"lsel", b"a1op",
    b"a1lx", b"oinf", b"tols", b"ndwt",
})  # fmt: skip
_MOST_META = 8 << 20
_NOTHING = b"\0\0\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"
"""An EXIF item without a field: where its TIFF block begins, and that."""


@dataclass(frozen=True)
class _Box:
    kind: bytes
    at: int
    body: int
    end: int


def heif(scan: Scan) -> Parts:
    """Keep what shows of the pictures in a file."""
    return _Heif(scan).parts()


class _Heif:
    def __init__(self, scan: Scan) -> None:
        self._scan, self._made = scan, Overlay(scan.size)

    def parts(self) -> Parts:
        meta = None
        for box in self._boxes(0, self._scan.size, strict=False):
            if box.kind == b"ftyp":
                self._made.keep(box.at, box.end)
            elif box.kind == b"mdat":
                self._made.keep(box.at, box.body)
            elif box.kind == b"meta" and meta is None:
                meta = box
            elif box.kind in (b"meta", b"moov", b"moof"):
                raise Uncut
            else:
                self._free(box)
        if meta is None or meta.end - meta.at > _MOST_META:
            raise Uncut
        self._meta(meta)
        return self._made.parts()

    def _boxes(self, at: int, end: int, *, strict: bool = True) -> Iterator[_Box]:
        """Visit boxes; where that is not strict, up to what is none, and one that is cut off."""
        while at + 8 <= end:
            size, body = self._scan.number(at, 4), at + 8
            if size == 1:
                size, body = self._scan.number(at + 8, 8), at + 16
            stop = end if size == 0 else at + size
            kind = self._scan.read(at + 4, 4)
            if not body <= stop <= end or kind == bytes(4):
                if strict:
                    raise Uncut
                if kind == b"mdat" and body < end:
                    yield _Box(kind, at, body, end)
                return
            yield _Box(kind, at, body, stop)
            at = stop

    def _free(self, box: _Box) -> None:
        """Make a box one of free space, as long as it was."""
        head = self._scan.read(box.at, box.body - box.at)
        self._made.put(box.at, head[:4] + b"free" + head[8:])

    def _meta(self, meta: _Box) -> None:
        found: dict[bytes, _Box] = {}
        self._made.keep(meta.at, meta.body + 4)
        for box in self._boxes(meta.body + 4, meta.end):
            found.setdefault(box.kind, box)
            if box.kind in _META:
                self._made.keep(box.at, box.end)
            elif box.kind == b"iprp":
                self._made.keep(box.at, box.body)
                self._described(box)
            elif box.kind == b"idat":
                self._made.keep(box.at, box.body)
            else:
                self._free(box)
        self._pictures(found)

    def _pictures(self, found: Mapping[bytes, _Box]) -> None:
        """Keep the bytes of the items that are pictures."""
        if not {b"pitm", b"iinf", b"iloc"} <= found.keys():
            raise Uncut
        kinds = dict(self._items(found[b"iinf"]))
        if kinds.get(self._primary(found[b"pitm"])) not in _PICTURES:
            raise Uncut
        inner = found[b"idat"].body if b"idat" in found else None
        for item, spans in self._places(found[b"iloc"], inner):
            if kinds.get(item) in _PICTURES:
                for start, stop in spans:
                    self._made.keep(start, stop)
            elif (
                kinds.get(item) == b"Exif" and spans and spans[0][1] - spans[0][0] >= len(_NOTHING)
            ):
                self._made.put(spans[0][0], _NOTHING)

    def _described(self, box: _Box) -> None:
        """Keep the properties that show; others become free space, so that the count is right."""
        for inner in self._boxes(box.body, box.end):
            if inner.kind == b"ipma":
                self._made.keep(inner.at, inner.end)
                continue
            if inner.kind != b"ipco":
                raise Uncut
            self._made.keep(inner.at, inner.body)
            for one in self._boxes(inner.body, inner.end):
                if one.kind in _PROPERTIES:
                    self._made.keep(one.at, one.end)
                else:
                    self._free(one)

    def _primary(self, box: _Box) -> int:
        wide = self._scan.read(box.body, 1) != b"\0"
        return self._scan.number(box.body + 4, 4 if wide else 2)

    def _items(self, box: _Box) -> Iterator[tuple[int, bytes]]:
        """Yield the number and kind of each item."""
        wide = self._scan.read(box.body, 1) != b"\0"
        for one in self._boxes(box.body + (8 if wide else 6), box.end):
            version = self._scan.number(one.body, 1)
            if one.kind != b"infe" or version < 2:
                raise Uncut
            width = 4 if version > 2 else 2
            at = one.body + 4 + width + 2
            yield self._scan.number(one.body + 4, width), self._scan.read(at, 4)

    def _places(self, box: _Box, inner: int | None) -> Iterator[tuple[int, list[tuple[int, int]]]]:
        """Yield the number of each item and where its bytes are."""
        at = box.body

        def take(count: int) -> int:
            nonlocal at
            at += count
            return self._scan.number(at - count, count) if count else 0

        version, _ = take(1), take(3)
        sizes = take(2)
        offset, size, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
        for _ in range(take(2 if version < 2 else 4)):
            item = take(2 if version < 2 else 4)
            way = take(2) & 15 if version else 0
            take(2)
            start, spans = take(base), list[tuple[int, int]]()
            for _ in range(take(2)):
                take(index if version else 0)
                low = start + take(offset)
                count = take(size)
                if way > 1 or (way == 1 and inner is None):
                    raise Uncut
                low += (inner or 0) if way else 0
                spans.append((low, low + count if count else self._scan.size))
            yield item, spans
