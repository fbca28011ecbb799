"""Pages of PDF are read and drawn; broken, locked and huge ones end in a clear error."""

import hashlib
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import documents as make

from mediamill.core.errors import InvalidInput, LimitExceeded, MediamillError
from mediamill.media.documents.pdf import PageText, opened


def test_text_comes_page_by_page():
    with opened(make.pdf("Hello (world)\nsecond line — 5 €", "", "end"), "x.pdf") as document:
        assert len(document) == 3
        assert [document.text(n, 1000) for n in (1, 2, 3)] == [
            PageText(1, "Hello (world)\nsecond line — 5 €", drawn=True, fields=False),
            PageText(2, "", drawn=False, fields=False),
            PageText(3, "end", drawn=True, fields=False),
        ]


def test_pages_are_drawn_on_white_within_the_bounds():
    with opened(make.pdf_of([make.BOX]), "x.pdf") as document:
        pixels = document.draw(1, 500).array()
    assert pixels.shape == (500, 387, 3) or pixels.shape == (499, 386, 3)
    assert pixels[0, 0].tolist() == [255, 255, 255]
    height = pixels.shape[0]
    assert pixels[height - round(height * 250 / 792), 160].tolist() == [204, 26, 26]


@pytest.mark.parametrize("size", [(1, 14_400), (14_400, 1), (0.01, 0.01), (1e6, 1e6), (3, 3)])
def test_odd_sizes(size: tuple[float, float]):
    with opened(make.pdf("x", size=size), "x.pdf") as document:
        try:
            picture = document.draw(1, 300)
        except InvalidInput:
            return
        assert 1 <= max(picture.width, picture.height) <= 300


def test_what_is_filled_into_a_form_is_seen():
    field = "<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /V (b) /Rect [100 100 200 120] >>"
    data = make.pdf_of([b""], annotations=[field], extra="/AcroForm << /Fields [] >>")
    with opened(data, "x.pdf") as document:
        assert document.text(1, 100) == PageText(1, "", drawn=True, fields=True)
        assert document.draw(1, 200).height <= 200


def test_more_text_than_is_allowed_is_told_before_it_is_read():
    told = r"x\.pdf has more than 50 bytes of text"
    with (
        opened(make.pdf("word " * 100), "x.pdf") as document,
        pytest.raises(LimitExceeded, match=told),
    ):
        document.text(1, 50)


def locked() -> bytes:
    """A PDF that asks for a password; its keys fit none (PDF 1.7, 7.6)."""
    key = hashlib.md5(b"x").hexdigest() * 2
    extra = f"/Filter /Standard /V 1 /R 2 /O <{key}> /U <{key}> /P -4"
    data = make.pdf("secret")
    return data.replace(
        b"/Root 1 0 R", f"/Root 1 0 R /Encrypt << {extra} >> /ID [<00><00>]".encode()
    )


def test_a_locked_file_is_told_as_such():
    with pytest.raises(InvalidInput, match=r"x\.pdf is locked by a password"):
        opened(locked(), "x.pdf").__enter__()


def circular() -> bytes:
    return make.pdf("x").replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]")


def bomb() -> bytes:
    """Content that unpacks to 100 MB of paths."""
    return make.pdf_of([b"0 0 m " * (1 << 20)])


HOSTILE = {
    "empty": b"", "header": b"%PDF-1.7", "noise": b"%PDF-1.7\n" + bytes(range(256)) * 20,
    "cut": make.pdf("x" * 99)[:300], "circular": circular(), "bomb": bomb(),
    "count": make.pdf("x").replace(b"/Count 1", b"/Count 2147483647"),
    "box": make.pdf("x").replace(b"[0 0 612 792]", b"[0 0 nan inf]"),
    "stream": make.pdf("x").replace(zlib.compress(b"")[:2], b"\xff\xff"),
    "script": make.pdf("x", extra="/OpenAction << /S /JavaScript /JS (app.alert(1)) >>"),
    "launch": make.pdf("x", extra="/OpenAction << /S /Launch /F (/bin/sh) >>"),
}  # fmt: skip


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files(data: bytes):
    found: MediamillError = InvalidInput("x.pdf")
    try:
        with opened(data, "x.pdf") as document:
            for number in range(1, min(3, len(document)) + 1):
                document.text(number, 10_000)
                document.draw(number, 300)
    except MediamillError as error:
        found = error
    assert isinstance(found, InvalidInput)
    assert "x.pdf" in found.message


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_flipped_bytes(data: st.DataObject):
    content = bytearray(make.pdf("some text", "more"))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    test_hostile_files(bytes(content))
