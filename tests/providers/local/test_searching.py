"""The search gives what a plain loop gives, and what trying everything gives."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from mediamill.core.errors import ProviderRefused
from mediamill.media.models.folder import ModelFolder
from mediamill.media.models.models import Captioner, Options
from mediamill.media.models.plan import Plan, plan_of
from mediamill.media.models.searching import search
from mediamill.media.models.sessions import Halt
from tests.providers.local.building import (
    END,
    SIDE,
    VOCABULARY,
    decoder,
    weights,
    write_captioner,
)

PLAN = Plan(start=0, ends=(1,), longest=6)


class Table:
    """A decoder whose scores follow from what was said: seeded, without arithmetic in common."""

    def __init__(self, seed: int, rows: int, vocabulary: int = 5) -> None:
        self._seed, self._vocabulary, self._rows = seed, vocabulary, np.arange(rows)

    def logits(self, tokens: np.ndarray) -> np.ndarray:
        assert len(tokens) == len(self._rows)
        return np.stack([self.row(one, said) for one, said in zip(self._rows, tokens, strict=True)])

    def row(self, picture: int, said: np.ndarray) -> np.ndarray:
        draws = np.random.default_rng([self._seed, int(picture), *map(int, said)])
        return draws.normal(0, 2, self._vocabulary).astype(np.float32)

    def keep(self, rows: np.ndarray) -> None:
        self._rows = self._rows[rows]


class Repeated(Table):
    """The same for a search by beams: as many rows for each picture."""

    def __init__(self, seed: int, pictures: int, beams: int, vocabulary: int = 5) -> None:
        super().__init__(seed, pictures, vocabulary)
        self._rows = np.repeat(self._rows, beams)


def chance(table: Table, picture: int, plan: Plan, words: tuple[int, ...]) -> float:
    """Return the sum of log probabilities of words."""
    total, said = 0.0, [plan.start]
    for word in words:
        logits = table.row(picture, np.array(said)).astype(np.float64)
        total += logits[word] - np.log(np.exp(logits).sum())
        said.append(word)
    return total


def every_caption(vocabulary: int, longest: int) -> list[tuple[int, ...]]:
    """List all captions: those that end with 1, and those that are cut off."""
    others = [token for token in range(vocabulary) if token != 1]
    found: list[tuple[int, ...]] = []
    for length in range(longest):
        found += [(*words, 1) for words in itertools.product(others, repeat=length)]
    return [one for one in found if len(one) <= longest] + [
        *itertools.product(others, repeat=longest)
    ]


@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0])
def test_with_beams_enough_it_finds_the_best_of_all(penalty: float) -> None:
    """Of every caption of three words, for each picture of a batch."""
    plan = replace(PLAN, longest=4, beams=16, length_penalty=penalty, early_stopping="never")
    captions = every_caption(4, 3)
    for seed in range(8):
        table = Table(seed, 3, 4)
        found = search(Repeated(seed, 3, 16, 4), plan, [4] * 3)
        for picture, said in enumerate(found):
            assert said is not None
            best = max(
                captions,
                key=lambda words: chance(table, picture, plan, words) / len(words) ** penalty,
            )
            assert (*said.tokens, 1)[: len(best)] == best
            assert said.complete is (best[-1] == 1)


def test_greedy_takes_the_likeliest_each_time() -> None:
    for seed in range(20):
        table, limits = Table(seed, 4), [6, 2, 4, 6]
        found = search(Table(seed, 4), PLAN, limits)
        for picture, limit in enumerate(limits):
            said = [0]
            while len(said) < limit and said[1:][-1:] != [1]:
                said.append(int(table.row(picture, np.array(said)).argmax()))
            ended = said[1:][-1:] == [1]
            expected = tuple(said[1:-1] if ended else said[1:])
            assert (found[picture].tokens, found[picture].complete) == (expected, ended)


def test_more_beams_are_not_worse_on_the_whole() -> None:
    """Sums over many pictures: a search by beams is worth its time."""
    plan = replace(PLAN, length_penalty=0.0)
    totals = []
    for beams in (1, 4):
        table = Table(1, 60)
        found = search(Repeated(1, 60, beams), replace(plan, beams=beams), [6] * 60)
        words = [(*one.tokens, 1) if one.complete else one.tokens for one in found if one]
        totals.append(sum(chance(table, n, plan, said) for n, said in enumerate(words)))
    assert totals[1] > totals[0]


def test_what_nobody_waits_for_is_left_out() -> None:
    whole = search(Table(2, 4), PLAN, [6] * 4)
    asked: list[int] = []

    def wanted(picture: int) -> bool:
        asked.append(picture)
        return picture != 1

    some = search(Table(2, 4), PLAN, [6] * 4, wanted)
    assert some[1] is None or len(whole[1].tokens) == 0
    assert [some[n] for n in (0, 2, 3)] == [whole[n] for n in (0, 2, 3)]
    assert asked.count(1) <= 1


@pytest.mark.parametrize("past", [False, True])
def test_a_built_model_says_what_its_arithmetic_says(tmp_path: Path, past: bool) -> None:
    """Greedy, against a loop in NumPy over the same weights, whatever the decoder remembers."""
    different = set()
    for seed in range(6):
        folder = write_captioner(tmp_path / str(seed), past=past, seed=seed)
        model = Captioner(ModelFolder(folder), Options())
        pictures = np.random.default_rng(seed).normal(0, 1, (5, 3, SIDE, SIDE)).astype(np.float32)
        found = model.captions(list(pictures), [9] * 5, lambda _: True, Halt())
        for picture, one in zip(pictures, found, strict=True):
            expected = by_hand(weights(seed), picture)
            assert one is not None
            assert one.tokens == expected[: -1 if expected[-1] == END else None]
            assert one.text == " ".join(chr(97 + token) for token in one.tokens)
            different.add(one.tokens)
    assert len(different) > 5


def test_a_decoder_is_given_its_masks_and_positions(tmp_path: Path) -> None:
    """By the names that exporters use; its scores would be wrong if they were."""
    folder = write_captioner(tmp_path, past=True, seed=2)
    pictures = list(np.random.default_rng(2).normal(0, 1, (5, 3, SIDE, SIDE)).astype(np.float32))
    plain = Captioner(ModelFolder(folder), Options(beams=2))
    expected = plain.captions(pictures, [9] * 5, lambda _: True, Halt())
    assert len({one.tokens for one in expected if one}) > 1
    onnx.save(decoder(weights(2), past=True, masked=True), folder / "decoder_model_merged.onnx")
    masked = Captioner(ModelFolder(folder), Options(beams=2))
    assert masked.captions(pictures, [9] * 5, lambda _: True, Halt()) == expected


def by_hand(known: dict[str, np.ndarray], picture: np.ndarray) -> tuple[int, ...]:
    seen = (picture.mean(axis=2).T @ known["picture"]).mean(axis=0)
    said = [END]
    while len(said) < 9 and said[1:][-1:] != [END]:
        scores = np.tanh(known["words"][said].sum(axis=0) * 0.5 + seen) @ known["out"]
        said.append(int(scores.argmax()))
    return tuple(said[1:])


@pytest.mark.parametrize(
    "said",
    [
        {"max_length": 513},
        {"max_length": 1},
        {"max_length": "long"},
        {"num_beams": 17},
        {"num_beams": 0},
        {"eos_token_id": "end"},
        {"early_stopping": "soon"},
        {"repetition_penalty": 0},
        {"num_beam_groups": 2},
        {"bad_words_ids": [[3]]},
        {"penalty_alpha": 0.6},
    ],
)
def test_what_cannot_be_done_is_refused(said: dict[str, object]) -> None:
    with pytest.raises(ProviderRefused):
        plan_of({"decoder_start_token_id": 1} | said, {})


def test_a_model_without_a_first_token_is_refused() -> None:
    with pytest.raises(ProviderRefused, match="decoder_start_token_id"):
        plan_of({"max_length": 5}, {})


def test_tokens_that_the_model_lacks_are_refused(tmp_path: Path) -> None:
    folder = write_captioner(tmp_path, past=True, eos_token_id=VOCABULARY)
    with pytest.raises(ProviderRefused, match="tokens that it does not have"):
        Captioner(ModelFolder(folder), Options())
