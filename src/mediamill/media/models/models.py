"""Models that answer: a captioner says what is in pictures, a classifier what they are."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mediamill.core.errors import ProviderRefused
from mediamill.media.models.decoders import OnnxDecoder
from mediamill.media.models.folder import ENCODER, MODEL, ModelFolder
from mediamill.media.models.pictures import Pixels, Processor, processor_of
from mediamill.media.models.plan import Plan, plan_of
from mediamill.media.models.rules import Scores
from mediamill.media.models.searching import Said, Wanted, search
from mediamill.media.models.sessions import EXTRA, Array, Halt, Session

PICTURES = "pixel_values"
MOST_SCORES = 64 << 20
"""Numbers that a decoder without memory gives at a time: a quarter of a gigabyte."""
MOST_REMEMBERED = 8192
"""Tokens that a decoder remembers at a time: 600 MB of GPT-2's smallest."""
USUAL_VOCABULARY = 65_536


@dataclass(frozen=True)
class Caption:
    """What a model says of a picture; `complete` unless it was cut off at its length."""

    text: str
    tokens: tuple[int, ...]
    complete: bool


@dataclass(frozen=True)
class Options:
    """How a model is run; what is None is as its own configuration says."""

    threads: int = 1
    beams: int | None = None
    longest: int | None = None
    """Tokens of a caption, the first among them."""


class Captioner:
    """An encoder of pictures and a decoder of words, such as ViT and GPT-2.

    With `mixes` a caption depends on what else is in its batch, as dynamic quantising makes it.
    """

    def __init__(self, folder: ModelFolder, options: Options) -> None:
        """Load it; raises `ProviderRefused`."""
        plan = planned(folder, options)
        self.plan: Plan = plan
        self._tokenizer = _tokenizer(folder)
        self._cleans = bool(
            folder.config("tokenizer_config.json").get("clean_up_tokenization_spaces", True)
        )
        self._encoder = Session(folder.need(ENCODER), folder.path, options.threads)
        self.processor = _processor(folder, self._encoder)
        self._decoder = OnnxDecoder(folder, options.threads)
        self.mixes = self._encoder.mixes or self._decoder.mixes
        self._check_tokens()

    def captions(
        self, pictures: Sequence[Pixels], longest: Sequence[int], wanted: Wanted, halt: Halt
    ) -> list[Caption | None]:
        """Return a caption for each picture of at most so many tokens, the first among them.

        None stands for one that was not wanted any more. Raises as `Session.run`.
        """
        most = [min(one, self.plan.longest) for one in longest]
        made: list[Caption | None] = []
        for start in range(0, len(pictures), self._rows):
            part = slice(start, start + self._rows)
            made += self._part(pictures[part], most[part], _from(start, wanted), halt)
        return made

    def _part(
        self, pictures: Sequence[Pixels], longest: Sequence[int], wanted: Wanted, halt: Halt
    ) -> list[Caption | None]:
        names = list(self._encoder.outputs)[:1]
        encoded = self._encoder.run(names, {PICTURES: np.stack(pictures)}, halt)[0]
        if encoded.ndim != 3:
            raise ProviderRefused(f"{self._encoder.name} gives no sequence of states.")
        rows = np.repeat(encoded, self.plan.beams, axis=0)
        found = search(self._decoder.begin(rows, halt), self.plan, longest, wanted)
        return [self._caption(said) if said else None for said in found]

    def _caption(self, said: Said) -> Caption:
        return Caption(self.text(said.tokens), said.tokens, said.complete)

    @property
    def _rows(self) -> int:
        """Pictures at a time."""
        if self._decoder.remembers:
            return max(1, MOST_REMEMBERED // (self.plan.beams * self.plan.longest))
        vocabulary = self._decoder.vocabulary or USUAL_VOCABULARY
        return max(1, MOST_SCORES // (self.plan.beams * self.plan.longest * vocabulary))

    def text(self, tokens: Sequence[int]) -> str:
        """Return what tokens say, as the tokenizer's `decode` of Transformers does."""
        said = str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))
        return (clean(said) if self._cleans else said).strip()

    def _check_tokens(self) -> None:
        """Refuse tokens that the model does not have."""
        plan, vocabulary = self.plan, self._decoder.vocabulary
        named = (plan.start, *plan.ends, *plan.forced_last, *plan.suppressed,
                 *plan.suppressed_first, plan.forced_first or 0)  # fmt: skip
        if min(named) < 0 or (vocabulary and max(named) >= vocabulary):
            raise ProviderRefused("The model’s configuration names tokens that it does not have.")

    def close(self) -> None:
        del self._encoder, self._decoder


class Classifier:
    """A model that gives a number for each of its labels; `mixes` as above."""

    def __init__(self, folder: ModelFolder, options: Options) -> None:
        """Load it; raises `ProviderRefused`."""
        config = folder.config("config.json")
        self.names = _names(config)
        self._independent = config.get("problem_type") == "multi_label_classification"
        self._session = Session(folder.need(MODEL), folder.path, options.threads)
        self.mixes = self._session.mixes
        shape = self._session.outputs["logits"].shape if "logits" in self._session.outputs else []
        if len(shape) != 2 or (isinstance(shape[1], int) and shape[1] != len(self.names)):
            raise ProviderRefused(
                f"{self._session.name} gives no score for each of the {len(self.names)} labels in "
                "config.json."
            )
        self.processor = _processor(folder, self._session)

    def labels(self, pictures: Sequence[Pixels], halt: Halt) -> list[list[tuple[str, float]]]:
        """Return every label with its confidence for each picture, the likeliest first.

        Confidences are softmax's, or, where a picture may have several labels, the sigmoid's.
        Raises as `Session.run`.
        """
        given = self._session.run(["logits"], {PICTURES: np.stack(pictures)}, halt)[0]
        if given.shape != (len(pictures), len(self.names)):
            raise ProviderRefused(f"{self._session.name} gives {given.shape[-1]} scores.")
        return [self._ranked(row) for row in confidences(given, independent=self._independent)]

    def _ranked(self, row: Array) -> list[tuple[str, float]]:
        order = np.argsort(-row, kind="stable").tolist()
        return [(self.names[at], float(row[at])) for at in order]

    def close(self) -> None:
        del self._session


def _from(start: int, wanted: Wanted) -> Wanted:
    """Return what counts from a number on."""
    return lambda number: wanted(start + number)


def confidences(logits: Array, *, independent: bool) -> Scores:
    """Return (pictures, labels) from 0 to 1: softmax's, or the sigmoid's of each by itself."""
    values = logits.astype(np.float64)
    if independent:
        return np.asarray(1 / (1 + np.exp(-np.clip(values, -500, 500))), np.float32)
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def planned(folder: ModelFolder, options: Options) -> Plan:
    """Return how a captioner's words are chosen; raises `ProviderRefused`."""
    plan = plan_of(folder.config("generation_config.json"), folder.config("config.json"))
    return plan.with_options(beams=options.beams, longest=options.longest)


def clean(text: str) -> str:
    """Take out blanks that a tokenizer leaves before signs (`clean_up_tokenization` there)."""
    text = re.sub(r" ([.?!,])", r"\1", text).replace(" ' ", "'")
    return re.sub(r" (n't|'m|'s|'ve|'re)", r"\1", text)


def _tokenizer(folder: ModelFolder) -> Any:
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError:
        raise ProviderRefused(
            f"Local captioners need tokenizers, which is not installed. Install {EXTRA}, or run "
            "`make backends` in a clone."
        ) from None
    said = folder.tokenizer()
    try:
        return Tokenizer.from_str(said)
    except BaseException as error:  # the library raises no class of its own, and may panic
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ProviderRefused(f"tokenizer.json cannot be read: {str(error)[:200]}") from None


def _processor(folder: ModelFolder, session: Session) -> Processor:
    """Return the processor of a model's pictures, which lie in the order that it takes them."""
    node = session.inputs.get(PICTURES)
    if node is None or len(session.inputs) != 1 or len(node.shape) != 4:
        raise ProviderRefused(f"{session.name} takes no pictures: it has no input {PICTURES} alone")
    return processor_of(
        folder.config("preprocessor_config.json"),
        last=node.shape[3] == 3 and node.shape[1] != 3,
    )


def _names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the labels in the order of the model's numbers."""
    said = config.get("id2label")
    if not isinstance(said, Mapping) or not said:
        raise ProviderRefused("config.json of the model has no id2label.")
    try:
        by_number = {int(number): str(name) for number, name in said.items()}
    except ValueError:
        raise ProviderRefused("id2label of the model has a key that is no number.") from None
    if sorted(by_number) != list(range(len(by_number))):
        raise ProviderRefused("id2label of the model leaves numbers out.")
    return tuple(by_number[number] for number in range(len(by_number)))
