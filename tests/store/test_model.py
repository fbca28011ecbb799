"""R17 on SQLite; the soak runs 500 histories of 50 steps: about two minutes."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase
from tests.contracts.store_contract import KINDS
from tests.contracts.store_model import StoresAgree, run

from mediamill.store.sql.sqlite.store import SqliteStore


class SqliteAgrees(StoresAgree):
    async def opened(self) -> SqliteStore:
        self.folder = Path(tempfile.mkdtemp())
        return await SqliteStore.open(self.folder / "store.db", KINDS)

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.folder)


def test_sqlite_is_what_memory_is():
    run(SqliteAgrees, examples=25, steps=30)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_sqlite_is_what_memory_is_for_long():
    run(SqliteAgrees, examples=500, steps=50)


def test_the_comparison_notices_a_difference(monkeypatch):
    """A planted fault: SQLite's counters forget that None counts as 0."""
    from mediamill.store.sql import statements

    original = statements.TableStatements._update

    def faulty(self, change, fresh):
        statement = original(self, change, fresh)
        sql = statement.sql.replace("COALESCE(", "(").replace(", 0) +", ") +")
        return statements.Statement(sql, statement.values, statement.expect)

    monkeypatch.setattr(statements.TableStatements, "_update", faulty)
    with pytest.raises(AssertionError):
        run(SqliteAgrees, examples=40, steps=30, phases=[Phase.generate])
