"""`mediamill webhooks` against a service in this process, with a receiver that takes."""

import asyncio
import json
import time

import pytest
import structlog
from click.testing import CliRunner
from standardwebhooks import Webhook as Verifier

from mediamill.app import App
from mediamill.cli.root import root
from mediamill.core.clock import HOUR, rfc3339
from mediamill.core.logs import configure_logging
from mediamill.core.settings import Settings
from mediamill.web.app import create_app
from tests.support.receivers import receiver
from tests.support.serving import served, working
from tests.web.conftest import person


@pytest.fixture
async def command(tmp_path):
    """The command line, signed in as somebody; it raises with what was said when it fails."""
    settings = Settings(
        home=tmp_path / "home", slots=1, min_free_bytes=0, fetch_allow="127.0.0.1:*"
    )
    async with await App.open(settings) as mill, working(mill):
        web = create_app(mill)
        async with person(web, "ann") as ann, served(web) as port:
            env = {
                "MEDIAMILL_SERVER": f"http://127.0.0.1:{port}",
                "MEDIAMILL_TOKEN": ann.token,
                "MEDIAMILL_HOME": str(tmp_path / "other"),
            }

            async def run(*words, code=0):
                made = await asyncio.to_thread(
                    CliRunner().invoke, root, ["webhooks", *words], env=env
                )
                assert made.exit_code == code, made.output
                return made.output.strip()

            configure_logging("json", "error")  # what the service logs is not the command's output
            yield run
            structlog.reset_defaults()


async def test_from_adding_one_to_removing_it(command):
    async with receiver() as there:
        added = await command("add", there.url("/x"), "--type", "job.*", "--type", "file.created")
        hook, secret = added.split("\t")
        assert secret.startswith("whsec_")
        event = await command("test", hook)
        [got] = await there.wait(1)
        assert got.headers["webhook-id"] == event
        async with asyncio.timeout(60):
            while "delivered" not in (told := await command("deliveries", hook)):
                await asyncio.sleep(0.1)
        assert told.split("\t")[:5] == [event, "webhook.test", "delivered", "1 tries", "204"]
        listed = await command("list")
        assert listed.split("\t") == [hook, "on", "job.* file.created", there.url("/x")]
        assert secret not in listed
        again = await command("replay", hook, event)
        assert again == f"{event} is sent again."
        assert (await there.wait(2))[1].headers["webhook-id"] == event
        fresh = await command("rotate", hook, "--overlap-hours", "1")
        assert fresh.startswith("whsec_")
        assert fresh != secret
        await command("test", hook, "--type", "job.failed")
        await there.wait(3)
        for known in (secret, fresh):
            assert Verifier(known).verify(there.got[2].body, there.got[2].headers)
        assert await command("disable", hook) == f"{hook} is off."
        assert await command("enable", hook) == f"{hook} is on."
        since = rfc3339(int(time.time() * 1000) - HOUR)
        assert "sent again" in await command("replay", hook, "--failed-since", since)
        assert await command("deliveries", hook, "--state", "failed") == ""
        assert "Name events" in await command("replay", hook, code=2)
        row = json.loads(await command("list", "--json"))
        assert (row["id"], row["types"]) == (hook, ["job.*", "file.created"])
        assert await command("remove", hook) == f"{hook} is removed."
        assert await command("list") == ""
    refused = await command("add", "http://10.0.0.1/", code=3)
    assert "MEDIAMILL_FETCH_ALLOW" in refused
