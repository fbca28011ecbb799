"""Calls of stores are counted: how long, which failed, and what was asked again."""

import pytest
from botocore.exceptions import ClientError
from psycopg import OperationalError, errors
from tests.support.places import EACH_STORE, POSTGRESQL

from mediamill.core.errors import ConditionFailed, StorageFull, Unavailable
from mediamill.core.metrics import STORE_ERRORS, STORE_RETRIES, STORE_SECONDS
from mediamill.core.numbers import Numbers
from mediamill.core.settings import Settings
from mediamill.store.dynamodb.errors import Collided, translated
from mediamill.store.memory import MemoryStore
from mediamill.store.opening import open_store
from mediamill.store.port import Absent, Check, Put, key_index
from mediamill.store.repositories.users import User
from mediamill.store.sql.postgres.errors import again
from mediamill.store.watching import Counting, Watched

USER = User(id="user_a", email="a@example.org", created=1)


async def test_each_call_is_timed_and_a_condition_that_does_not_hold_is_no_error():
    numbers, store = Numbers(), MemoryStore()
    assert isinstance(store, Watched)
    store.watch = Counting(numbers)
    await store.transact(Put(USER))
    await store.get(User, "user_a")
    await store.query(User, key_index(User), "user_a")
    with pytest.raises(ConditionFailed):
        await store.transact(Check(User, ("user_a",), (Absent(),)))
    times = numbers.times[STORE_SECONDS]
    counted = {labels: sum(seen.buckets) for labels, seen in times.items()}
    assert counted == {("transact",): 2, ("get",): 1, ("query",): 1}
    assert not numbers.counts[STORE_ERRORS]
    with pytest.raises(ValueError, match="same key"):
        await store.transact(Put(USER), Put(USER))
    assert not numbers.counts[STORE_ERRORS], "it was never asked"
    await store.close()
    with pytest.raises(Unavailable):
        await store.get(User, "user_a")
    assert numbers.counts[STORE_ERRORS] == {("get", "unavailable"): 1}


@pytest.mark.places(*EACH_STORE)
async def test_whatever_the_store_its_calls_are_counted(tmp_path):
    store = await open_store(Settings(home=tmp_path).store_url)
    assert isinstance(store, Watched)
    store.watch = Counting(numbers := Numbers())
    await store.transact(Put(USER))
    await store.get(User, "user_a")
    await store.query(User, key_index(User), "user_a")
    await store.close()
    with pytest.raises(Unavailable):
        await store.get(User, "user_a")
    assert {name for (name,) in numbers.times[STORE_SECONDS]} == {"get", "query", "transact"}
    assert numbers.counts[STORE_ERRORS] == {("get", "unavailable"): 1}


@pytest.mark.places(POSTGRESQL)
async def test_claims_in_one_step_are_counted(tmp_path):
    store = await open_store(Settings(home=tmp_path).store_url)
    store.watch = Counting(numbers := Numbers())
    assert await store.claim(("bulk",), "me", 1000) is None
    await store.close()
    with pytest.raises(Unavailable):
        await store.claim(("bulk",), "me", 1000)
    (seen,) = numbers.times[STORE_SECONDS].values()
    assert sum(seen.buckets) == 2
    assert numbers.counts[STORE_ERRORS] == {("claim", "unavailable"): 1}


@pytest.mark.parametrize(
    ("error", "name"),
    [(StorageFull("full"), "full"), (ValueError(), "wrong"), (RuntimeError(), "failed")],
)
def test_errors_have_few_names(error, name):
    numbers = Numbers()
    with pytest.raises(type(error)), Counting(numbers).call("claim"):
        raise error
    assert numbers.counts[STORE_ERRORS] == {("claim", name): 1}


def test_throttles_of_dynamodb_are_told_from_collisions():
    numbers = Numbers()
    busy = ClientError({"Error": {"Code": "ThrottlingException"}}, "GetItem")
    Counting(numbers).again(translated(busy).reason)
    for reasons in (["None", "TransactionConflict"], ["ThrottlingError", "TransactionConflict"]):
        Counting(numbers).again(Collided(reasons).reason)
    assert numbers.counts[STORE_RETRIES] == {("throttled",): 2, ("collided",): 1}


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (errors.DeadlockDetected(), "collided"),
        (errors.SerializationFailure(), "collided"),
        (errors.ReadOnlySqlTransaction(), "failed"),
        (None, "failed"),
        (OperationalError("the connection is closed"), "away"),
    ],
)
def test_why_postgresql_is_asked_again(cause, reason):
    assert again(cause) == reason
