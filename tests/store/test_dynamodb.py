"""The contract on DynamoDB Local and on a second emulator, and R17 beside the memory store."""

import ast
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import pytest_asyncio
from tests.contracts.claims_contract import ClaimsContract, add, everything
from tests.contracts.store_contract import KINDS, StoreContract, Thing
from tests.contracts.store_model import StoresAgree, run
from tests.support.buckets import KEYS
from tests.support.dynamodb import dynamodb_server
from tests.support.places import Servers

import mediamill
from mediamill.core.ids import new_id
from mediamill.store.dynamodb.items import shape_of
from mediamill.store.dynamodb.store import DynamoStore
from mediamill.store.opening import open_store
from mediamill.store.port import Store
from mediamill.store.schema import all_kinds

FEW = 100
"""Items that are removed one by one after a test; of more the table is left alone."""
HARD = {"local": (7, 20), "ministack": (4, 20)}
"""Histories and steps of R17."""


class Tables:
    """Tables of one server; one is used again as long as little is left in it."""

    def __init__(self, kind: str, endpoint: str) -> None:
        self.kind, self.endpoint = kind, endpoint
        self.client = boto3.client("dynamodb", region_name="eu-west-1", endpoint_url=endpoint)
        self.fresh()

    def fresh(self) -> str:
        """Choose a new table; return its URL."""
        self.name = new_id("table")
        return self.url

    @property
    def url(self) -> str:
        return f"dynamodb://{self.name}?region=eu-west-1&lag=0&endpoint={self.endpoint}"

    def clean(self) -> None:
        """Empty the table, or take another one."""
        found = self.client.scan(TableName=self.name, ProjectionExpression="#p, #s", Limit=FEW,
                                 ExpressionAttributeNames={"#p": "_p", "#s": "_s"})  # fmt: skip
        if "LastEvaluatedKey" in found:
            self.fresh()
            return
        for key in found["Items"]:
            self.client.delete_item(TableName=self.name, Key=key)


SECOND = pytest.param("ministack", marks=pytest.mark.soak)  # R17 runs on it always


@pytest.fixture(scope="module")
def tables(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, servers: Servers
) -> Iterator[Tables]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        if request.param == "local":
            yield Tables("local", servers.dynamodb)
            return
        folder: Path = tmp_path_factory.mktemp(request.param)
        with dynamodb_server(request.param, folder) as endpoint:
            yield Tables(request.param, endpoint)


@pytest.mark.parametrize("tables", ["local", SECOND], indirect=True, scope="module")
class TestDynamoDB(StoreContract):
    async def forget(self, store: Store, key: tuple[Any, ...], *fields: str) -> None:
        assert isinstance(store, DynamoStore)
        names = {f"#n{n}": field for n, field in enumerate(fields)}
        await store.wire.ask(
            "update_item",
            TableName=store._table,
            Key=shape_of(Thing).key(key),
            UpdateExpression=f"REMOVE {', '.join(names)}",
            ExpressionAttributeNames=names,
        )

    @pytest_asyncio.fixture
    async def store(self, tables: Tables) -> AsyncIterator[DynamoStore]:
        store = await open_store(tables.url, KINDS)
        yield store
        await store.close()
        tables.clean()


@pytest.mark.parametrize("tables", ["local"], indirect=True, scope="module")
async def test_each_unit_goes_to_one(tables: Tables):
    store = await open_store(tables.fresh())
    await add(store, "ann", 12)
    await add(store, "bob", 12)
    units = await everything(store, tasks=3)
    assert sorted(unit.name for unit in units) == sorted({unit.name for unit in units})
    assert len(units) == 24
    await store.close()


@pytest.mark.soak  # half a minute: who claim from one lane wait for each other
@pytest.mark.parametrize("tables", ["local"], indirect=True, scope="module")
class TestClaims(ClaimsContract):
    @pytest_asyncio.fixture
    async def store(self, tables: Tables) -> AsyncIterator[DynamoStore]:
        store = await open_store(tables.fresh())
        yield store
        await store.close()


# -- R17 --------------------------------------------------------------------------------------


@pytest.fixture
def machine(tables: Tables) -> type[StoresAgree]:
    class DynamoAgrees(StoresAgree):
        async def opened(self) -> DynamoStore:
            return await open_store(tables.fresh(), KINDS)

    return DynamoAgrees


@pytest.mark.parametrize("tables", [*HARD], indirect=True, scope="module")
def test_dynamodb_is_what_memory_is(machine: type[StoresAgree], tables: Tables):
    examples, steps = HARD[tables.kind]
    run(machine, examples=examples, steps=steps)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("tables", [*HARD], indirect=True, scope="module")
def test_dynamodb_is_what_memory_is_for_long(machine: type[StoresAgree]):
    run(machine, examples=500, steps=50)


# -- what is never done -----------------------------------------------------------------------


def test_nothing_scans():
    source = Path(mediamill.__file__).parent
    texts = {file.relative_to(source).as_posix(): file.read_text() for file in source.rglob("*.py")}
    scanning = {
        name
        for name, text in texts.items()
        if "scan" in text and not name.startswith("blobs/")
        for node in ast.walk(ast.parse(text))
        if (isinstance(node, ast.Constant) and node.value == "scan")
        or (isinstance(node, ast.Attribute) and node.attr == "scan")
    }
    assert scanning == set()


def test_what_all_writers_share_is_spread():
    """Whoever adds an index in a partition that is the same for all has to think of this."""
    spread = {i.name: i.shards for kind in all_kinds() for i in kind.indexes if i.shards > 1}
    assert spread == {
        "attempt_job": 4,
        "attempt_day": 4,
        "audit_action": 8,
        "audit_actor": 8,
        "audit_all": 8,
        "caption_fresh": 4,
        "caption_job": 4,
        "caption_listed": 4,
        "caption_state": 4,
        "caption_words_of": 4,
        "daily_all": 8,
        "file_aging": 8,
        "idempotency_expiry": 8,
        "job_failing": 2,
        "job_open": 2,
        "lane_active": 2,
        "origin_aging": 8,
        "project_aging": 2,
        "purse_open": 2,
        "rate_all": 8,
        "result_input": 2,
        "result_outcome": 4,
        "result_root": 4,
        "reuse_job": 4,
        "spent_month": 2,
        "unit_due": 2,
    }
    keys = {kind.table: kind.key.shards for kind in all_kinds() if kind.key.shards > 1}
    assert keys == {"figures": 8, "results": 4, "reuse": 8}
