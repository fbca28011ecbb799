"""Answers are checked as JSON Schema says, within bounds that no schema or answer passes."""

import itertools
import json
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import _keywords, _utils

from mediamill.operations.prompt.answers import NoJson, json_in, written
from mediamill.operations.prompt.judging import MAX_ERRORS, TooCostly, errors_of
from mediamill.operations.prompt.schemas import checked

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}
TREE = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}


@pytest.mark.parametrize(
    ("schema", "fits", "not_so"),
    [
        (PERSON, {"name": "a", "age": 1.0}, {"name": 1, "age": -1, "more": None}),
        ({"pattern": r"^\d{4}$"}, "2024", "24"),
        ({"patternProperties": {"^a": {"type": "null"}}, "additionalProperties": {"const": 1}},
         {"ab": None, "b": 1}, {"ab": 1}),
        ({"patternProperties": {"^a": True}, "additionalProperties": False}, {"ab": 1}, {"b": 1}),
        ({"uniqueItems": True}, [1, True, [1], [True], {"a": 1}, {"a": True}], [1, 1.0]),
        ({"$defs": {"a/b": {"type": "null"}}, "$ref": "#/$defs/a~1b"}, None, 1),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "null"}],
          "additionalItems": False}, [None], [None, 1]),
        ({"$id": "http://127.0.0.1/schema", "properties": {"a": {"$ref": "#/$defs/s"}},
          "$defs": {"s": {"type": "string"}}}, {"a": ""}, {"a": 1}),
        ({"anyOf": [{"type": "null"}, {"items": {"$ref": "#"}, "type": "array"}]},
         [[[None]]], [[[1]]]),
    ],
)  # fmt: skip
def test_answers(schema: dict[str, Any], fits: Any, not_so: Any):
    assert errors_of(checked(schema), fits) == []
    assert errors_of(schema, not_so)
    judge = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    assert judge(schema).is_valid(fits)
    assert not judge(schema).is_valid(not_so)


def test_no_pattern_takes_for_ever(monkeypatch: pytest.MonkeyPatch):
    """Python's own matching would, and cannot be ended; so it fails here before it begins."""

    def never(*_: object) -> None:
        raise AssertionError("a pattern went to Python's `re`")

    monkeypatch.setattr(_keywords, "re", SimpleNamespace(search=never))
    monkeypatch.setattr(_utils, "re", SimpleNamespace(search=never))
    name, schema = "a" * 5_000, {"pattern": r"^(a+)+$"}
    assert not errors_of(schema, name)
    assert errors_of(schema, name + "!")
    names = {"patternProperties": {r"^(a+)+$": {"const": 1}}, "additionalProperties": False}
    assert not errors_of(names, {name: 1})
    assert errors_of(names, {name + "!": 1})


def test_errors_say_where():
    assert errors_of(PERSON, {"name": 1, "age": -1}) == [
        "/name: 1 is not of type 'string'",
        "/age: -1 is less than the minimum of 0",
    ]
    assert len(errors_of({"items": {"type": "null"}}, [1] * 1000)) == MAX_ERRORS
    assert all(len(error) < 500 for error in errors_of({"enum": ["x" * 9999]}, "y" * 9999))


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"not": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"$ref": "http://127.0.0.1/x.json"}, "own parts"),
        ({"$ref": "file:///etc/passwd"}, "own parts"),
        ({"properties": {"a": {"$ref": "other.json#/a"}}}, "own parts"),
        ({"$ref": "#/$defs/none"}, "nothing at"),
        ({"$ref": "#/properties", "properties": {"type": {}}}, "no schema at"),
        ({"items": {"$id": "http://127.0.0.1/"}}, "its top only"),
        ({"$ref": "#"}, "without an end"),
        ({"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"not": {"$ref": "#"}}}},
         "without an end"),
        ({"$dynamicRef": "#x"}, r"may not have \$dynamicRef"),
        ({"unevaluatedProperties": False}, "may not have"),
        ({"pattern": "(?=a)b"}, "look-around"),
        ({"pattern": r"(a)\1"}, "backreferences"),
        ({"pattern": "(((a{99}){99}){99})"}, "repeat too much"),
        ({"allOf": [{"pattern": f"[ab]{{{n}}}"} for n in range(100, 200)]}, "repeat too much"),
        ({"pattern": r"\\{9}[]{9}x]{9}(" }, "unclosed group"),
        ({"properties": {f"{n}": {} for n in range(1_001)}}, "more than 1,000 schemas"),
        ({"pattern": "a" * 501}, "more than 500"),
        ({"patternProperties": {"(": {}}}, "unclosed group"),
        ({"type": "strin"}, "wrong at type"),
        ({"$schema": "http://json-schema.org/draft-03/schema#"}, "dialect"),
        (nested(70), "64 deep"),
        ({"enum": ["x" * 70_000]}, "64,000"),
        ({"minimum": float("nan")}, "no JSON"),
    ],
)  # fmt: skip
def test_schemas_that_are_refused(schema: dict[str, Any], told: str):
    with pytest.raises(ValueError, match=told):
        checked(schema)


def laughs() -> dict[str, Any]:
    """Two to the thirtieth checks of one value."""
    names = [f"d{n}" for n in range(30)]
    pairs = {
        name: {"allOf": [{"$ref": f"#/$defs/{after}"}] * 2}
        for name, after in itertools.pairwise(names)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**pairs, "d29": {"type": "object"}}}


DOUBLING = {"allOf": [{"properties": {"a": {"$ref": "#"}}}] * 2}


def deep(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.fixture
def usual_depth() -> Iterator[None]:
    """Python's own limit of nested calls: libraries of other tests in this process raise it."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("usual_depth")
@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        (laughs(), {}),
        (DOUBLING, deep(40)),
        ({"items": {"enum": [*range(5_000)]}}, [4_999] * 5_000),
        ({"additionalProperties": {"$ref": "#"}}, deep(900)),
        ({"items": {"pattern": "x[xy]{300}|x"}}, ["x" * 10_000] * 100),
        ({"pattern": r"(\w{9}){9}|x"}, "x" * 3_000_000),
    ],
    ids=["laughs", "doubling", "enum", "deep", "patterns", "text"],
)
def test_what_would_take_for_ever_is_ended(
    monkeypatch: pytest.MonkeyPatch, schema: dict[str, Any], answer: Any
):
    monkeypatch.setattr("mediamill.operations.prompt.judging.MAX_STEPS", 20_000)
    with pytest.raises(TooCostly):
        errors_of(checked(schema), answer)


def test_a_long_answer_is_no_matter():
    rows = [{"name": f"n{n}", "age": n} for n in range(10_000)]
    assert errors_of({"items": PERSON, "uniqueItems": True}, rows) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        (' \n[1, "b"]\n', [1, "b"]),
        ("7", 7),
        ('Here is it:\n```json\n{"a": "`"}\n```\nHope that helps!', {"a": "`"}),
        ("~~~\n[1]\n~~~", [1]),
        ("```\nno\n```\n```json\n[2]\n```", [2]),
        ("````\nno\n```json\n  [4]\n  ``` and more", [4]),
        ("~~~~ a\n[5]\n~~~~~", [5]),
        ('Sure [of it]: {"a": {"b": []}} and so on', {"a": {"b": []}}),
        ('<think>x</think>{"a": null}', {"a": None}),
        ('\ufeff{"a": 1}', {"a": 1}),
    ],
)
def test_json_is_found_among_words(text: str, value: Any):
    assert json_in(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "no", '{"a": 1', '{"a": NaN}', '{"a": 1, "a": 2}', "[" * 100_000, '{"a": Infinity}',
     "9" * 5_000, "{" * 100_000 + "x", "~" * 20_000 + "\n" + "x\n" * 500_000,
     "```a\n" * 10_001 + "x"],
)  # fmt: skip
def test_what_is_no_json(text: str):
    with pytest.raises(NoJson):
        json_in(text)


@settings(max_examples=20, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)  # fmt: skip
def test_what_is_written_is_what_was_said(value: Any):
    assert json_in(written(value).decode()) == value
    assert json.loads(written("\ud800")) == "\ud800"
