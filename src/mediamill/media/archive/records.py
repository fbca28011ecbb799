"""The byte layout of a stored zip: local headers, central directory, end records.

From PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.5.3. Written are: method 0 (stored), flag bit 11
(names are UTF-8), the time stamp 1980-01-01 00:00 (the same input gives the same bytes), and
ZIP64 fields only where a number does not fit. No data descriptors: size and CRC-32 are known.
"""

import struct
from dataclasses import dataclass

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
END64, LOCATOR64 = b"PK\x06\x06", b"PK\x06\x07"

LOCAL_FORMAT = struct.Struct("<4s5H3I2H")
CENTRAL_FORMAT = struct.Struct("<4s6H3I5H2I")
END_FORMAT = struct.Struct("<4s4H2IH")
END64_FORMAT = struct.Struct("<4sQ2H2I4Q")
LOCATOR64_FORMAT = struct.Struct("<4sIQI")

UTF8_FLAG, ENCRYPTED_FLAGS = 0x800, 0x2041
"""Flag bit 11; and bits 0, 6, 13: encrypted, strongly encrypted, masked directory."""

LIMIT16, LIMIT32 = 0xFFFF, 0xFFFFFFFF
EXTRA64, EXTRA_NAME = 0x0001, 0x7075
DESCRIPTOR_FLAG = 0x0008
"""Flag bit 3: sizes and CRC-32 follow the data, the local header has zeros."""

_DATE, _TIME = 0x21, 0
_PLAIN, _WITH_ZIP64 = 20, 45
_UNIX_FILE = 0o100644 << 16


@dataclass(frozen=True)
class Entry:
    """A stored member: its bytes start right after its local header, which is at `offset`."""

    name: bytes
    size: int
    crc32: int
    offset: int


def local_header(entry: Entry) -> bytes:
    """Return the bytes that come before a member's data."""
    large = entry.size >= LIMIT32
    extra = struct.pack("<HHQQ", EXTRA64, 16, entry.size, entry.size) if large else b""
    size = LIMIT32 if large else entry.size
    needed = _WITH_ZIP64 if large else _PLAIN
    head = LOCAL_FORMAT.pack(
        LOCAL, needed, UTF8_FLAG, 0, _TIME, _DATE, entry.crc32, size, size,
        len(entry.name), len(extra),
    )  # fmt: skip
    return head + entry.name + extra


def central_header(entry: Entry) -> bytes:
    """Return a member's record in the central directory."""
    sizes = (entry.size, entry.size) if entry.size >= LIMIT32 else ()
    numbers = (*sizes, entry.offset) if entry.offset >= LIMIT32 else sizes
    extra = struct.pack(f"<HH{len(numbers)}Q", EXTRA64, 8 * len(numbers), *numbers)
    extra = extra if numbers else b""
    size, needed = min(entry.size, LIMIT32), _WITH_ZIP64 if numbers else _PLAIN
    head = CENTRAL_FORMAT.pack(
        CENTRAL, 0x300 | needed, needed, UTF8_FLAG, 0, _TIME, _DATE, entry.crc32, size, size,
        len(entry.name), len(extra), 0, 0, 0, _UNIX_FILE, min(entry.offset, LIMIT32),
    )  # fmt: skip
    return head + entry.name + extra


def end_records(count: int, size: int, offset: int) -> bytes:
    """Return what closes a zip whose central directory of `size` bytes starts at `offset`."""
    small_count, small_size = min(count, LIMIT16), min(size, LIMIT32)
    small_offset = min(offset, LIMIT32)
    end = END_FORMAT.pack(END, 0, 0, small_count, small_count, small_size, small_offset, 0)
    if small_count < LIMIT16 and small_size < LIMIT32 and small_offset < LIMIT32:
        return end
    end64 = END64_FORMAT.pack(
        END64, END64_FORMAT.size - 12, 0x300 | _WITH_ZIP64, _WITH_ZIP64, 0, 0,
        count, count, size, offset,
    )  # fmt: skip
    return end64 + LOCATOR64_FORMAT.pack(LOCATOR64, 0, offset + size, 1) + end
