"""What an operation that asks models is: it prepares an input, asks, and keeps what is answered.

    class Haiku(ModelOperation):
        '''Write a haiku about a picture.'''

        accepts: ClassVar[tuple[str, ...]] = ("image/*",)
        chain: ClassVar[str] = "caption"

        def prepare(self, source: Source, context: Context) -> Outcome:
            return Outcome(files=(sendable(source, context),))

        async def answer(self, prepared: Prepared, ask: Ask, context: Context) -> Outcome:
            said = await ask("haiku", Question(Kind.TEXT, prepared.parts(), "Write a haiku."))
            return Outcome(data={"haiku": said.text, "provider": said.provider})

`prepare` runs in a slot like any media operation. `answer` runs on the worker's event loop: it
awaits `ask` and does nothing else that takes long.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from mediamill.adapters.providers.port import Answer, Image, Part, Question, Text, Traits, Used
from mediamill.operations.base import (
    Context,
    Expected,
    Operation,
    Outcome,
    Placement,
    Source,
    SourceFacts,
)


@dataclass(frozen=True)
class PreparedFile:
    """A file that `prepare` wrote: a picture as it is sent, or UTF-8 text.

    `info` of a picture has `width` and `height`; that of any may have more.
    """

    path: Path
    name: str
    media_type: str
    info: Mapping[str, Any] = field(default_factory=dict)

    def part(self) -> Part:
        """Read it as a part of a question."""
        if self.media_type.startswith("image/"):
            size = int(self.info["width"]), int(self.info["height"])
            return Image(self.path.read_bytes(), self.media_type, *size, name=self.name)
        return Text(self.path.read_text(encoding="utf-8"), self.name)


@dataclass(frozen=True)
class Prepared:
    """An input as `prepare` left it: its name, its facts, its files and its data."""

    name: str
    facts: SourceFacts
    files: tuple[PreparedFile, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    index: int = 0
    """Its place among the job's inputs, from 0."""

    def parts(self) -> tuple[Part, ...]:
        """Read all that is sent; some megabytes, so not longer than it is needed."""
        return tuple(file.part() for file in self.files)


class Ask(Protocol):
    """Asks the step's chain of providers, once for each name in an item, whatever is cut off.

    What was answered and paid for is given again when an item is repeated. Raises what
    `Provider.ask` does, and `BudgetExceeded`.
    """

    @property
    def traits(self) -> Traits:
        """What every provider of the chain can be asked; kinds: what one of them can."""
        ...

    async def __call__(self, name: str, question: Question) -> Answer: ...


class ModelOperation(Operation):
    """An operation on what models say: prepared in a slot, asked from the worker."""

    placement: ClassVar[Placement] = Placement.MODEL
    chain: ClassVar[str] = ""
    """Which of the configured chains of providers is asked where the step names none."""

    @property
    def grouped(self) -> bool:
        """Whether it asks once about all inputs, in `answer_all`, instead of about each."""
        return False

    @property
    def surveys(self) -> bool:
        return self.grouped

    @property
    def applies(self) -> bool:
        return not self.grouped

    @property
    def asked(self) -> tuple[str, ...]:
        """Providers that the step names, in order; none for those of the configured chain."""
        return ()

    def prepare(self, source: Source, context: Context) -> Outcome:
        """Write what is sent of an input; raises what `MediaOperation.run` does.

        `context.agreed` has what the chain takes: `long_side`, `image_bytes`, `images`,
        `input_bytes` (`Traits`).
        """
        raise TypeError(f"{type(self).__name__} does not say what it sends")

    async def answer(self, prepared: Prepared, ask: Ask, context: Context) -> Outcome:
        """Ask, and return what is kept; raises what `ask` does and `InvalidAnswer`."""
        raise TypeError(f"{type(self).__name__} does not say what it asks")

    async def answer_all(self, prepared: Sequence[Prepared], ask: Ask, context: Context) -> Outcome:
        """Ask once about all inputs; else like `answer`."""
        raise TypeError(f"{type(self).__name__} does not ask about many inputs at once")

    def cost(self, source: SourceFacts) -> float:
        return 0.05

    def estimate(self, facts: SourceFacts) -> Used:
        """Return what an input uses at most, roughly; for a dry run."""
        return Used()

    def usual(self, facts: SourceFacts) -> Used:
        """Return what an input uses where the first answers will do, roughly."""
        return self.estimate(facts)

    def estimate_all(self, inputs: Iterable[Expected]) -> Used:
        """Return what all inputs of a job use at most, roughly."""
        used = (self.estimate(one.facts).times(one.count) for one in inputs)
        return sum(used, Used(calls=0))

    def usual_all(self, inputs: Iterable[Expected]) -> Used:
        """Return what all inputs of a job use where the first answers will do, roughly."""
        used = (self.usual(one.facts).times(one.count) for one in inputs)
        return sum(used, Used(calls=0))
