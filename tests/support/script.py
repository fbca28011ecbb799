"""A chain that answers from a script, as an operation meets it; answers may be cut off."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mediamill.adapters.providers.fallback import judge
from mediamill.adapters.providers.port import Answer, Finish, Kind, Question, Traits, Used

TALKS = Traits(frozenset({Kind.TEXT}), images=20, schema=True, continues=True)

Line = str | tuple[str, Finish] | Exception


@dataclass
class Script:
    """Gives the lines of a script, one a question; a function is asked for each."""

    lines: Iterable[Line] | Callable[[Question], Line]
    traits: Traits = TALKS
    asked: dict[str, Question] = field(default_factory=dict)
    """Questions by their names."""

    async def __call__(self, name: str, question: Question) -> Answer:
        assert name not in self.asked, "a name is a call's own"
        assert not self.traits.objection(question)
        self.asked[name] = question
        told = self.lines
        line = told(question) if callable(told) else [*told][len(self.asked) - 1]
        if isinstance(line, Exception):
            raise line
        text, finish = (line, Finish.END) if isinstance(line, str) else line
        answer = Answer("test:model", "model-1", text, used=Used(10, 5), finish=finish)
        judge(answer.provider, question, answer)
        return answer
