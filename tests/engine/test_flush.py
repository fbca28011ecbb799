"""How many outcomes one transaction holds."""

from mediamill.engine.flush import BYTES_PER_FLUSH, ITEMS_PER_FLUSH, first_of
from mediamill.store.repositories.results import ItemOutcome, Result


def result(item: int, size: int) -> Result:
    return Result(
        job="job_x", stage=0, item=item, generation=1, outcome=ItemOutcome.SUCCEEDED, input="",
        name="", report={"text": "x" * size}, created=0,
    )  # fmt: skip


def test_a_transaction_is_bounded_in_items_and_in_bytes():
    small = [result(n, 10) for n in range(100)]
    assert first_of(small) == small[:ITEMS_PER_FLUSH]
    large = [result(n, BYTES_PER_FLUSH // 5) for n in range(100)]
    assert len(first_of(large)) == 4
    huge = [result(n, 3 * BYTES_PER_FLUSH) for n in range(3)]
    assert first_of(huge) == huge[:1]
    assert first_of([]) == []
