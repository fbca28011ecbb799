"""Operations that ask models, for tests of what runs them."""

from collections.abc import Sequence
from typing import ClassVar

from mediamill.adapters.providers.port import Answer, Kind, Question, Text, Used
from mediamill.core.errors import InvalidAnswer, InvalidInput
from mediamill.operations.asking import Ask, ModelOperation, Prepared
from mediamill.operations.base import Context, Outcome, Source, SourceFacts


class Say(ModelOperation):
    """Ask something about each file, or once about all."""

    accepts: ClassVar[tuple[str, ...]] = ("image/*", "text/*")
    chain: ClassVar[str] = "prompt"

    questions: int = 1
    longest: int = 10_000
    """Characters of an answer that will do."""
    together: bool = False
    providers: tuple[str, ...] = ()

    @property
    def grouped(self) -> bool:
        return self.together

    @property
    def asked(self) -> tuple[str, ...]:
        return self.providers

    def prepare(self, source: Source, context: Context) -> Outcome:
        if source.size == 1:
            raise InvalidInput("There is nothing in it.")
        with context.output(source.name, "text/plain") as writer:
            writer.write(source.sha256.encode())
        return Outcome(files=(writer.output,), data={"takes": dict(context.agreed or {})})

    async def answer(self, prepared: Prepared, ask: Ask, context: Context) -> Outcome:
        said = []
        for n in range(self.questions):
            question = self._question([prepared], f"{n}")
            said.append((await ask(f"question-{n}", question)).text)
        with context.output(f"{prepared.name}.md", "text/markdown") as writer:
            writer.write("\n".join(said).encode())
        return Outcome(files=(writer.output,), data={"said": said})

    async def answer_all(self, prepared: Sequence[Prepared], ask: Ask, context: Context) -> Outcome:
        said = await ask("all", self._question(prepared, "all"))
        names = [one.name for one in prepared]
        return Outcome(data={"said": said.text, "names": names})

    def _question(self, prepared: Sequence[Prepared], instruction: str) -> Question:
        parts = tuple(part for one in prepared for part in one.parts())
        assert all(isinstance(part, Text) for part in parts)
        return Question(Kind.TEXT, parts, instruction, max_tokens=100, check=self._check)

    def _check(self, answer: Answer) -> None:
        if len(answer.text) > self.longest:
            raise InvalidAnswer("That is too long.")

    def estimate(self, facts: SourceFacts) -> Used:
        return Used(input_tokens=self.questions * 100, output_tokens=self.questions * 100)
