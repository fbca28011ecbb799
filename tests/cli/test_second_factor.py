"""A second factor at the command line: `mediamill login` asks for it, an operator resets it."""

import asyncio
import time

import pytest
import structlog
from click.testing import CliRunner

from mediamill.app import App
from mediamill.cli.remote.home import read_credentials
from mediamill.cli.root import root
from mediamill.core.clock import FixedClock
from mediamill.core.logs import configure_logging
from mediamill.core.settings import Settings
from mediamill.store.repositories.audit import OPERATOR
from mediamill.web.app import create_app
from tests.support.serving import served
from tests.web.conftest import PASSWORD, person
from tests.web.test_audit import acts
from tests.web.test_factors import turned_on

WHO = ("--email", "ann@example.org")


@pytest.fixture
async def mill(tmp_path):
    async with await App.open(Settings(home=tmp_path / "home", slots=1, min_free_bytes=0)) as app:
        yield app


@pytest.fixture
async def command(mill, tmp_path, monkeypatch):
    """The command line, and recovery codes of Ann's, whose second factor is on."""
    web = create_app(mill)
    clock = FixedClock(time.time_ns() // 1_000_000)
    for service in (mill.people.factors, mill.people.confirming):
        monkeypatch.setattr(service, "clock", clock)
    async with person(web, "ann") as ann, served(web) as port:
        _, codes = await turned_on(ann, clock)
        env = {
            "MEDIAMILL_SERVER": f"http://127.0.0.1:{port}", "MEDIAMILL_MIN_FREE_BYTES": "0",
            "MEDIAMILL_HOME": str(tmp_path / "other"),
        }  # fmt: skip

        async def run(*words, told="", **others):
            """Give a command; return its exit code and what it says."""
            made = await asyncio.to_thread(
                CliRunner().invoke, root, words, input=told, env={**env, **others}
            )
            return made.exit_code, made.output + str(made.exception or "")

        configure_logging("json", "error")  # what the service logs is not the command's output
        yield run, codes
        structlog.reset_defaults()


async def test_login_asks_for_the_code_where_it_is_needed(command, tmp_path):
    run, codes = command
    code, said = await run("login", *WHO, told=f"{PASSWORD}\n{codes[0]}\n")
    assert (code, "Code of your app, or a recovery code" in said) == (0, True), said
    assert read_credentials(tmp_path / "other").token.startswith("mmt_")
    code, said = await run("login", *WHO, "--password-stdin", told=f"{PASSWORD}\n")
    assert (code, "--code" in said) == (3, True), said
    words = ("login", *WHO, "--password-stdin", "--code", codes[1])
    assert (await run(*words, told=f"{PASSWORD}\n"))[0] == 0
    assert (await run(*words, told=f"{PASSWORD}\n"))[0] == 3, "a recovery code is good once"


async def test_the_operator_takes_it_away(mill, command, tmp_path):
    run, _ = command
    here = {"MEDIAMILL_HOME": str(tmp_path / "home")}
    reset = ("admin", "users", "reset-mfa", "ann@example.org")
    assert await run(*reset, **here) == (0, "ann@example.org signs in without a second factor.\n")
    assert (await run("login", *WHO, told=f"{PASSWORD}\n"))[0] == 0
    code, said = await run(*reset, **here)
    assert (code != 0, "has no second factor" in said) == (True, True)
    (act,) = await acts(mill, action="second_factor_reset")
    assert act.actor == OPERATOR
