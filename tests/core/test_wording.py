"""Errors of parameters in plain words, beside the field they are about."""

import pytest

from mediamill.core.errors import InvalidInput
from mediamill.core.wording import plainly
from mediamill.operations.catalogue import OPERATIONS


@pytest.mark.parametrize(
    ("operation", "parameters", "field", "message"),
    [
        ("thumbnail", {"size": 15}, "size", "is from 16 to 2,048, not 15"),
        ("thumbnail", {"size": "big"}, "size", 'is a whole number, not "big"'),
        ("thumbnail", {"size": 20.5}, "size", "is a whole number, not 20.5"),
        ("thumbnail", {"size": [1]}, "size", "is a whole number, not a list"),
        ("thumbnail", {"sise": 1}, "sise", "“sise” is not known here; did you mean size?"),
        ("thumbnail", {"xyz": 1}, "xyz", "“xyz” is not known here; known: size, format, quality."),
        ("thumbnail", {"format": "bmp"}, "format", 'is one of jpeg, png or webp, not "bmp"'),
        ("extract-frames", {"every": 0}, "every", "is more than 0 and at most 86,400, not 0"),
        ("extract-frames", {"at": 3}, "at", "is a list, not 3"),
        ("extract-frames", {"at": [1, -1]}, "at.1", "is at least 0, not -1"),
        ("extract-frames", {"mode": "timestamps"}, "at", None),
        ("extract-frames", {"mode": "interval", "fps": 2}, "fps", None),
        ("extract-frames", {"start": 3, "end": 2}, "start", None),
        ("extract-frames", {"at": ["half"]}, "at", None),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(operation, parameters, field, message):
    with pytest.raises(InvalidInput) as refusal:
        OPERATIONS.build(operation, parameters, "steps.1.parameters")
    (first, *more) = refusal.value.details["errors"]
    assert first["pointer"] == f"steps.1.parameters.{field}"
    assert message in (None, first["message"])
    assert "Input should" not in first["message"]
    assert not more
    assert refusal.value.message.startswith(f"{operation}: ")


def test_a_missing_field_and_a_kind_without_words():
    assert plainly({"type": "missing", "loc": ("a",), "msg": "Field required"}) == "is needed"
    odd = {"type": "something_new", "loc": ("a",), "msg": "Value error, it is odd"}
    assert plainly(odd) == "it is odd"


def test_what_was_given_is_told_only_if_it_is_passed_on():
    item = {"type": "string_type", "loc": ("password",), "msg": "Input should be a valid string"}
    assert plainly(item) == "is text"
    assert plainly({**item, "input": 3}) == "is text, not 3"
    assert plainly({**item, "input": "x" * 100}) == "is text"
