"""What is refused as a password whatever its length, and what is not."""

import pytest
from tests.support.cheap import cheap

from mediamill.core.errors import InvalidInput
from mediamill.services.accounts.commonest import COMMON, KNOWN, REPEATED, listed, weakness
from mediamill.services.accounts.passwords import Passwords

WHO = ("ann.smith@example.org", "Ann Smith", "mill.studio.example")


async def test_the_commonest_are_refused_however_they_are_written():
    passwords = Passwords(cheap(), least=8)
    first = listed()[:3_000]
    assert len(set(first)) == 3_000
    for word in first:
        for spelling in (word, word.upper(), word.title(), f" {word} "):
            with pytest.raises(InvalidInput) as caught:
                await passwords.hash(spelling)
            assert caught.value.details["errors"][0]["pointer"] == "password"


def test_the_list_is_in_the_order_of_how_common_they_are():
    assert listed()[:3] == ["123456", "password", "12345678"]
    assert len(listed()) == 10_000
    assert {weakness(word) for word in listed()} == {COMMON}


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("Password", COMMON), ("aaaaaaaaaaaaaaaa", REPEATED), ("passwordpassword", REPEATED),
        ("abcabcabcabcabcabc", REPEATED), ("Ann.Smith@example.org", KNOWN),
        ("ann smith 2026", KNOWN), ("Mediamill1234567", KNOWN), ("studio-MILL-1999", KNOWN),
        ("correct horse battery", ""), ("blue bridge blue bridge", ""), ("x" * 80 + "1", ""),
        ("smith of copper kettles", ""), ("пароль из трёх слов", ""), ("密码由几个词语组成", ""),
    ],
)  # fmt: skip
def test_what_is_tried_first(password, why):
    assert weakness(password, ("mediamill", *WHO)) == why
