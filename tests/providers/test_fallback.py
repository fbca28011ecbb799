"""The chain: order, one deadline, one budget of repeats, and a truthful ledger."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from mediamill.adapters.providers.alone import Alone, Limits, Note, Notes
from mediamill.adapters.providers.fallback import Fallback
from mediamill.adapters.providers.hooks import Outcome
from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.port import Answer, Deadline, Kind, Traits
from mediamill.core.errors import (
    BudgetExceeded,
    InvalidAnswer,
    ProviderRefused,
    ProviderUnavailable,
    QuestionRefused,
    RateLimited,
)
from tests.support.providers.gates import Patient
from tests.support.providers.questions import caption, labels, prompt


class Slept:
    """Sleeps no time, and remembers for how long it was to."""

    def __init__(self):
        self.waits = []

    async def __call__(self, seconds):
        self.waits.append(seconds)


def chain(*addresses, gate=None, ledger=None, **more):
    given = {"gate": gate or Alone(), "ledger": ledger or Notes(), "sleep": Slept(), **more}
    return Fallback([open_provider(a) if isinstance(a, str) else a for a in addresses], **given)


def course(notes: Notes):
    return [(n.provider, "skipped" if n.skipped else n.outcome) for n in notes.attempts]


async def test_the_first_that_answers_is_named():
    notes = Notes()
    asked = chain("echo:a?fault=500*", "echo:b?say=hello", "echo:c", ledger=notes, repeats=0)
    answer = await asked.ask(caption(), Deadline(5))
    assert (answer.provider, answer.text) == ("echo:b", "hello")
    assert course(notes) == [("echo:a", Outcome.UNAVAILABLE), ("echo:b", Outcome.ANSWERED)]
    assert notes.attempts[1].answer == answer


async def test_one_budget_of_repeats_for_the_whole_chain():
    notes = Notes()
    asked = chain("echo:a?fault=500*", "echo:b?fault=503*", "echo:c?fault=500", ledger=notes)
    with pytest.raises(ProviderUnavailable) as raised:
        await asked.ask(caption(), Deadline(30))
    assert [n.provider for n in notes.attempts] == ["echo:a"] * 3 + ["echo:b", "echo:c"]
    told = raised.value.details["tried"]
    assert [one["provider"] for one in told] == [n.provider for n in notes.attempts]
    assert raised.value.message == " ".join(one["message"] for one in told)


async def test_repeats_wait_longer_each_time_and_retry_after_is_kept_to():
    slept = Slept()
    asked = chain("echo:a?fault=500,429:3", gate=Patient(), sleep=slept)
    assert (await asked.ask(caption(), Deadline(30))).provider == "echo:a"
    assert 0.25 <= slept.waits[0] <= 0.5
    assert slept.waits[1] == 3


async def test_a_retry_after_beyond_the_deadline_is_the_next_ones_turn():
    slept = Slept()
    asked = chain("echo:a?fault=429:60", "echo:b", sleep=slept)
    assert (await asked.ask(caption(), Deadline(20))).provider == "echo:b"
    assert slept.waits == []
    with pytest.raises(RateLimited) as raised:
        await chain("echo:a?fault=429:60*", "echo:b?fault=429:40*").ask(caption(), Deadline(20))
    assert raised.value.details["retry_after"] == 40


async def test_who_takes_too_long_is_not_asked_again():
    notes = Notes()
    first = open_provider("echo:a?fault=timeout*")
    first._timeout = 0.05
    answer = await chain(first, "echo:b", ledger=notes).ask(caption(), Deadline(5))
    assert answer.provider == "echo:b"
    assert course(notes) == [("echo:a", Outcome.LOST), ("echo:b", Outcome.ANSWERED)]


@pytest.mark.parametrize(
    ("fault", "outcome", "error"),
    [
        ("empty", Outcome.INVALID, InvalidAnswer),
        ("invalid", Outcome.INVALID, InvalidAnswer),
        ("declined", Outcome.DECLINED, QuestionRefused),
        ("refusal", Outcome.DECLINED, QuestionRefused),
        ("refused", Outcome.REFUSED, ProviderRefused),
        ("reset", Outcome.LOST, ProviderUnavailable),
        ("429", Outcome.LIMITED, RateLimited),
    ],
)
async def test_each_fault_falls_to_the_next_and_is_told(fault, outcome, error):
    def check(answer):
        if not answer.text:
            raise InvalidAnswer("It is empty.")

    notes, question = Notes(), caption(check=check)
    first = f"echo:a?fault={fault}*"
    answer = await chain(first, "echo:b", ledger=notes, repeats=0).ask(question, Deadline(5))
    assert answer.provider == "echo:b"
    assert course(notes)[0] == ("echo:a", outcome)
    with pytest.raises(error):
        await chain(first, repeats=0).ask(question, Deadline(5))


async def test_what_was_paid_for_is_kept_before_it_is_judged():
    def check(answer):
        raise InvalidAnswer("It is too long.")

    notes = Notes()
    with pytest.raises(InvalidAnswer, match=r"too long\. It is too long"):
        await chain("echo:a", "echo:b", ledger=notes).ask(caption(check=check), Deadline(5))
    assert all(n.answer is not None and n.outcome is Outcome.INVALID for n in notes.attempts)


async def test_objections_are_told_and_the_most_hopeful_error_is_raised():
    notes = Notes()
    asked = chain("echo:a?kinds=text", "echo:b?fault=declined*", "echo:c?fault=500*",
                  ledger=notes, repeats=0)  # fmt: skip
    with pytest.raises(ProviderUnavailable) as raised:
        await asked.ask(labels(), Deadline(5))
    assert [one["outcome"] for one in raised.value.details["tried"]] == [
        "skipped", "declined", "unavailable",
    ]  # fmt: skip
    assert notes.attempts[0].skipped == "echo:a is not asked: it gives no labels."
    with pytest.raises(QuestionRefused):
        await chain("echo:a?kinds=text", "echo:b?images=0").ask(labels(), Deadline(5))
    with pytest.raises(ProviderRefused, match="No provider is set up"):
        await chain().ask(labels(), Deadline(5))


async def test_a_budget_ends_the_chain_at_once():
    class Poor(Notes):
        async def begin(self, provider, question):
            if provider.name == "echo:b":
                raise BudgetExceeded("Nothing is left.")
            return await super().begin(provider, question)

    notes = Poor()
    asked = chain("echo:a?fault=declined", "echo:b", "echo:c", ledger=notes)
    with pytest.raises(BudgetExceeded):
        await asked.ask(caption(), Deadline(5))
    assert [n.provider for n in notes.attempts] == ["echo:a"]


async def test_what_was_answered_before_is_given_again_and_judged():
    class Kept(Notes):
        async def recall(self, provider, question):
            return Answer(provider.name, "m", "old") if provider.name == "echo:a" else None

    def check(answer):
        if answer.text == "old":
            raise InvalidAnswer("It is old.")

    notes = Kept()
    asked = chain("echo:a", "echo:b?say=new", ledger=notes)
    assert (await asked.ask(caption(), Deadline(5))).text == "old"
    assert notes.attempts == []
    assert (await asked.ask(caption(check=check), Deadline(5))).text == "new"
    assert [n.provider for n in notes.attempts] == ["echo:b"]


class Stubborn:
    """Does not keep deadlines, or breaks in a way that the port does not know."""

    name, model, traits = "stubborn", "m", Traits(frozenset(Kind))

    def __init__(self, error=None):
        self.error, self.asked = error, asyncio.Event()

    async def ask(self, question, deadline):
        if self.error:
            raise self.error
        self.asked.set()
        await asyncio.sleep(600)

    async def close(self):
        pass


async def test_the_deadline_holds_whoever_is_asked():
    notes, began = Notes(), time.monotonic()
    asking = chain(Stubborn(), "echo:b", ledger=notes).ask(caption(), Deadline(0.2))
    with pytest.raises(ProviderUnavailable):
        await asyncio.wait_for(asking, 60)
    assert time.monotonic() - began >= 0.2
    assert course(notes) == [("stubborn", Outcome.LOST), ("echo:b", "skipped")]


async def test_a_call_that_is_cancelled_or_breaks_is_not_left_open():
    notes, stubborn = Notes(), Stubborn()
    asking = asyncio.create_task(chain(stubborn, ledger=notes).ask(caption(), Deadline(60)))
    await stubborn.asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with pytest.raises(KeyError):
        await chain(Stubborn(KeyError("x")), ledger=notes).ask(caption(), Deadline(60))
    assert [n.outcome for n in notes.attempts] == [Outcome.LOST] * 2


async def test_a_judge_that_breaks_leaves_no_call_open():
    def check(answer):
        raise KeyError("x")

    notes = Notes()
    with pytest.raises(KeyError):
        await chain("echo:a", ledger=notes).ask(caption(check=check), Deadline(5))
    assert [(n.outcome, n.answer is not None) for n in notes.attempts] == [(Outcome.INVALID, True)]


async def test_a_provider_that_keeps_failing_is_left_alone():
    notes, gate = Notes(), Alone({"echo:a": Limits(failures=2, pause=60)})
    asked = chain("echo:a?fault=500*", "echo:b", gate=gate, ledger=notes, repeats=0)
    for _ in range(4):
        assert (await asked.ask(caption(), Deadline(5))).provider == "echo:b"
    assert [n.outcome for n in notes.attempts if n.provider == "echo:a"] == [
        Outcome.UNAVAILABLE, Outcome.UNAVAILABLE, None, None,
    ]  # fmt: skip
    assert "left alone" in notes.attempts[-2].skipped


async def test_answers_against_the_question_do_not_open_the_circuit():
    """Else one user's impossible schema would take a provider from all."""

    def check(answer):
        raise InvalidAnswer("No answer fits.")

    gate = Alone({"echo:a": Limits(failures=1, pause=60)})
    asked = chain("echo:a", gate=gate)
    with pytest.raises(InvalidAnswer):
        await asked.ask(caption(check=check), Deadline(5))
    assert (await asked.ask(caption(), Deadline(5))).provider == "echo:a"


async def test_a_captioner_that_follows_no_instruction_is_told_so():
    answer = await chain("echo:a?instructed=false").ask(caption(), Deadline(5))
    assert answer.plain
    assert not (await chain("echo:a").ask(caption(), Deadline(5))).plain


async def test_one_who_takes_less_stands_in_where_it_can():
    """It is left out where it cannot, and keeps nobody from asking those before it."""
    notes = Notes()
    asked = chain("echo:a?images=5&long_side=800&fault=500*2", "echo:b?images=0&input_bytes=200",
                  ledger=notes, repeats=1)  # fmt: skip
    traits = asked.traits
    assert (traits.images, traits.long_side, traits.input_bytes) == (5, 800, 400_000)
    with pytest.raises(ProviderUnavailable, match="takes 0 pictures at most"):
        await asked.ask(caption(), Deadline(5))
    assert (await asked.ask(caption(), Deadline(5))).provider == "echo:a"
    assert [n.provider for n in notes.attempts] == ["echo:a", "echo:a", "echo:b", "echo:a"]


async def test_going_on_with_an_answer_may_add_nothing():
    silent = chain("echo:a?fault=empty*")
    with pytest.raises(InvalidAnswer, match="answers nothing"):
        await silent.ask(prompt(), Deadline(5))
    assert (await silent.ask(prompt(begun="All of it"), Deadline(5))).text == ""


async def test_when_to_ask_again_is_told_where_all_said_so():
    class Resting(Alone):
        @asynccontextmanager
        async def enter(self, provider, deadline):
            if provider == "echo:b":
                raise ProviderUnavailable("echo:b is left alone for 40 s.", retry_after=40.0)
            async with super().enter(provider, deadline) as permit:
                yield permit

    async def told(*addresses):
        with pytest.raises(ProviderUnavailable) as raised:
            await chain(*addresses, gate=Resting(), repeats=0).ask(caption(), Deadline(5))
        return raised.value.details.get("retry_after")

    assert await told("echo:a?fault=429:60*", "echo:b") == 40
    assert await told("echo:b", "echo:c?fault=declined*") == 40
    assert await told("echo:a?fault=500*", "echo:b") is None, "the first may answer before"
    assert await told("echo:a?fault=429*") is None


async def test_a_chain_is_a_provider():
    inner = chain("echo:a?fault=500*", "echo:b?images=3&long_side=800", repeats=0)
    outer = chain(inner, "echo:c?images=5&kinds=text")
    assert (inner.traits.images, outer.traits.long_side) == (20, 800)
    assert outer.traits.kinds == frozenset(Kind)
    assert inner.name == "echo:a → echo:b"
    assert (await outer.ask(prompt(), Deadline(5))).provider == "echo:b"
    await outer.close()


def test_notes_begin_open():
    assert Note("a").outcome is None
    assert replace(Note("a"), skipped="no").skipped == "no"
