"""Answers are read in a time that grows with their length, whatever they hold."""

import pytest

from mediamill.adapters.providers.port import Answer
from mediamill.captions.reading import LONGEST_DOCUMENT, document
from mediamill.captions.rules import sentences
from mediamill.core.errors import InvalidAnswer


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}', ' {"a": 1}\n', '```json\n{"a": 1}\n```', "```\n\n{\n\"a\": 1}```\n",
        '```JSON {"a": 1} ```', 'Here: {"a": 1} so', '[{"a": 1}]',
    ],
)  # fmt: skip
def test_a_document_is_found(text):
    assert document(Answer("p", "m", text)) == {"a": 1}


@pytest.mark.parametrize(
    "text",
    ["", "{", "```", "```\n```", "```" + "\n" * 90_000 + "x", "```" + " \n" * 40_000 + "```x",
     "{" * 90_000, '{"a": 1}' + " " * LONGEST_DOCUMENT],
)  # fmt: skip
def test_what_has_none_is_refused_soon(text):
    """With a pattern for the fence, two thousand empty lines took ten seconds."""
    with pytest.raises(InvalidAnswer):
        document(Answer("p", "m", text))


def test_rows_of_stops_are_read_soon():
    """With a pattern that goes back, four thousand took two seconds."""
    assert sentences("!" * 100_000 + "x") == 1
    assert sentences("." * 100_000) == 1
    assert sentences('It is… so?! "Yes." No') == 4
