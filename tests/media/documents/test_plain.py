"""Text is read whatever it was written with, and what is no text is refused."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediamill.core.errors import UnsupportedMedia
from mediamill.media.documents.plain import decoded
from mediamill.media.sniff import sniff

GERMAN = "Grüße aus München, schöne Straße.\n"
FRENCH = "Le café était très bon, déjà vu à l’hôtel — 5 €, n° 7, « là »\n"
RUSSIAN = "Привет, как дела? Это обычный русский текст.\n" * 2
CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy.\n" * 2
JAPANESE = "これは日本語の文章です。よろしくお願いします。\n" * 2
CHINESE = "这是一个中文文本，用于测试编码检测。\n" * 2


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "utf-8"), (GERMAN, "utf-8-sig"), (GERMAN, "cp1252"), ("señor", "cp1252"),
        ("Grüße", "latin-1"), (FRENCH, "cp1252"), ("x = 'é'\n# coding: latin-1\n", "latin-1"),
        (RUSSIAN, "utf-16"), (RUSSIAN, "cp1251"), (RUSSIAN, "koi8_r"), (CZECH, "cp1250"),
        (JAPANESE, "cp932"), (JAPANESE, "euc_jp"), (CHINESE, "gb18030"), (CHINESE, "utf-32"),
        ("", "utf-8"),
    ],
)  # fmt: skip
def test_texts_are_read_as_they_were_written(text: str, encoding: str):
    data = text.encode(encoding)
    assert decoded(data, "x.txt")[0] == text
    assert sniff(data) == ("text/plain" if text else "application/octet-stream")


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("width", ["16", "32"])
def test_a_byte_order_mark_is_believed(width: str, order: str):
    mark = getattr(codecs, f"BOM_UTF{width}_{order.upper()}")
    encoding = f"utf-{width}-{order}"
    assert decoded(mark + "née".encode(encoding), "x") == ("née", encoding)


def test_line_ends_become_one():
    assert decoded(b"a\r\nb\rc\n", "x")[0] == "a\nb\nc\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02\x03", b"\xff\xfe\x00", b"text \x07 bell", bytes(range(128, 256)) + b"\x00",
        codecs.BOM_UTF8 + b"\xff", b"\x80\x81\x82" * 3,
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused(data: bytes):
    with pytest.raises(UnsupportedMedia, match=r"x\.bin"):
        decoded(data, "x.bin")


@given(st.binary(max_size=400))
def test_nothing_else_is_raised(data: bytes):
    try:
        text, _ = decoded(data, "x")
    except UnsupportedMedia:
        return
    assert "\x00" not in text
    assert "\r" not in text


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=200))
def test_utf8_is_itself(text: str):
    assert decoded(text.encode(), "x")[0] == text.removeprefix("\ufeff")


def test_old_web_pages_are_no_plain_text():
    """What is refused inline as HTML is so whatever it is encoded in."""
    page = "<html><body>Grüße".encode("latin-1")
    assert sniff(page) == "text/html"
