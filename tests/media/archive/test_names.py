"""Whatever a file is called, its name in a zip, in a header and on a disk is safe."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.media_factory import hostile_names

from mediamill.media.archive.names import (
    MAX_BYTES,
    Names,
    safe_name,
    safe_path,
    unique,
    with_suffix,
)

RESERVED = {"con", "prn", "aux", "nul", "com1", "lpt9", "conin$"}


def check(name: str) -> None:
    assert name
    assert len(name.encode()) <= MAX_BYTES
    assert not set(name) & set('/\\<>:"|?*')
    assert not any(unicodedata.category(letter)[0] == "C" for letter in name)
    assert name == unicodedata.normalize("NFC", name)
    assert name[0] not in ". "
    assert name[-1] not in ". "
    assert name.split(".", maxsplit=1)[0].rstrip().lower() not in RESERVED


@given(st.text(max_size=300))
def test_any_text_becomes_a_safe_name(text: str):
    check(safe_name(text))
    assert safe_name(safe_name(text)) == safe_name(text)
    for part in safe_path(text).split("/"):
        check(part)


def test_hostile_names_become_safe_and_unique():
    names = json.loads(hostile_names().read_text())
    assert len(names) > 400
    given_out = list(unique(safe_name(name) for name in names))
    for name in given_out:
        check(name)
    assert len({name.casefold() for name in given_out}) == len(names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("../../evil.sh", "evil.sh"),
        ("C:\\Users\\me\\photo.jpg", "photo.jpg"),
        ("/etc/passwd", "passwd"),
        ("holiday.jpg", "holiday.jpg"),
        ("Grüße aus Köln.png", "Grüße aus Köln.png"),
        ("CON.txt", "_CON.txt"),
        ("..hidden", "hidden"),
        ("gpj.\u202eexe", "gpj.exe"),
        ("a\x00b\r\nc.jpg", "abc.jpg"),
        ("..", "file"),
        ("", "file"),
    ],
)
def test_known_tricks(text: str, expected: str):
    assert safe_name(text) == expected


def test_a_long_name_keeps_its_extension():
    assert safe_name("ü" * 300 + ".jpeg").endswith("ü.jpeg")
    check(safe_name("ü" * 300 + ".jpeg"))
    check(with_suffix("x" * 300 + ".mp4", "-frames.zip"))
    assert with_suffix("a.b.mp4", "-frames.zip") == "a.b-frames.zip"


def test_paths_keep_their_folders():
    assert safe_path("train/./cat/../1.jpg") == "train/cat/1.jpg"
    assert safe_path("/../..") == "file"


def test_doubles_are_numbered_before_the_extension():
    names = Names()
    assert [names.claim(n) for n in ("a.jpg", "A.jpg", "a (2).jpg", "a.jpg", "b/a.jpg")] == [
        "a.jpg", "A (2).jpg", "a (2) (2).jpg", "a (3).jpg", "b/a.jpg",
    ]  # fmt: skip
