"""Accounts over the in-memory store, with a cheap hash where its cost is not the point."""

import asyncio
import statistics
import time

import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from tests.support.mailing import mailed_of

from mediamill.core.access import Principal
from mediamill.core.clock import DAY, HOUR, MINUTE, FixedClock, rfc3339
from mediamill.core.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from mediamill.services.accounts import passwords as passwords_module
from mediamill.services.accounts.passwords import Passwords
from mediamill.services.accounts.service import Accounts
from mediamill.services.accounts.tokens import ApiTokens
from mediamill.store.memory import MemoryStore
from mediamill.store.port import Update
from mediamill.store.repositories.users import Role, Token, TokenKind, User, Users

CHEAP = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
async def accounts(clock):
    store = MemoryStore()
    yield Accounts(Users(store), clock, passwords=Passwords(CHEAP))
    await store.close()


def tokens_of(accounts):
    return ApiTokens(mailed_of(accounts.users.store, accounts.clock))


async def principal_of(accounts, email="ann@example.org", password="a long secret"):
    issued = await accounts.login(email, password)
    return await accounts.authenticate(issued.secret)


async def test_first_user_becomes_administrator_and_only_that_one(accounts):
    first = await accounts.register("Ann@Example.org", "a long secret", "Ann")
    second = await accounts.register("bob@example.org", "a long secret")
    assert (first.role, second.role) == (Role.ADMIN, Role.USER)
    assert first.email == "ann@example.org"


async def test_ten_at_once_give_one_administrator(accounts):
    names = [f"user{n}@example.org" for n in range(10)]
    users = await asyncio.gather(*(accounts.register(name, "a long secret") for name in names))
    assert sum(user.role is Role.ADMIN for user in users) == 1


async def test_one_address_is_taken_once_whatever_its_case(accounts):
    await accounts.register("ann@example.org", "a long secret")
    tries = [accounts.register("ANN@example.ORG", "a long secret") for _ in range(5)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert all(isinstance(outcome, Conflict) for outcome in outcomes)


@pytest.mark.parametrize(
    "address",
    ["", "ann", "@example.org", "ann@", "a b@example.org", "ann@exa\x00mple.org", "a@b@c",
     "ann@example..org", "ann@.org", "x" * 65 + "@example.org", "ann@" + "x" * 64 + ".org",
     "ann@example.org\nBcc: all@example.org", "\ud800@example.org", "<ann@example.org>"],
)  # fmt: skip
async def test_refuses_what_is_no_address(accounts, address):
    with pytest.raises(InvalidInput) as caught:
        await accounts.register(address, "a long secret")
    assert caught.value.details["errors"][0]["pointer"] == "email"


@pytest.mark.parametrize("password", ["", "1234567", "x" * 1025, "\ud800" * 9])
async def test_refuses_passwords_out_of_length(accounts, password):
    with pytest.raises(InvalidInput) as caught:
        await accounts.register("ann@example.org", password)
    assert caught.value.details["errors"][0]["pointer"] == "password"


async def test_long_passwords_differ_after_byte_72(accounts):
    await accounts.register("ann@example.org", "x" * 80 + "1")
    await accounts.login("ann@example.org", "x" * 80 + "1")
    with pytest.raises(Unauthenticated):
        await accounts.login("ann@example.org", "x" * 80 + "2")


async def test_a_password_is_the_same_however_it_was_composed(accounts):
    await accounts.register("ann@example.org", "caf\u00e9 au lait")
    await accounts.login("ann@example.org", "cafe\u0301 au lait")


async def test_registration_can_be_closed(clock):
    accounts = Accounts(Users(MemoryStore()), clock, registration=False, passwords=Passwords(CHEAP))
    with pytest.raises(Forbidden):
        await accounts.register("ann@example.org", "a long secret")


async def test_session_lasts_until_it_expires(accounts, clock):
    await accounts.register("ann@example.org", "a long secret")
    issued = await accounts.login(" ANN@example.org ", "a long secret")
    assert issued.secret.startswith("mms_")
    assert (await accounts.authenticate(issued.secret)).role == "admin"
    clock.advance(14 * DAY)
    with pytest.raises(Unauthenticated):
        await accounts.authenticate(issued.secret)


async def test_logout_ends_this_session_and_no_other(accounts):
    await accounts.register("ann@example.org", "a long secret")
    one, two = [await accounts.login("ann@example.org", "a long secret") for _ in range(2)]
    await accounts.logout(await accounts.authenticate(one.secret), one.secret)
    with pytest.raises(Unauthenticated):
        await accounts.authenticate(one.secret)
    assert await accounts.authenticate(two.secret)


async def test_expired_sessions_do_not_pile_up(accounts, clock):
    user = await accounts.register("ann@example.org", "a long secret")
    for _ in range(3):
        await accounts.login("ann@example.org", "a long secret")
        clock.advance(15 * DAY)
    await accounts.login("ann@example.org", "a long secret")
    kept = await accounts.users.tokens(user.id, TokenKind.SESSION)
    assert len(kept.rows) == 1


async def test_disabled_user_is_out_at_once(accounts):
    user = await accounts.register("ann@example.org", "a long secret")
    issued = await accounts.login("ann@example.org", "a long secret")
    await accounts.users.store.transact(Update(User, (user.id,), set={"disabled": True}))
    with pytest.raises(Unauthenticated):
        await accounts.authenticate(issued.secret)
    with pytest.raises(Unauthenticated):
        await accounts.login("ann@example.org", "a long secret")


@pytest.mark.parametrize("secret", ["", "mms_", "mms_" + "x" * 43, "ä" * 20, "x" * 5000, "\ud800"])
async def test_refuses_invented_secrets(accounts, secret):
    with pytest.raises(Unauthenticated):
        await accounts.authenticate(secret)
    with pytest.raises(Unauthenticated):
        await accounts.redeem(secret)


async def test_no_secret_is_stored(accounts):
    await accounts.register("ann@example.org", "a long secret")
    issued = await accounts.login("ann@example.org", "a long secret")
    user = await accounts.users.by_email("ann@example.org")
    stored = await accounts.users.store.get(Token, issued.token.digest)
    assert issued.secret not in repr(stored)
    assert "a long secret" not in repr(user)


async def test_one_time_link_makes_the_administrator_and_signs_in_once(accounts):
    secret = await accounts.sign_in_secret()
    tries = [accounts.redeem(secret) for _ in range(8)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    sessions = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    assert len(sessions) == 1
    principal = await accounts.authenticate(sessions[0].secret)
    assert (await accounts.profile(principal)).role is Role.ADMIN
    assert (await accounts.register("bob@example.org", "a long secret")).role is Role.USER


async def test_one_time_links_are_for_the_first_user(accounts):
    first = await accounts.register("ann@example.org", "a long secret")
    session = await accounts.redeem(await accounts.sign_in_secret())
    assert session.token.user == first.id


async def test_links_made_at_once_share_one_administrator(accounts):
    secrets = await asyncio.gather(*(accounts.sign_in_secret() for _ in range(5)))
    sessions = [await accounts.redeem(secret) for secret in secrets]
    assert len({session.token.user for session in sessions}) == 1


async def test_one_time_link_expires_and_is_no_session(accounts, clock):
    secret = await accounts.sign_in_secret()
    with pytest.raises(Unauthenticated):
        await accounts.authenticate(secret)
    clock.advance(15 * MINUTE)
    with pytest.raises(Unauthenticated):
        await accounts.redeem(secret)


async def test_api_tokens_are_listed_without_secret_and_revoked(accounts, clock):
    await accounts.register("ann@example.org", "a long secret")
    ann = await principal_of(accounts)
    issued = await tokens_of(accounts).issue(ann, "laptop", 30)
    assert issued.secret.startswith("mmt_")
    assert issued.token.expires == clock.now() + 30 * DAY
    assert [token.id for token in (await tokens_of(accounts).list(ann)).rows] == [issued.token.id]
    assert (await accounts.authenticate(issued.secret)).token == issued.token.id
    await tokens_of(accounts).revoke(ann, issued.token.id)
    with pytest.raises(Unauthenticated):
        await accounts.authenticate(issued.secret)


async def test_a_token_does_not_outlive_what_made_it(accounts, clock):
    await accounts.register("ann@example.org", "a long secret")
    ann = await principal_of(accounts)
    ten = await accounts.authenticate((await tokens_of(accounts).issue(ann, "ten", 10)).secret)
    ever = await accounts.authenticate((await tokens_of(accounts).issue(ann, "ever")).secret)
    assert (await tokens_of(accounts).issue(ever, "x")).token.expires is None
    clock.advance(DAY)
    assert (await tokens_of(accounts).issue(ten, "x", 9)).token.expires == ten.expires
    assert (await tokens_of(accounts).issue(ten, "x")).token.expires == ten.expires
    assert (await tokens_of(accounts).issue(ten, "x", 3)).token.expires == clock.now() + 3 * DAY
    with pytest.raises(InvalidInput) as caught:
        await tokens_of(accounts).issue(ten, "x", 10)
    (told,) = caught.value.details["errors"]
    assert told["pointer"] == "expires_in_days"
    assert rfc3339(ten.expires) in str(told)


async def test_an_issuers_token_makes_none(accounts):
    ann = await accounts.register("ann@example.org", "a long secret")
    with pytest.raises(Forbidden, match="mediamill login"):
        await tokens_of(accounts).issue(Principal(ann.id), "laptop", 1)


async def test_a_token_of_somebody_else_does_not_exist(accounts):
    await accounts.register("ann@example.org", "a long secret")
    await accounts.register("bob@example.org", "a long secret")
    ann, bob = await principal_of(accounts), await principal_of(accounts, "bob@example.org")
    issued = await tokens_of(accounts).issue(ann, "laptop", None)
    with pytest.raises(NotFound):
        await tokens_of(accounts).revoke(bob, issued.token.id)
    assert await accounts.authenticate(issued.secret)


@pytest.mark.parametrize(
    ("name", "days"), [("", 1), ("x" * 101, 1), ("a\nb", 1), ("a", 0), ("a", 9999)]
)
async def test_refuses_bad_token_requests(accounts, name, days):
    await accounts.register("ann@example.org", "a long secret")
    with pytest.raises(InvalidInput):
        await tokens_of(accounts).issue(await principal_of(accounts), name, days)


async def test_outdated_hashes_are_renewed_at_sign_in(accounts):
    await accounts.register("ann@example.org", "a long secret")
    dearer = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=8, parallelism=1),))
    later = Accounts(accounts.users, accounts.clock, passwords=Passwords(dearer))
    await later.login("ann@example.org", "a long secret")
    user = await accounts.users.by_email("ann@example.org")
    assert "t=2" in user.password
    await later.login("ann@example.org", "a long secret")


async def test_a_flood_of_sign_ins_is_refused_not_queued_forever(accounts, monkeypatch):
    monkeypatch.setattr(passwords_module, "MAX_WAITING", 4)
    tries = [accounts.login(f"nobody{n}@example.org", "a long secret") for n in range(20)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds.count(Unavailable) == 16
    assert kinds.count(Unauthenticated) == 4


async def test_unknown_and_known_addresses_take_the_same_time(clock):
    """Compare processor time: what wall time is made of, without the other jobs of the machine."""
    dear = PasswordHash((Argon2Hasher(),))  # those of the product: tests have cheaper ones
    accounts = Accounts(Users(MemoryStore()), clock, passwords=Passwords(dear))
    await accounts.register("ann@example.org", "a long secret")

    async def seconds(email):
        clock.advance(HOUR)  # nobody is throttled
        start = time.process_time()
        with pytest.raises(Unauthenticated) as caught:
            await accounts.login(email, "another secret")
        return time.process_time() - start, caught.value.message

    known, unknown, gap = [], [], 1.0
    while abs(gap) >= 0.01 and len(known) < 45:  # the machine's noise passes, a difference stays
        for _ in range(9):
            known.append(await seconds("ann@example.org"))
            unknown.append(await seconds("nobody@example.org"))
        recent = known[-9:], unknown[-9:]
        medians = [statistics.median(time for time, _ in times) for times in recent]
        gap = medians[0] - medians[1]
    assert abs(gap) < 0.01, f"{gap * 1000:.1f} ms tell whether an address is registered"
    assert {message for _, message in known} == {message for _, message in unknown}
