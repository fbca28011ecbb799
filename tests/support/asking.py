"""A chain of providers as an operation meets it, with answers that a test writes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mediamill.adapters.providers.alone import Alone, Notes
from mediamill.adapters.providers.fallback import Fallback
from mediamill.adapters.providers.port import (
    Answer,
    Deadline,
    Finish,
    Kind,
    Label,
    Question,
    Traits,
)
from mediamill.operations.asking import Prepared, PreparedFile
from mediamill.operations.base import Outcome
from mediamill.operations.work import SourceFacts

FOLLOWS = Traits(frozenset({Kind.TEXT, Kind.CAPTION}), images=20, schema=True)
CAPTIONS = Traits(frozenset({Kind.CAPTION}), multilingual=False, instructed=False)
LABELS = Traits(frozenset({Kind.LABELS}), instructed=False)

Said = str | tuple[Label, ...] | Exception


@dataclass
class Says:
    """Answers what it is told, the last again and again; a function is asked what it says."""

    said: Iterable[Said] | Callable[[Question], Said]
    traits: Traits = FOLLOWS
    name: str = "test:model"
    model: str = "model-1"
    finish: Finish = Finish.END
    questions: list[Question] = field(default_factory=list)

    async def ask(self, question: Question, deadline: Deadline) -> Answer:
        self.questions.append(question)
        if callable(self.said):
            found = self.said(question)
        else:
            listed = list(self.said)
            found = listed[min(len(self.questions), len(listed)) - 1]
        if isinstance(found, Exception):
            raise found
        if isinstance(found, tuple):
            return Answer(self.name, self.model, labels=found, finish=self.finish)
        return Answer(self.name, self.model, found, finish=self.finish)

    async def close(self) -> None:
        """Do nothing."""


class Asking:
    """Asks a chain, once for each name; what was answered is given again."""

    def __init__(self, *providers: Says) -> None:
        self.chain = Fallback(providers, gate=Alone(), ledger=Notes())
        self.traits = self.chain.traits
        self.names: list[str] = []
        self.answers: dict[str, Answer] = {}

    async def __call__(self, name: str, question: Question) -> Answer:
        assert name not in self.names, "a name is a call's own"
        self.names.append(name)
        if name not in self.answers:
            self.answers[name] = await self.chain.ask(question, Deadline(5.0))
        return self.answers[name]


def prepared(outcome: Outcome, name: str, folder: Path | None = None) -> Prepared:
    """Return what an operation prepared as its `answer` is given it."""
    files = tuple(
        PreparedFile(file.path, file.name, file.media_type, dict(file.info))
        for file in outcome.files
    )
    return Prepared(name, SourceFacts("image/jpeg", 1), files)
