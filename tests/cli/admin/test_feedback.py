"""What users said, read at the machine."""

import asyncio
import json

from click.testing import CliRunner

from mediamill.cli.root import root
from mediamill.core.settings import Settings
from mediamill.store.opening import open_store
from mediamill.store.port import Put
from mediamill.store.repositories.feedback import Feedback


async def test_it_is_listed_and_marked(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDIAMILL_HOME", str(tmp_path))
    store = await open_store(Settings().store_url)
    said = Feedback(id="feedback_1", user="user_1", text="two\nlines", page="/jobs", created=1)
    await store.transact(Put(said))
    await store.close()

    async def told(*words):
        result = await asyncio.to_thread(CliRunner().invoke, root, ["admin", "feedback", *words])
        return result.exit_code, result.output + str(result.exception or "")

    code, text = await told("list")
    assert (code, "two lines" in text) == (0, True)
    assert await told("done", "feedback_1") == (0, "1 marked as done.\n")
    assert await told("list", "--json") == (0, "")
    code, text = await told("list", "--done", "--json")
    assert json.loads(text)["state"] == "done"
    assert await told("done", "--reopen", "feedback_1") == (0, "1 marked as open.\n")
    code, text = await told("done", "feedback_2")
    assert (code != 0, "no feedback feedback_2" in text) == (True, True)
