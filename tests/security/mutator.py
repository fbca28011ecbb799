"""Make hostile files of good ones: cut, flipped, zeroed, swapped, doubled, with lying lengths.

The same seed and data give the same mutant. What a mutant is called says how it was made.
"""

import random
import struct
from collections.abc import Callable, Iterator

CONTAINERS = {
    b"moov",
    b"trak",
    b"mdia",
    b"minf",
    b"stbl",
    b"edts",
    b"dinf",
    b"udta",
    b"moof",
    b"traf",
}
COUNTED = {b"stsz", b"stco", b"co64", b"stts", b"ctts", b"stsc", b"stss", b"elst", b"trun", b"dref"}
ZIP_RECORDS = {b"PK\x03\x04": (14, 18, 22, 26, 28), b"PK\x01\x02": (16, 20, 24, 28, 30, 42),
               b"PK\x05\x06": (8, 10, 12, 16, 20)}  # fmt: skip
LIES = (0, 1, 7, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)

Draw = random.Random
Mutation = Callable[[bytearray, Draw], None]


def mutants(data: bytes, count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield `count` mutants with their names."""
    for number in range(count):
        draw = Draw(f"{seed}/{number}")
        kinds = draw.sample(sorted(MUTATIONS), k=draw.choice((1, 1, 1, 2, 3)))
        mutant = bytearray(data)
        for kind in kinds:
            MUTATIONS[kind](mutant, draw)
        yield f"{number}-{'-'.join(kinds)}", bytes(mutant)


def boxes(
    data: bytes | bytearray, start: int = 0, end: int | None = None
) -> Iterator[tuple[int, int]]:
    """Yield (offset, size) of every ISO box, those inside containers too."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        if size < 8 or start + size > end:
            return
        yield start, size
        if bytes(kind) in CONTAINERS:
            yield from boxes(data, start + 8, start + size)
        start += size


def records(data: bytes | bytearray) -> Iterator[tuple[int, int]]:
    """Yield (offset, size) of every record in a zip's directory."""
    start = data.find(b"PK\x01\x02")
    while start >= 0 and data[start : start + 4] == b"PK\x01\x02" and start + 46 <= len(data):
        size = 46 + sum(struct.unpack_from("<3H", data, start + 28))
        yield start, size
        start += size


def cut(data: bytearray, draw: Draw) -> None:
    """Keep the beginning only."""
    del data[draw.randrange(1, len(data)) :]


def flip(data: bytearray, draw: Draw) -> None:
    """Flip some bits anywhere."""
    for _ in range(draw.choice((1, 8, 100))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def flip_head(data: bytearray, draw: Draw) -> None:
    """Flip some bits among the first, where headers are."""
    for _ in range(draw.choice((1, 4, 30))):
        data[draw.randrange(min(len(data), 4096))] ^= 1 << draw.randrange(8)


def zero(data: bytearray, draw: Draw) -> None:
    """Blank a stretch."""
    start = draw.randrange(len(data))
    size = min(draw.choice((16, 512, 8192)), len(data) - start)
    data[start : start + size] = bytes(size)


def swap(data: bytearray, draw: Draw) -> None:
    """Swap two boxes or records that lie beside each other; two blocks where there are none."""
    found = [*boxes(data)] or [*records(data)]
    pairs = [(one, two) for one in found for two in found if sum(one) == two[0]]
    if pairs:
        (start, first), (_, second) = draw.choice(pairs)
        one, two = data[start : start + first], data[start + first : start + first + second]
        data[start : start + first + second] = two + one
        return
    size = min(4096, len(data) // 2)
    here, there = draw.randrange(len(data) - size + 1), draw.randrange(len(data) - size + 1)
    data[here : here + size], data[there : there + size] = (
        data[there : there + size],
        data[here : here + size],
    )


def double(data: bytearray, draw: Draw) -> None:
    """Insert a stretch a second time."""
    start = draw.randrange(len(data))
    data[start:start] = data[start : start + draw.choice((8, 1000, 20_000))]


def lie(data: bytearray, draw: Draw) -> None:
    """Let a length or a count say something else."""
    places = [offset for offset, _ in boxes(data)]
    places += [o + 12 for o, s in boxes(data) if bytes(data[o + 4 : o + 8]) in COUNTED and s >= 16]
    form = ">I"
    for mark, offsets in ZIP_RECORDS.items():
        position = -1
        while (position := data.find(mark, position + 1)) >= 0:
            places += [position + offset for offset in offsets]
            form = "<I"
    places = [place for place in places if place + 4 <= len(data)]
    if not places:
        places = [draw.randrange(max(1, min(len(data), 4096) - 4))]
    if len(data) >= 4:
        place = draw.choice(places)
        (true,) = struct.unpack_from(form, data, place)
        nearly = (true + 1, true - 1, 2 * true, true // 2)
        struct.pack_into(form, data, place, draw.choice((*LIES, *nearly)) % (1 << 32))


MUTATIONS: dict[str, Mutation] = {
    "cut": cut, "flip": flip, "flip_head": flip_head, "zero": zero, "swap": swap,
    "double": double, "lie": lie,
}  # fmt: skip
