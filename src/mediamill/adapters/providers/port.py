"""The port of model calls: a question, its answer, and who gives it.

    answer = await provider.ask(question, deadline)

A question is whole in itself: what a backend needs beside it is its own configuration. What comes
from people's files is in `parts` and nowhere else; `system` and `instruction` are ours or those of
whoever asks.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol, runtime_checkable


class Kind(StrEnum):
    """What is asked for.

    `TEXT` follows an instruction. `CAPTION` does too where the model can, else it is whatever the
    model says of the picture. `LABELS` are names with confidences.
    """

    TEXT = "text"
    CAPTION = "caption"
    LABELS = "labels"


@dataclass(frozen=True)
class Text:
    """Text that is asked about; `name` is that of the file it comes from."""

    text: str
    name: str = ""


@dataclass(frozen=True)
class Image:
    """A picture that is asked about, as it is sent: `image/jpeg` or `image/png`, no metadata.

    `width` and `height` in pixels.
    """

    data: bytes
    media_type: str
    width: int
    height: int
    name: str = ""


Part = Text | Image


@dataclass(frozen=True)
class Question:
    """What a provider is asked.

    `instruction` says what to do with the `parts`, and comes after them. With `schema` (JSON
    Schema) the answer is to be a JSON document that fits. `begun` is what was answered so far, to
    be gone on with. `check` raises `InvalidAnswer` for an answer that will not do.
    """

    kind: Kind
    parts: tuple[Part, ...]
    instruction: str = ""
    system: str = ""
    schema: Mapping[str, Any] | None = None
    begun: str = ""
    max_tokens: int = 1024
    temperature: float | None = None
    """From 0 to 1; None leaves it to the model."""
    max_labels: int = 10
    min_confidence: float = 0.7
    check: "Callable[[Answer], None] | None" = field(default=None, compare=False)

    @property
    def images(self) -> tuple[Image, ...]:
        return tuple(part for part in self.parts if isinstance(part, Image))


@dataclass(frozen=True)
class Box:
    """A rectangle: left, upper edge, width and height as parts (0 to 1) of the picture's."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Label:
    """A name for what is in a picture; `confidence` from 0 to 1, `boxes` where it was seen."""

    name: str
    confidence: float
    boxes: tuple[Box, ...] = ()
    parents: tuple[str, ...] = ()
    """Wider names, such as `Animal` of `Dog`."""


class Finish(StrEnum):
    """Why an answer ended: it was complete, `max_tokens` were used, or the model refused."""

    END = "end"
    LENGTH = "length"
    REFUSED = "refused"


@dataclass(frozen=True)
class Used:
    """What a call uses, by which it is paid; `seconds` are of processor or machine time."""

    input_tokens: int = 0
    output_tokens: int = 0
    images: int = 0
    calls: int = 1
    seconds: float = 0.0

    def __add__(self, other: "Used") -> "Used":
        return Used(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.images + other.images,
            self.calls + other.calls,
            self.seconds + other.seconds,
        )

    def times(self, count: int) -> "Used":
        """Return what so many such calls use."""
        return Used(
            self.input_tokens * count,
            self.output_tokens * count,
            self.images * count,
            self.calls * count,
            self.seconds * count,
        )


@dataclass(frozen=True)
class Answer:
    """What was answered, by whom, and what it used.

    `provider` is the name by which the provider that answered is configured, `model` what it says
    that its model is.
    """

    provider: str
    model: str
    text: str = ""
    labels: tuple[Label, ...] = ()
    used: Used = Used()
    finish: Finish = Finish.END
    request: str = ""
    """The provider's own id of the call, for its support."""
    plain: bool = False
    """Whether it follows no instruction: what a captioner says of a picture. The chain says so."""


@dataclass(frozen=True)
class Traits:
    """What a provider can be asked, and how much."""

    kinds: frozenset[Kind]
    images: int = 1
    """The most in one question; 0 for a model that reads text only."""
    long_side: int = 2048
    """Pixels of a picture's longer side, which no picture that is sent exceeds."""
    image_bytes: int = 3_750_000
    input_bytes: int = 400_000
    """Of text, in UTF-8."""
    output_tokens: int = 8192
    schema: bool = False
    """Whether it can be held to a JSON Schema by other means than words."""
    continues: bool = False
    """Whether it goes on with what was begun."""
    multilingual: bool = True
    instructed: bool = True
    """Whether it follows an instruction; a plain captioner says what it says."""

    def objection(self, question: Question) -> str:
        """Say why a question cannot be asked; empty where it can."""
        text = sum(len(p.text.encode()) for p in question.parts if isinstance(p, Text))
        text += len(question.instruction.encode()) + len(question.system.encode())
        text += len(question.begun.encode())
        found = question.images
        why = {
            f"it gives no {question.kind}": question.kind not in self.kinds,
            f"it takes {self.images} pictures at most, not {len(found)}":
                len(found) > self.images,
            f"it takes {self.input_bytes:,} bytes of text at most, not {text:,}":
                text > self.input_bytes,
            f"it takes pictures of {self.image_bytes:,} bytes at most":
                any(len(image.data) > self.image_bytes for image in found),
            f"it takes pictures of {self.long_side:,} pixels at most":
                any(max(image.width, image.height) > self.long_side for image in found),
            "it cannot go on with an answer": bool(question.begun) and not self.continues,
        }  # fmt: skip
        return next((said for said, so in why.items() if so), "")


class Deadline:
    """A moment until which all that is done for a question must be done."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds; 0 when it is over."""
        return max(0.0, self._end - time.monotonic())

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let no time pass in the block: one waits in our own line there, not for a provider."""
        start = time.monotonic()
        try:
            yield
        finally:
            self._end += time.monotonic() - start


@runtime_checkable
class Provider(Protocol):
    """Answers questions.

    `ask` ends before the deadline, whatever the server does: an answer that drips, is endless or
    never begins is cut off there, and none longer than `MOST_BYTES` is read. It neither retries nor
    waits for others. It raises

    - `RateLimited` when asked too often, with `details["retry_after"]` (seconds) where it is told
    - `ProviderUnavailable` for whatever may pass: it is away, hangs, resets, answers 500
    - `ProviderRefused` when it will not answer in this configuration: key, rights, unknown model
    - `QuestionRefused` when it will not answer this question: too large, malformed, not allowed
    - `InvalidAnswer` for an answer that is not what its protocol says

    of which `core/errors.py` draws the tree. None carries a key, nor text of the question.
    """

    name: str
    """By which it is configured and told, such as `bedrock:amazon.nova-lite-v1:0`."""
    model: str
    traits: Traits

    async def ask(self, question: Question, deadline: Deadline) -> Answer: ...

    async def close(self) -> None: ...


@runtime_checkable
class Batches(Protocol):
    """A provider that takes many questions at once, to be answered within hours for less.

    None of them goes on with an answer. Its methods raise what `Provider.ask` does.
    """

    least: ClassVar[int]
    """Questions that a batch has at least."""

    async def submit(self, questions: Sequence[tuple[str, Question]], key: str) -> str:
        """Hand in questions by their id, once for each `key`; return the batch's name.

        Raises `QuestionRefused` or `ProviderRefused` where it was not handed in, nor will be.
        """
        ...

    async def collect(self, batch: str) -> "Mapping[str, Answer | str] | None":
        """Return the answers by id, or why there is none; None while it is worked on.

        Raises `ProviderRefused` for a batch that failed as a whole.
        """
        ...

    async def stop(self, batch: str) -> None:
        """Have a batch worked on no more; one that is over stays as it is."""


@runtime_checkable
class Needing(Protocol):
    """A provider that can be asked only where something is on this machine, such as its model."""

    def lacks(self) -> str:
        """Say what is missing and how to get it, empty where nothing is; asks nobody.

        It reads little, and raises nothing.
        """
        ...


MOST_BYTES = 8 << 20
"""Of an answer as it comes; more is not read."""
