"""What is said of a picture, in its file: readers find it, and the pixels stay as they are."""

import io
import struct
import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests import media_factory as make

from mediamill.media.privacy.cutting import cut_bytes
from mediamill.media.sniff import sniff
from mediamill.media.xmp.embedding import embedded, pour
from mediamill.media.xmp.packet import Description, packet

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
DC = "{http://purl.org/dc/elements/1.1/}"
IPTC = "{http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/}"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
SAID = Description(
    {"de": "Ein Hund & <Meer>", "en": 'A "dog"'}, {"en": "A dog at the sea"}, ("dog", "sea")
)


def joined(data: bytes, said: bytes) -> bytes | None:
    stream, out = io.BytesIO(data), io.BytesIO()
    parts = embedded(stream, len(data), sniff(data), said)
    if parts is None:
        return None
    pour(stream, parts, out.write)
    return out.getvalue()


def texts(xml: bytes, name: str) -> dict[str | None, str | None]:
    root = ET.fromstring(xml)
    return {one.get(LANG): one.text for one in root.findall(f".//{name}//{RDF}li")}


def stored(form: str, mode: str = "RGB", **more: Any) -> bytes:
    image = Image.effect_noise((61, 43), 40).convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    out = io.BytesIO()
    image.save(out, form, **more)
    return out.getvalue()


FILES = {
    "jpeg": lambda: stored("JPEG"),
    "progressive": lambda: stored("JPEG", progressive=True),
    "grey": lambda: stored("JPEG", "L"),
    "png": lambda: stored("PNG"),
    "png-alpha": lambda: stored("PNG", "RGBA"),
    "webp": lambda: stored("WEBP"),
    "webp-lossless": lambda: stored("WEBP", lossless=True),
    "webp-alpha": lambda: stored("WEBP", "RGBA", lossless=True),
    "webp-lossy-alpha": lambda: stored("WEBP", "RGBA"),
    "webp-profile": lambda: stored("WEBP", icc_profile=b"x" * 131),
    "phone": lambda: cut_bytes(make.sample("orientation-6.jpg").read_bytes(), "a"),
}


@pytest.mark.parametrize("kind", FILES)
def test_it_is_found_and_nothing_else_changes(kind: str):
    before = FILES[kind]()
    after = joined(before, packet(SAID))
    assert after is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, two = Image.open(io.BytesIO(before)), Image.open(io.BytesIO(after))
        assert one.tobytes() == two.tobytes()
        assert one.mode == two.mode
        assert one.getexif() == two.getexif(), "also how it is to be turned"
        assert one.info.get("icc_profile") == two.info.get("icc_profile")
        assert two.getxmp()["xmpmeta"]["RDF"]["Description"]["subject"]["Bag"]["li"] == [
            "dog", "sea",
        ]  # fmt: skip
    xml = two.info["xmp"] if "xmp" in two.info else two.info["XML:com.adobe.xmp"].encode()
    assert texts(xml, f"{DC}description") == {
        "x-default": "Ein Hund & <Meer>", "de": "Ein Hund & <Meer>", "en": 'A "dog"',
    }  # fmt: skip
    assert texts(xml, f"{IPTC}AltTextAccessibility") == {
        "x-default": "A dog at the sea", "en": "A dog at the sea",
    }  # fmt: skip


def test_a_webp_says_in_its_header_that_it_is_there():
    """RFC 9649, 2.7: the flag, the canvas, an even length, and XMP behind the pixels."""
    for kind in ("webp", "webp-lossless", "webp-alpha", "webp-profile"):
        data = joined(FILES[kind](), packet(SAID)[:-1])
        assert data is not None
        assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
        assert data[12:16] == b"VP8X"
        assert data[20] & 0x04
        assert [int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27)] == [61, 43]
        assert bool(data[20] & 0x10) == (kind == "webp-alpha")


def test_of_what_nothing_is_said_nothing_is_written():
    xml = packet(Description(alt={"en": "A dog"}))
    assert b"dc:description" not in xml
    assert b"dc:subject" not in xml
    assert b"AltTextAccessibility" in xml


@given(st.text(max_size=50), st.text(max_size=50))
def test_any_text_is_well_formed(one: str, other: str):
    xml = packet(Description({"en": one}, {"en": other}, [one]))
    ET.fromstring(xml.decode("utf-8", "strict").split("?>", 1)[1].rsplit("<?", 1)[0])


@pytest.mark.parametrize("form", ["GIF", "TIFF", "BMP", "AVIF"])
def test_other_formats_are_left_to_a_file_beside_them(form: str):
    assert joined(stored(form), packet(SAID)) is None


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "webp-alpha"])
def test_damage_is_no_surprise(kind: str):
    whole = FILES[kind]()
    for count in (*range(12, 60), len(whole) // 2):
        stream = io.BytesIO(whole[:count])
        embedded(stream, count, f"image/{kind.partition('-')[0]}", packet(SAID))
    assert joined(FILES["jpeg"](), b"x" * 70_000) is None, "a segment has no room for that"


def test_a_large_file_is_not_read_at_once(tmp_path: Path):
    data = FILES["jpeg"]()
    large = io.BytesIO(data + b"\0" * (5 << 20))
    sizes: list[int] = []
    parts = embedded(large, len(large.getvalue()), "image/jpeg", packet(SAID))
    assert parts is not None
    pour(large, parts, lambda chunk: sizes.append(len(chunk)))
    assert max(sizes) <= 1 << 20
