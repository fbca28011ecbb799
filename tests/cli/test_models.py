"""`providers`, `spending` and `jobs attempts` against a service in this process."""

import asyncio
import json
import re

import pytest
import structlog
from click.testing import CliRunner

from mediamill.app import App
from mediamill.cli.root import root
from mediamill.core.logs import configure_logging
from mediamill.core.settings import Settings
from mediamill.web.app import create_app
from tests.support.serving import served, working
from tests.web.conftest import person
from tests.web.test_uploading import PNG

KEY = "sk-not-to-be-shown"
DAYS = re.compile(r"(20\d\d-\d\d-\d\d\t\d+\t\d+\t\$0\.\d\d(\n|$))+")


@pytest.fixture
async def command(tmp_path):
    """The command line of an administrator; it raises with what was said when it fails."""
    settings = Settings(home=tmp_path / "home", slots=1, min_free_bytes=0, user_budget=3.0)
    async with await App.open(settings) as mill, working(mill):
        web = create_app(mill)
        async with person(web, "ann") as ann, served(web) as port:
            env = {
                "MEDIAMILL_SERVER": f"http://127.0.0.1:{port}",
                "MEDIAMILL_TOKEN": ann.token,
                "MEDIAMILL_HOME": str(tmp_path / "other"),
            }

            async def run(*words, code=0, given=None):
                made = await asyncio.to_thread(
                    CliRunner().invoke, root, words, env=env, input=given
                )
                assert made.exit_code == code, made.output
                assert KEY not in made.output
                return made.output.strip()

            configure_logging("json", "error")  # what the service logs is not the command's output
            yield run, ann
            structlog.reset_defaults()


async def test_from_a_provider_to_what_its_calls_cost(command):
    run, ann = command
    price = ("--price", "call=0.01")
    await run("providers", "add", "bad", "echo:b?fault=declined*", *price)
    added = await run("providers", "add", "good", "echo:g", *price, "--key", "-", given=f"{KEY}\n")
    assert added.split("\n")[-1].split("\t") == ["good", "ready", "echo:g"]
    await run("providers", "change", "good", "--concurrency", "3", "--per-minute", "600")
    shown = json.loads(await run("providers", "show", "good", "--json"))
    assert (shown["has_key"], shown["concurrency"], shown["per_minute"]) == (True, 3, 600)
    assert "Give the key anew" in await run(
        "providers", "change", "good", "--option", "say=x", code=3
    )
    assert "nobody" in await run("providers", "chain", "caption")
    assert "bad → good" in await run("providers", "chain", "caption", "bad", "good")
    assert "caption" in (await run("providers", "list")).splitlines()[0]
    assert "A picture of 640 by 480 pixels." in await run("providers", "test", "good")
    assert "will not answer" in await run("providers", "test", "bad", code=1)
    assert "asked again" in await run("providers", "wake", "bad")
    file = (await ann.client.post("/v1/files?name=a.png", content=PNG)).json()["id"]
    created = await run(
        "jobs", "create", "caption", file, "--variants", "concise", "--budget", "1", "--wait",
        "--json",
    )  # fmt: skip
    job = json.loads(created.splitlines()[-1])
    assert (job["state"], job["spending"]["budget"]) == ("succeeded", 1)
    rows = [line.split("\t") for line in (await run("jobs", "attempts", job["id"])).splitlines()]
    assert [(row[0], row[2], row[3], row[5]) for row in rows] == [
        ("0.0", "bad", "declined", "$0.00"), ("0.0", "good", "answered", "$0.01"),
    ]  # fmt: skip
    assert await run("jobs", "attempts", job["id"], "--item", "1") == ""
    told = await run("spending")
    assert "caption\tgood\tg\t1\t0" in told
    assert "$0.02 in 20" in told
    assert "$2.98 is left of $3.00" in told
    assert f"{ann.email}\tcaption" in await run("spending", "--users")
    days = await run("spending", "--days")
    assert DAYS.fullmatch(days), days
    assert DAYS.fullmatch(await run("spending", "--days", "--users"))
    assert f"{ann.id}\t$1.50" in await run("spending", "budget", ann.id, "1.5")
    assert "no limit" in await run("spending", "budget", ann.id, "none")
    assert "$3.00" in await run("spending", "budget", ann.id, "--reset")
    await run("providers", "chain", "caption", "--reset")
    assert "good is removed." in await run("providers", "remove", "good", "bad")
