"""DynamoDB behind a proxy that loses answers: a write is made once, and told truly."""

import asyncio
from collections.abc import AsyncIterator

import boto3
import pytest
from tests.contracts.store_contract import DUE, KINDS, Bare, Thing, orders, put, thing
from tests.support.lossy import FAULTS, Lossy, lossy_server, some
from tests.support.places import Servers

from mediamill.core.errors import ConditionFailed, ConfigurationError, Unavailable
from mediamill.core.ids import new_id
from mediamill.store.dynamodb import table, wire
from mediamill.store.dynamodb.store import DynamoStore
from mediamill.store.opening import open_store
from mediamill.store.port import (
    Absent,
    AtMost,
    Check,
    Delete,
    Equals,
    Exists,
    Put,
    Update,
    key_index,
)

WRITE = "TransactWriteItems"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr(wire, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(wire, "LONGEST_WAIT", 0.01)


@pytest.fixture
async def lossy(servers: Servers) -> AsyncIterator[Lossy]:
    async with lossy_server(servers.dynamodb) as lossy:
        yield lossy


@pytest.fixture
async def store(lossy: Lossy) -> AsyncIterator[DynamoStore]:
    url = f"dynamodb://{new_id('lossy')}?region=eu-west-1&lag=0"
    store = await open_store(f"{url}&endpoint=http://127.0.0.1:{lossy.port}", KINDS)
    lossy.only = WRITE
    yield store
    lossy.faults, lossy.drawn = [], lambda: ""
    await store.close()


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_write_whose_answer_is_lost_is_made_once(
    store: DynamoStore, lossy: Lossy, fault: str
):
    async def write(*actions) -> None:
        lossy.faults = [fault, fault]
        await store.transact(*actions)
        assert not lossy.faults

    await write(Put(thing(1), (Absent(),)))
    await write(Update(Thing, ("g", 1), set={"due": 5}, when=(Equals("due", None),)))
    await write(Update(Thing, ("g", 1), add={"count": 1}, when=(AtMost("count", 0),)))
    await write(Update(Thing, ("g", 1), add={"maybe": 3}))
    assert await store.get(Thing, "g", 1) == thing(1, due=5, count=1, maybe=3)
    await write(Delete(Thing, ("g", 1), (Exists(),)))
    await write(Put(thing(1), (Absent(),)), Put(thing(2)), Check(Thing, ("g", 3), (Absent(),)))
    with pytest.raises(ConditionFailed):
        await write(Put(thing(2), (Absent(),)))
    assert await orders(store, key_index(Thing), "g") == [1, 2]


async def test_counting_through_many_faults(store: DynamoStore, lossy: Lossy):
    """Every acknowledged increment is there once; of an unknown one nobody said that it failed."""
    await put(store, thing(1), thing(2))
    lossy.drawn = some(0.3, seed=1)
    acknowledged = unknown = 0

    async def count(n: int) -> None:
        nonlocal acknowledged, unknown
        both = (Update(Thing, ("g", m), add={"count": 1}) for m in (1, 2))
        try:
            await store.transact(*both, Put(thing(100 + n), (Absent(),)))
            acknowledged += 1
        except Unavailable:
            unknown += 1

    for start in range(0, 60, 4):
        await asyncio.gather(*(count(start + n) for n in range(4)))
    lossy.drawn = lambda: ""
    counts = [row.count for row in await store.get_many(Thing, [("g", 1), ("g", 2)])]
    made = len(await orders(store, key_index(Thing), "g")) - 2
    assert counts == [made, made]
    assert acknowledged <= made <= acknowledged + unknown
    assert acknowledged > 40
    assert {fault for _, fault in lossy.seen} >= {*FAULTS}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_service_that_is_away_is_unavailable(store: DynamoStore, lossy: Lossy, fault: str):
    await put(store, thing(1, due=1))
    lossy.only, lossy.drawn = "", lambda: fault
    for call in (
        store.get(Thing, "g", 1),
        store.get_many(Thing, [("g", 1), ("g", 2)]),
        store.query(Thing, DUE, "o"),
        store.transact(Put(thing(1))),
        store.transact(Put(thing(1)), Delete(Bare, ("b",))),
    ):
        with pytest.raises(Unavailable):
            await call


async def test_reads_go_on_through_faults(store: DynamoStore, lossy: Lossy):
    await put(store, *(thing(n, due=n) for n in range(20)))
    lossy.only, lossy.drawn = "", some(0.2, seed=2)
    for _ in range(5):
        assert await orders(store, DUE, "o", limit=7) == [*range(20)]
        assert (await store.get(Thing, "g", 3)).due == 3


async def test_keys_that_are_left_unread_are_asked_for_again(
    store: DynamoStore, monkeypatch: pytest.MonkeyPatch
):
    await put(store, *(thing(n) for n in range(10)))
    ask, asked = store.wire.ask, list[int]()

    async def some_only(operation: str, **arguments):
        ((name, wanted),) = arguments["RequestItems"].items()
        keys = wanted["Keys"]
        asked.append(len(keys))
        answer = await ask(operation, RequestItems={name: wanted | {"Keys": keys[:3]}})
        rest = {name: wanted | {"Keys": keys[3:]}} if keys[3:] else {}
        return answer | {"UnprocessedKeys": rest}

    monkeypatch.setattr(store.wire, "ask", some_only)
    found = await store.get_many(Thing, [("g", n) for n in range(10)])
    assert [row.order for row in found] == [*range(10)]
    assert asked == [10, 7, 4, 1]


# -- opening ----------------------------------------------------------------------------------


@pytest.fixture
def client(servers: Servers):
    return boto3.client("dynamodb", region_name="eu-west-1", endpoint_url=servers.dynamodb)


def url_of(servers: Servers, name: str) -> str:
    return f"dynamodb://{name}?region=eu-west-1&lag=0&endpoint={servers.dynamodb}"


async def test_a_table_is_made_protected_and_opened_again(servers: Servers, client):
    name = new_id("table")
    stores = await asyncio.gather(*(open_store(url_of(servers, name), KINDS) for _ in range(3)))
    found = client.describe_table(TableName=name)["Table"]
    assert found["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert found["DeletionProtectionEnabled"] is True
    kinds = {i["Projection"]["ProjectionType"] for i in found["GlobalSecondaryIndexes"]}
    assert kinds == {"KEYS_ONLY"}
    await put(stores[0], thing(1))
    assert await stores[2].get(Thing, "g", 1) == thing(1)
    for store in stores:
        await store.close()


async def test_a_table_of_a_newer_layout_is_refused(servers: Servers, client):
    name = new_id("table")
    await (await open_store(url_of(servers, name))).close()
    written = client.get_item(TableName=name, Key=table.MARK)["Item"]
    older = {"version": {"N": "1"}, "compatible": {"N": "1"}}
    client.put_item(TableName=name, Item=written | older)
    await (await open_store(url_of(servers, name))).close()  # older programs are refused now
    assert client.get_item(TableName=name, Key=table.MARK)["Item"] == written
    assert int(written["compatible"]["N"]) > 1
    newer = {"version": {"N": str(table.VERSION + 1)}, "compatible": {"N": str(table.VERSION)}}
    client.put_item(TableName=name, Item=table.MARK | newer)
    store = await open_store(url_of(servers, name))  # it can still be used
    await store.require_current()
    newer["compatible"] = newer["version"]
    client.put_item(TableName=name, Item=table.MARK | newer)
    with pytest.raises(ConfigurationError, match="newer mediamill"):
        await store.require_current()
    await store.close()
    with pytest.raises(ConfigurationError, match=r"MEDIAMILL_STORE_URL.*newer mediamill"):
        await open_store(url_of(servers, name))
    kept = client.get_item(TableName=name, Key=table.MARK)["Item"]
    assert kept == table.MARK | newer


async def test_a_table_of_something_else_is_refused(servers: Servers, client):
    name = new_id("table")
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    with pytest.raises(ConfigurationError, match=r"MEDIAMILL_STORE_URL.*something else"):
        await open_store(url_of(servers, name))
    bare = {**table.description(name + "b", protected=False)}
    bare["GlobalSecondaryIndexes"] = bare["GlobalSecondaryIndexes"][:5]
    bare["AttributeDefinitions"] = bare["AttributeDefinitions"][:-2]
    client.create_table(**bare)
    with pytest.raises(ConfigurationError, match="lacks index5"):
        await open_store(url_of(servers, name + "b"))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("dynamodb://t?region=eu-west-1&endpoint=http://127.0.0.1:9", "127.0.0.1:9"),
        ("dynamodb://t", "region"),
        ("dynamodb://?region=eu-west-1", "write dynamodb://"),
        ("dynamodb://t?regoin=eu-west-1", "regoin"),
        ("dynamodb://t?region=eu-west-1&lag=soon", "lag"),
        ("dynamodb://t?region=eu-west-1&protected=perhaps", "protected"),
        ("dynamodb://t?region=Nowhere/at all", "region"),
    ],
)
async def test_what_cannot_be_opened_says_which_setting(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch
):
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(ConfigurationError, match="MEDIAMILL_STORE_URL") as caught:
        await open_store(url)
    assert said.lower() in str(caught.value).lower()


@pytest.mark.parametrize("code", ["UnrecognizedClientException", "AccessDeniedException"])
async def test_refused_credentials(lossy: Lossy, code: str, monkeypatch: pytest.MonkeyPatch):
    from tests.support import lossy as module

    error = module._error
    monkeypatch.setattr(module, "_error", lambda *_: error(400, code))
    lossy.drawn = lambda: "throttled"
    with pytest.raises(
        ConfigurationError, match=rf"MEDIAMILL_STORE_URL.*{code}.*docs/how-to/dynamodb"
    ):
        await open_store(f"dynamodb://t?region=eu-west-1&endpoint=http://127.0.0.1:{lossy.port}")


async def test_without_credentials(monkeypatch: pytest.MonkeyPatch, servers: Servers):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ConfigurationError, match=r"MEDIAMILL_STORE_URL.*credentials"):
        await open_store(url_of(servers, "t-x"))
