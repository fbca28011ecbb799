"""Questions that wait for a batch, and answers of any length, as they are kept."""

from decimal import Decimal
from types import SimpleNamespace

import pytest

from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.echo import Echo
from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.port import Answer, Used
from mediamill.adapters.providers.prices import Price
from mediamill.blobs.memory import MemoryBlobs
from mediamill.core.errors import BudgetExceeded, ProviderUnavailable, QuestionRefused
from mediamill.engine.asking.answers import INLINE_BYTES, Answers
from mediamill.engine.asking.batch import Gathering, Questions, collected, refused
from mediamill.engine.asking.booking import Budgets
from mediamill.engine.asking.ledger import worst_cost
from mediamill.engine.asking.panel import Opened
from mediamill.store.repositories.attempts import Attempt, AttemptState
from tests.engine.asking.test_money import called
from tests.support.providers.questions import caption, prompt

HALF = Price(call=Decimal(1), batch=Decimal("0.5"))


def row(reserved: int = 10, **more) -> Attempt:
    return called(reserved, 0).evolve(**more)


def opened(address: str = "echo:m", price: Price | None = None, **more) -> Opened:
    configured = Configured("one", address, **more)
    return Opened(open_provider(Configured("one", address)), configured, price)


def test_pictures_of_questions_that_wait_are_not_in_memory(tmp_path):
    gathering = Gathering(SimpleNamespace(), opened(), tmp_path)
    asked = [caption(instruction=f"Number {n}.") for n in range(3)]
    for n, question in enumerate(asked):
        gathering.add(question, row(item=n))
    kept = gathering.wanted
    assert all(image.data == b"" for one in kept for image in one.question.images)
    questions = Questions(kept)
    assert [*questions] == [(f"{n}/q", question) for n, question in enumerate(asked)]
    assert (len(questions), [*questions[1:]]) == (3, [*questions][1:])


def test_what_goes_as_a_batch(tmp_path):
    reads = opened("echo:m?images=0&kinds=text")
    gathering = Gathering(SimpleNamespace(), reads, tmp_path, over=[(0, 3)])
    assert gathering.takes(prompt(), ())
    assert gathering.takes(prompt(), [row(purse=2)])
    assert not gathering.takes(prompt(), [row(purse=3)]), "once"
    assert gathering.takes(prompt(), [row(purse=3, unit=1)]), "that was another unit's"
    assert not gathering.takes(prompt(begun="It goes"), ()), "what goes on with an answer"
    assert not gathering.takes(caption(), ()), "what the provider cannot be asked"


def test_the_most_that_a_call_can_cost():
    question, free, bounded = caption(), Budgets(), Budgets(job=5)
    priced = opened(price=HALF)
    assert worst_cost(priced, question, bounded) == 1_000_000
    assert worst_cost(priced, question, bounded, batch=True) == 500_000
    assert worst_cost(opened(), question, free, batch=True) == 0
    for batch in (False, True):
        with pytest.raises(BudgetExceeded, match="set its price"):
            worst_cost(opened(), question, bounded, batch=batch)


@pytest.mark.parametrize("length", [10, INLINE_BYTES, 300_000, 2_000_000])
async def test_answers_of_any_length_are_kept_whole(length):
    answers, asked = Answers(MemoryBlobs()), row(state=AttemptState.JOURNALED)
    answer = Answer("one", "m", "ü" * length, used=Used(1, 2))
    kept = await answers.kept(asked, answer)
    assert len(str(kept.answer)) <= 2 * INLINE_BYTES
    assert await answers.of(kept) == answer
    assert await answers.of(kept.evolve(state=AttemptState.INVALID)) is None
    if length >= INLINE_BYTES:
        assert kept.answer["blob"].startswith(f"results/{asked.job}/")
        assert await Answers(MemoryBlobs()).of(kept) is None, "it was purged"


async def test_a_long_answer_does_not_spoil_the_others():
    provider, answers = opened(price=HALF), Answers(MemoryBlobs())
    rows = [row(500_000, item=n, state=AttemptState.ASKED) for n in range(3)]
    found = {"0/q": Answer("one", "m", "a" * 1_000_000), "1/q": "It was not understood."}
    ended = [await collected(one, found, provider, answers, 5) for one in rows]
    assert [(one.state, one.cost) for one in ended] == [
        (AttemptState.JOURNALED, 500_000), (AttemptState.UNAVAILABLE, 0),
        (AttemptState.UNKNOWN, 500_000),
    ]  # fmt: skip
    long = await answers.of(ended[0])
    assert (len(long.text), long.plain) == (1_000_000, False)


def test_a_batch_that_came_to_nothing_costs_nothing_unless_it_may_have():
    asked = row(500, state=AttemptState.ASKED)
    declined = refused(asked, QuestionRefused("no batches here"), 7)
    lost = refused(asked, ProviderUnavailable("given up", lost=True), 7)
    assert (declined.state, declined.cost, declined.ended) == (AttemptState.DECLINED, 0, 7)
    assert (lost.state, lost.cost) == (AttemptState.UNKNOWN, 500)


def test_models_are_told_apart():
    plain, same = opened(), opened()
    assert plain.identity == same.identity
    others = [
        opened("echo:other"), opened(base_url="http://[::1]:9"), opened(options={"say": "no"}),
        opened(region="eu-central-1"),
    ]  # fmt: skip
    assert all(other.identity != plain.identity for other in others)
    assert isinstance(same.provider, Echo)
    same.provider.model = "echo@0123456789ab"
    assert same.identity != plain.identity
