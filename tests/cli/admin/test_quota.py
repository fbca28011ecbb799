"""`mediamill admin users quota`: shown, given, taken back."""

import asyncio
import json

from click.testing import CliRunner

from mediamill.cli.root import root
from mediamill.core.settings import Settings
from mediamill.store.opening import open_store
from mediamill.store.repositories.allowances import Limits
from mediamill.store.repositories.audit import OPERATOR, Audit
from mediamill.store.repositories.usage import Usages
from mediamill.store.repositories.users import User, Users

ANN = "ann@example.org"


async def test_a_user_is_given_other_limits(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDIAMILL_HOME", str(tmp_path))
    monkeypatch.setenv("MEDIAMILL_QUOTA_FILES", "2000")
    store = await open_store(Settings().store_url)
    await Users(store).add(User(id="user_1", email=ANN, created=1))
    usages = Usages(store, Limits(files=2000))
    await store.transact(*await usages.charge("user_1", 1_200_000, 3))

    async def told(*words):
        result = await asyncio.to_thread(
            CliRunner().invoke, root, ["admin", "users", "quota", *words]
        )
        return result.exit_code, result.output

    try:
        code, text = await told(ANN, "--bytes", "5000000", "--jobs", "0")
        assert code == 0, text
        assert text.splitlines() == [
            "bytes\t1.2 MB\t5.0 MB\town", "files\t3\t2,000", "jobs\t0\tno limit\town",
            "items\t0\tno limit", "requests\t\tno limit",
        ]  # fmt: skip
        code, text = await told("user_1", "--items", "7", "--json")
        assert json.loads(text)["items"] == {"used": 0, "limit": 7, "own": 7}
        assert json.loads(text)["bytes"]["limit"] == 5_000_000
        code, text = await told(ANN, "--reset")
        assert text.splitlines()[0] == "bytes\t1.2 MB\tno limit"
        code, text = await told(ANN, "--reset", "--files", "1")
        assert (code, "Either --reset, or limits." in text) == (2, True)
        assert (await told("eve@example.org"))[0] != 0
        acts = (await Audit(store).search(about="user_1")).rows
        assert [act.action for act in acts] == ["quota_reset", "quota_changed", "quota_changed"]
        assert {act.actor for act in acts} == {OPERATOR}
    finally:
        await store.close()
