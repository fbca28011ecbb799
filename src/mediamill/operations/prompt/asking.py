"""Have an answer whole: gone on with where it was cut off, put right once where it does not fit.

What is asked is named `answer`, `continue-1` … `continue-7`, `repair`, `repair-continue-1` …: an
item that is repeated is given again what was paid for under these names.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mediamill.adapters.providers.port import Answer, Finish, Question, Text, Used
from mediamill.core.errors import InvalidAnswer, QuestionRefused
from mediamill.operations.asking import Ask
from mediamill.operations.prompt import judging
from mediamill.operations.prompt.answers import NoJson, json_in
from mediamill.operations.prompt.framing import Contents, framed

MAX_CONTINUATIONS = 7
SHOWN = 8_000
"""Characters of errors that are sent back to be put right."""
_REPAIR = (
    "The last two contents above are an answer that was given to what follows, and why it cannot "
    "be used. Give the answer again, whole and put right."
)


@dataclass(frozen=True)
class Said:
    """An answer with all that it was gone on with."""

    text: str
    answers: tuple[Answer, ...]
    truncated: bool
    """Whether it was still cut off when it was not to be gone on with further."""
    value: Any = None
    """The JSON document that it is; None unless one was asked for."""
    repaired: bool = False

    @property
    def used(self) -> Used:
        """What all calls used."""
        return sum((answer.used for answer in self.answers), Used(calls=0))


async def whole(ask: Ask, question: Question, continuations: int, prefix: str = "") -> Said:
    """Ask, and go on with an answer that was cut off; raises what `ask` does."""
    answer = await ask(prefix or "answer", replace(question, check=usable))
    answers, text = [answer], answer.text
    while _goes_on(answer, ask, len(answers) <= continuations):
        name = f"{prefix}-continue-{len(answers)}" if prefix else f"continue-{len(answers)}"
        try:
            answer = await ask(name, replace(question, begun=text.rstrip()))
        except (QuestionRefused, InvalidAnswer):  # it became too long, or will not be gone on with
            break
        answers.append(answer)
        text = joined(text, answer.text)
    return Said(text, tuple(answers), answer.finish is Finish.LENGTH)


def _goes_on(answer: Answer, ask: Ask, more: bool) -> bool:
    cut_off = answer.finish is Finish.LENGTH and bool(answer.text.strip())
    return cut_off and more and ask.traits.continues


def usable(answer: Answer) -> None:
    """Raise `InvalidAnswer` for one that says nothing."""
    if answer.finish is Finish.REFUSED:
        raise InvalidAnswer("The model refused to answer.")
    if not answer.text.strip():
        raise InvalidAnswer("The model answered nothing.")


def joined(begun: str, more: str) -> str:
    """Join an answer with what it was gone on with.

    Models are not shown the white space that an answer was cut off at: some begin with it again.
    """
    return (begun.rstrip() if more[:1].isspace() else begun) + more


async def fitting(
    ask: Ask,
    question: Question,
    contents: Contents,
    schema: dict[str, Any],
    continuations: int,
) -> Said:
    """Ask for a JSON document that fits a schema; one that does not is to be put right, once.

    `contents` are those that the question is about. Raises what `ask` does, and `InvalidAnswer`
    with `errors` for what still does not fit.
    """
    said = await whole(ask, question, continuations)
    value, wrong = await asyncio.to_thread(_read, said.text, schema)
    if not wrong:
        return replace(said, value=value)
    if said.truncated:
        raise InvalidAnswer(
            "The answer was cut off before its JSON document ended: raise max_tokens.", errors=wrong
        )
    repair = _repair(question, contents, said.text, wrong)
    if objection := ask.traits.objection(repair):
        raise InvalidAnswer(
            f"The answer does not fit output_schema, and cannot be sent back: {objection}.",
            errors=wrong,
        )
    again = await whole(ask, repair, continuations, "repair")
    value, wrong = await asyncio.to_thread(_read, again.text, schema)
    if wrong:
        told = wrong[0]
        raise InvalidAnswer(
            f"The answer does not fit output_schema, put right once: {told}", errors=wrong
        )
    answers = (*said.answers, *again.answers)
    return replace(again, answers=answers, value=value, repaired=True)


def _read(text: str, schema: dict[str, Any]) -> tuple[Any, list[str]]:
    """Return the JSON document of an answer and what is wrong with it."""
    try:
        value = json_in(text)
    except NoJson as error:
        return None, [f"/: {error}"]
    return value, judging.errors_of(schema, value)


def _repair(
    question: Question,
    contents: Contents,
    text: str,
    wrong: Sequence[str],
) -> Question:
    told = "\n".join(wrong)[:SHOWN]
    both = [("answer before", [Text(text)]), ("what is wrong with it", [Text(told)])]
    framing = framed([*contents, *both])
    instruction = f"{framing.note}\n\n{_REPAIR}\n\n{question.instruction}"
    return replace(question, parts=framing.parts, instruction=instruction)
