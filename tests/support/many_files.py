"""Very many files of one user, written as uploads leave them, without looking at each."""

import colorsys
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from mediamill.app import App
from mediamill.core.clock import HOUR
from mediamill.core.ids import encode
from mediamill.core.settings import Settings
from mediamill.store.port import Put
from mediamill.store.repositories.files import File, digest_key, tag_rows

PICTURES = 24
"""So many different pictures there are; files share their blobs."""
KINDS = (
    ("image/png", "png", {}), ("image/png", "png", {}), ("image/png", "png", {}),
    ("video/mp4", "mp4", {"duration": 83.4}), ("application/zip", "zip", {"thumbnail": ""}),
)  # fmt: skip


async def add_files(
    home: Path, owner: str, count: int, tagged: Sequence[int] = (), apart: int = HOUR
) -> list[str]:
    """Add files to a service over a home; return their ids, newest first.

    The nth has the name `photo-00017.png`; those of `tagged` have the tag `picked`. Each is `apart`
    milliseconds older than the one before.
    """
    async with await App.open(Settings(home=home, log_level="error")) as app:
        now = await app.store.now()
        sizes = [
            (await app.blobs.put(f"files/many-{number}", picture(number))).size
            for number in range(PICTURES)
        ]
        rows = [
            _file(owner, n, sizes[n % PICTURES], now - n * apart, ("picked",) * (n in tagged))
            for n in range(count)
        ]
        puts = [Put(row) for file in rows for row in (file, *tag_rows(file))]
        for start in range(0, len(puts), 90):
            await app.store.transact(*puts[start : start + 90])
    return [row.id for row in rows]


def _file(owner: str, n: int, size: int, created: int, tags: tuple[str, ...]) -> File:
    media_type, ending, more = KINDS[n % len(KINDS)]
    sha256, blob = f"{n:064x}", f"files/many-{n % PICTURES}"
    fields = {"thumbnail": blob, "width": 240, "height": 180, **more}
    return File(
        id=f"file_{encode(created << 80 | n)}", owner=owner, listed=owner,
        name=f"photo-{n:05}.{ending}", media_type=media_type, size=size, sha256=sha256,
        crc32=0, blob=blob, created=created, digest=digest_key(owner, sha256),
        tags=tags, **fields,
    )  # fmt: skip


def picture(number: int) -> bytes:
    """Draw one of the pictures."""
    hue = number / PICTURES
    ground, mark = (
        tuple(round(255 * part) for part in colorsys.hls_to_rgb(hue + turn, light, 0.45))
        for turn, light in ((0, 0.72), (0.5, 0.4))
    )
    image = Image.new("RGB", (240, 180), ground)
    draw = ImageDraw.Draw(image)
    draw.ellipse((60 + 3 * number, 40, 130 + 3 * number, 110), fill=mark)
    draw.rectangle((0, 130, 240, 180), fill=mark)
    made = io.BytesIO()
    image.save(made, "JPEG", quality=70)
    return made.getvalue()
