"""BMP (Microsoft, BITMAPV5HEADER): headers, colours, pixels and colour profile; nothing behind."""

from mediamill.media.privacy.parts import Parts, Scan, Uncut

_V5, _PLAIN = 124, frozenset({0, 3, 6})


def bmp(scan: Scan) -> Parts:
    """Keep all up to the end of the pixels, and of the profile."""

    def number(at: int, count: int = 4) -> int:
        return int.from_bytes(scan.read(at, count), "little")

    pixels, header = number(10), number(14)
    if header < 16:
        width, height, bits, coding = number(18, 2), number(20, 2), number(24, 2), 0
    else:
        width, height, bits = number(18), number(22), number(28, 2)
        height = abs(height - (1 << 32) if height >> 31 else height)
        coding = number(30) if header >= 40 else 0
    size = number(34) if header >= 40 else 0
    if coding in _PLAIN:
        size = (width * bits + 31) // 32 * 4 * height
    elif not size:
        raise Uncut
    end = pixels + size
    if header >= _V5 and number(14 + 56) == int.from_bytes(b"MBED"):
        end = max(end, 14 + number(14 + 112) + number(14 + 116))
    parts = Parts()
    parts.keep(0, min(end, scan.size))
    return parts
