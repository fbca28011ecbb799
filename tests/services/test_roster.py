"""Users as the operator sees them: listed, kept out with all that they show, let in again."""

import asyncio
import json

import pytest
from click.testing import CliRunner
from tests.services.test_accounts import CHEAP, accounts, clock, principal_of
from tests.support.places import EACH_STORE

from mediamill.cli.root import root
from mediamill.core.clock import FixedClock
from mediamill.core.errors import NotFound, Unauthenticated
from mediamill.core.settings import Settings
from mediamill.services.accounts.passwords import Passwords
from mediamill.services.accounts.roster import Roster
from mediamill.services.accounts.service import Accounts
from mediamill.store.opening import open_store
from mediamill.store.repositories.users import Users

__all__ = ["accounts", "clock"]  # fixtures

ANN = "ann@example.org"


async def test_who_is_disabled_is_out_at_once_and_comes_back_by_signing_in(accounts):
    await accounts.register(ANN, "a long secret")
    session = await accounts.login(ANN, "a long secret")
    program = await accounts.issue_token(await principal_of(accounts), "laptop")
    link = await accounts.sign_in_secret()
    roster = Roster(accounts.users)
    assert (await roster.disable("ANN@Example.org")).disabled
    for proof in (accounts.authenticate(session.secret), accounts.authenticate(program.secret),
                  accounts.login(ANN, "a long secret"), accounts.redeem(link),
                  accounts.sign_in_secret()):  # fmt: skip
        with pytest.raises(Unauthenticated):
            await proof
    assert not (await roster.enable(session.token.user)).disabled
    for ended in (accounts.authenticate(session.secret), accounts.redeem(link)):
        with pytest.raises(Unauthenticated):
            await ended
    assert await accounts.authenticate(program.secret)
    assert await principal_of(accounts)
    with pytest.raises(NotFound):
        await roster.disable("nobody@example.org")


async def test_however_many_sessions_there_are(accounts):
    await accounts.register(ANN, "a long secret")
    first = await accounts.login(ANN, "a long secret")
    for _ in range(120):
        await accounts._sessions.open(await accounts.users.get(first.token.user))
    await Roster(accounts.users).disable(ANN)
    kept = await accounts.users.tokens(first.token.user, first.token.kind, None, 1000)
    assert kept.rows == ()


@pytest.mark.places(*EACH_STORE)
async def test_the_command(tmp_path, monkeypatch, place):
    monkeypatch.setenv("MEDIAMILL_HOME", str(tmp_path))
    store = await open_store(Settings().store_url)
    accounts = Accounts(Users(store), FixedClock(), passwords=Passwords(CHEAP))
    users = [await accounts.register(f"{n}@example.org", "a long secret") for n in ("ann", "bob")]

    async def told(*words):
        result = await asyncio.to_thread(CliRunner().invoke, root, ["users", *words])
        return result.exit_code, result.output + str(result.exception or "")

    try:
        assert await told("disable", "bob@example.org", users[0].id) == (
            0, "bob@example.org is kept out.\nann@example.org is kept out.\n")  # fmt: skip
        assert await told("enable", ANN) == (0, f"{ANN} may sign in.\n")
        states = [(await accounts.users.get(user.id)).disabled for user in users]
        assert states == [False, True]
        code, text = await told("disable", "eve@example.org")
        assert (code != 0, "no user eve" in text) == (True, True)
        code, text = await told("list", "--json")
        if place.store == "dynamodb":
            assert "cannot list" in text
        else:
            rows = [json.loads(line) for line in text.splitlines()]
            assert {row["email"]: row["disabled"] for row in rows} == {
                ANN: False, "bob@example.org": True}  # fmt: skip
            assert "password" not in text
    finally:
        await store.close()
