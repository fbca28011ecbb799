"""Users as the operator sees them: listed, kept out with all that they show, let in again."""

import asyncio
import json

import pytest
from click.testing import CliRunner
from tests.services.test_accounts import CHEAP, accounts, clock, principal_of, tokens_of
from tests.support.places import EACH_STORE

from mediamill.app import App
from mediamill.cli.root import root
from mediamill.core.clock import FixedClock, SystemClock
from mediamill.core.errors import NotFound, Unauthenticated
from mediamill.core.settings import Settings
from mediamill.services.accounts.guessing import ACCOUNT, SESSION, Guessing
from mediamill.services.accounts.passwords import Passwords
from mediamill.services.accounts.roster import Roster
from mediamill.services.accounts.service import Accounts
from mediamill.store.opening import open_store
from mediamill.store.port import Put
from mediamill.store.repositories.audit import NOBODY, OPERATOR, Audit
from mediamill.store.repositories.guesses import Guesses, place_of
from mediamill.store.repositories.users import FIRST_USER, Email, Role, User, Users

__all__ = ["accounts", "clock"]  # fixtures

ANN = "ann@example.org"


async def test_who_is_disabled_is_out_at_once_and_comes_back_by_signing_in(accounts):
    await accounts.register(ANN, "a long secret")
    session = await accounts.login(ANN, "a long secret")
    program = await tokens_of(accounts).issue(await principal_of(accounts), "laptop")
    link = await accounts.sign_in_secret()
    roster = Roster.over(accounts.users, accounts.clock)
    assert (await roster.change("ANN@Example.org", disabled=True)).disabled
    for proof in (accounts.authenticate(session.secret), accounts.authenticate(program.secret),
                  accounts.login(ANN, "a long secret"), accounts.redeem(link),
                  accounts.sign_in_secret()):  # fmt: skip
        with pytest.raises(Unauthenticated):
            await proof
    assert not (await roster.change(session.token.user, disabled=False)).disabled
    for ended in (accounts.authenticate(session.secret), accounts.redeem(link)):
        with pytest.raises(Unauthenticated):
            await ended
    assert await accounts.authenticate(program.secret)
    assert await principal_of(accounts)
    with pytest.raises(NotFound):
        await roster.change("nobody@example.org", disabled=True)


async def test_however_many_sessions_there_are(accounts):
    await accounts.register(ANN, "a long secret")
    first = await accounts.login(ANN, "a long secret")
    for _ in range(120):
        await accounts._sessions.open(await accounts.users.get(first.token.user))
    await Roster.over(accounts.users, accounts.clock).change(ANN, disabled=True)
    kept = await accounts.users.tokens(first.token.user, first.token.kind, None, 1000)
    assert kept.rows == ()


@pytest.mark.parametrize("way", ["added", "given the role", "let in"])
async def test_where_nobody_is_left_who_administers_next_is_the_first(accounts, way):
    """Until then who works at the machine is told what to do, and who registers is nobody."""
    roster, claim = (
        Roster.over(accounts.users, accounts.clock),
        Email(email=FIRST_USER, user=NOBODY),
    )
    await accounts.users.store.transact(Put(claim))  # as an erasure leaves it
    assert (await accounts.register(ANN, "a long secret")).role is Role.USER
    with pytest.raises(Unauthenticated, match="admin users create EMAIL --role admin"):
        await accounts.sign_in_secret()
    if way == "added":
        await roster.add(roster.people.named("bob@example.org").evolve(role=Role.ADMIN))
    else:
        await roster.change(ANN, role=Role.ADMIN, disabled=way == "let in")
        await roster.change(ANN, disabled=False)
    (admin,) = await accounts.users.administrators()
    session = await accounts.redeem(await accounts.sign_in_secret())
    assert session.token.user == admin.id


@pytest.mark.places(*EACH_STORE)
async def test_the_command(tmp_path, monkeypatch, place):
    monkeypatch.setenv("MEDIAMILL_HOME", str(tmp_path))
    store = await open_store(Settings().store_url)
    accounts = Accounts(Users(store), FixedClock(), passwords=Passwords(CHEAP))
    users = [await accounts.register(f"{n}@example.org", "a long secret") for n in ("ann", "bob")]

    async def told(*words):
        result = await asyncio.to_thread(CliRunner().invoke, root, ["admin", "users", *words])
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
        rows = [json.loads(line) for line in text.splitlines()]
        assert {row["email"]: row["disabled"] for row in rows} == {
            ANN: False, "bob@example.org": True}  # fmt: skip
        assert "password" not in text
        code, text = await told("list", "--search", "BO", "--json")
        assert [json.loads(line)["email"] for line in text.splitlines()] == ["bob@example.org"]
        assert await told("role", "bob@example.org", "analyst") == (
            0, "bob@example.org is analyst.\n")  # fmt: skip
        session = await accounts.login(ANN, "a long secret")
        assert await told("end-sessions", ANN) == (0, f"{ANN} is signed out.\n")
        with pytest.raises(Unauthenticated):
            await accounts.authenticate(session.secret)
        ann = await principal_of(accounts)
        made = [await tokens_of(accounts).issue(ann, name) for name in ("one", "two")]
        assert await told("revoke", ANN, made[0].token.id) == (0, "1 revoked.\n")
        code, text = await told("tokens", ANN, "--json")
        assert [json.loads(line)["name"] for line in text.splitlines()] == ["two"]
        assert (await told("revoke", ANN))[0] == 2
        assert await told("revoke", ANN, "--all") == (
            0, f"{ANN} is signed out, and has no API tokens.\n")  # fmt: skip
        assert await told("tokens", ANN) == (0, "")
        for ended in made:
            with pytest.raises(Unauthenticated):
                await accounts.authenticate(ended.secret)
    finally:
        await store.close()


async def test_getting_people_in_without_the_page(tmp_path, monkeypatch):
    """Created, invited, and given a new password, at the machine alone."""
    monkeypatch.setenv("MEDIAMILL_HOME", str(tmp_path))
    store = await open_store(Settings().store_url)
    accounts = Accounts(Users(store), SystemClock())

    async def told(*words, given=None):
        run = CliRunner().invoke
        words = ["admin", "users", *words]
        result = await asyncio.to_thread(run, root, words, input=given)
        assert result.exit_code == 0, result.output + str(result.exception)
        return result.output

    try:
        first, second, third = "a wholly new secret", "and yet another one", "a third one for her"
        said = await told("create", ANN, "--role", "admin", "--password-stdin", given=first)
        assert said.startswith(f"{ANN} is here as admin, user_")
        session = await accounts.login(ANN, first)
        tries = {ACCOUNT: ANN, SESSION: session.token.user}
        await Guessing(Guesses(store), accounts.clock).count([*tries.items()])
        await told("reset-password", ANN, "--password-stdin", given=second)
        places = [place_of(limit.kind, whose) for limit, whose in tries.items()]
        assert await Guesses(store).of(places) == [None, None], "they begin anew"
        for refused in (accounts.authenticate(session.secret), accounts.login(ANN, first)):
            with pytest.raises(Unauthenticated):
                await refused
        await accounts.login(ANN, second)
        await store.transact(Put(User(id="ida", email="", created=0)))  # by an issuer
        link = await told("reset-password", ANN)
        ways_in = [await told("sign-in-link"), await told("sign-in-link", "ida")]
        for words in (["reset-password", "ida"], ["reset-password", "ida", "--password-stdin"]):
            with pytest.raises(AssertionError, match="sign-in-link ida"):
                await told(*words, given=f"{first}\n")
        invited = await told("invite", "bob@example.org", "--role", "analyst")
        issuer = "oidc+https://sso.example.org?client_id=mill&passwords=false"
        monkeypatch.setenv("MEDIAMILL_IDENTITY_URL", issuer)
        for words in (["create", "eve@example.org"], ["invite", "eve@example.org"],
                      ["reset-password", ANN]):  # fmt: skip
            with pytest.raises(AssertionError, match="Passwords are not used here"):
                await told(*words, given=f"{first}\n{first}\n")
        monkeypatch.delenv("MEDIAMILL_IDENTITY_URL")
    finally:
        await store.close()
    async with await App.open(Settings(home=tmp_path, slots=1, min_free_bytes=0)) as mill:
        secrets = [url.strip().partition("/signin?token=")[2] for url in ways_in]
        sessions = [await mill.accounts.redeem(secret) for secret in secrets]
        theirs = [session.token.user for session in sessions]
        assert theirs == [(await mill.accounts.users.by_email(ANN)).id, "ida"]
        await mill.people.recovery.reset(link.strip().rpartition("#")[2], third)
        await mill.accounts.login(ANN, third)
        await mill.people.inviting.accept(invited.strip().rpartition("#")[2], second)
        acts = (await Audit(mill.store).search(actor=OPERATOR, limit=50)).rows
        assert (await mill.accounts.users.by_email("bob@example.org")).role is Role.ANALYST
    assert {act.action for act in acts} == {
        "user_added", "password_set", "password_link_made", "sign_in_link_made",
        "invited"}  # fmt: skip
