"""label: the surest names, from providers that label and from models that follow instructions."""

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests import media_factory as make
from tests.support.asking import FOLLOWS, LABELS, Asking, Says, prepared

from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.port import Box, Kind, Traits
from mediamill.adapters.providers.port import Label as Named
from mediamill.captions.labels import Labelling
from mediamill.core.errors import InvalidAnswer
from mediamill.operations.base import Context
from mediamill.operations.catalogue import OPERATIONS
from mediamill.operations.label import Label, plugin
from mediamill.operations.work import SourceFacts

DOG = Named("Dog", 0.98, (Box(0.1, 0.2, 0.5, 0.4), Box(0.6, 0.6, 0.405, 0.2)), ("Animal", "Pet"))
GIVEN = (Named("Sand", 0.71), DOG, Named("Cat", 0.5), Named("dog", 0.8), Named("Sea", 0.9))
EITHER = Traits(frozenset({Kind.TEXT, Kind.LABELS}), schema=True)


def labelled(scratch: Path, *providers: Any, **parameters: Any) -> dict[str, Any]:
    path = scratch / "a.png"
    Image.new("RGB", (64, 48), "tan").save(path)
    step = Label(**parameters)
    folder = scratch / f"made-{len(list(scratch.iterdir()))}"
    folder.mkdir()
    made = prepared(step.prepare(make.source(path), Context(folder)), path.name)
    outcome = asyncio.run(step.answer(made, Asking(*providers), Context(folder)))
    assert outcome.data is not None
    return dict(outcome.data)


def test_the_surest_come_first_and_each_once(tmp_path: Path):
    data = labelled(tmp_path, Says([GIVEN], LABELS, name="rekognition:"))
    assert [one["name"] for one in data["labels"]] == ["Dog", "Sea", "Sand"]
    assert data["provider"] == "rekognition:"
    dog = data["labels"][0]
    assert dog["confidence"] == 0.98
    assert dog["parents"] == ["Animal", "Pet"]
    assert dog["boxes"][0] == {"left": 0.1, "top": 0.2, "width": 0.5, "height": 0.4}
    assert dog["boxes"][1]["width"] == 0.4, "a box ends where the picture does"
    assert "boxes" not in data["labels"][1]
    few = labelled(tmp_path, Says([GIVEN], LABELS), max_labels=1, min_confidence=0.95)
    assert [one["name"] for one in few["labels"]] == ["Dog"]
    assert labelled(tmp_path, Says([()], LABELS))["labels"] == []


def test_a_model_that_follows_answers_a_document(tmp_path: Path):
    document = {"labels": [{"name": "Dog", "confidence": 0.9}, {"name": "Cat", "confidence": 0.1}]}
    for traits, kind in ((FOLLOWS, Kind.TEXT), (EITHER, Kind.LABELS)):
        says = Says([json.dumps(document)], traits)
        assert labelled(tmp_path, says)["labels"] == [{"name": "Dog", "confidence": 0.9}]
        assert says.questions[0].kind is kind
        assert says.questions[0].max_labels == 10
        assert says.questions[0].min_confidence == 0.7


BAD = [
    (Named("", 0.9),),
    (Named("Dog", math.nan),),
    (Named("Dog", 1.5),),
    (Named("Dog", -0.1),),
    (Named("<b>Dog</b>", 0.9),),
    (Named("x" * 101, 0.9),),
    (Named("Dog", 0.9, (Box(0.5, 0.5, 0.9, 0.1),)),),
    (Named("Dog", 0.9, (Box(0.5, math.inf, 0.1, 0.1),)),),
    "",
    "no document",
    "{}",
    '{"labels": 3}',
    '{"labels": [{"name": "Dog"}]}',
    '{"labels": [{"name": "Dog", "confidence": "high"}]}',
    '{"labels": [{"name": "Dog", "confidence": true}]}',
    '{"labels": [{"name": "Dog", "confidence": NaN}]}',
    '{"labels": [{"name": "Dog", "confidence": ' + "9" * 4_000 + "}]}",
    '{"labels": [{"name": "Dog", "confidence": -' + "9" * 4_000 + "}]}",
    '{"labels": [[[[]]]]}',
]


@pytest.mark.parametrize("bad", BAD)
def test_an_answer_that_will_not_do_falls_to_the_next(tmp_path: Path, bad: Any):
    good = Says([GIVEN], EITHER, name="b:")
    assert labelled(tmp_path, Says([bad], EITHER), good)["provider"] == "b:"
    with pytest.raises(InvalidAnswer):
        labelled(tmp_path, Says([bad], EITHER))


LABELLED = st.builds(
    Named,
    st.sampled_from(["Dog", "dog", "DOG", "Sea", "Sand", "Cat"]),
    st.floats(0, 1),
    st.lists(
        st.builds(Box, st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 0.5)),
        max_size=3,
    ).map(tuple),
)


@given(st.lists(LABELLED, max_size=12), st.integers(1, 5), st.floats(0, 1))
def test_what_is_kept_keeps_to_what_was_asked(given_: list[Named], most: int, least: float):
    kept = Labelling(most, least).chosen(given_)
    assert len(kept) <= most
    assert all(one.confidence >= least for one in kept)
    assert [*kept] == sorted(kept, key=lambda one: (-one.confidence, one.name))
    assert len({one.name.casefold() for one in kept}) == len(kept)
    left_out = [one for one in given_ if one.confidence >= least]
    if left_out:
        assert kept[0].confidence == max(one.confidence for one in left_out)
    for box in (box for one in kept for box in one.boxes):
        assert 0 <= box.left < box.left + box.width <= 1 + 1e-12
        assert 0 <= box.top < box.top + box.height <= 1 + 1e-12


def test_it_goes_by_the_provider_for_trials(tmp_path: Path):
    provider = open_provider("echo:?labels=Dog:0.98,Grass:0.8,Cat:0.2")
    assert [one["name"] for one in labelled(tmp_path, provider)["labels"]] == ["Dog", "Grass"]


def test_what_it_is():
    assert plugin is Label
    step = OPERATIONS.build("label", {"providers": ["rekognition:"]})
    assert isinstance(step, Label)
    assert step.asked == ("rekognition:",)
    used = step.estimate(SourceFacts("image/jpeg", 1, 4_000, 3_000))
    assert (used.calls, used.images) == (1, 1)
    assert used.output_tokens >= 240
