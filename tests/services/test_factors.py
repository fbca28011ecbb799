"""Second factors over a store: codes, what is taken when, and what happens at once."""

import asyncio
import base64
from collections import Counter

import pytest
from tests.support.mailing import mailed_of
from tests.support.places import EACH_STORE

from mediamill.adapters.sealing.keyring import KeyringFile, turned
from mediamill.adapters.sealing.opening import open_sealer
from mediamill.core.clock import MINUTE, SECOND, FixedClock
from mediamill.core.errors import Conflict, InvalidInput, NotFound, SecondFactorRequired
from mediamill.core.settings import Settings
from mediamill.services.accounts.factors import codes
from mediamill.services.accounts.factors.resetting import FactorResets
from mediamill.services.accounts.factors.service import SecondFactors
from mediamill.services.accounts.guessing import Guessing
from mediamill.services.accounts.roster import Roster
from mediamill.services.sealing import Sealing
from mediamill.store.opening import open_store
from mediamill.store.port import Put
from mediamill.store.repositories.factors import Factors
from mediamill.store.repositories.guesses import Guesses
from mediamill.store.repositories.sealing import NotingSealer, Sealings
from mediamill.store.repositories.units import Unit
from mediamill.store.repositories.users import Email, Role, User, Users
from mediamill.store.schema import all_kinds

ANN = User(id="user_1", email="ann@example.org", password="hashed", created=1)
STEP = codes.STEP_SECONDS * SECOND

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_6238 = {
    59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924",
    2000000000: "69279037", 20000000000: "65353130",
}  # fmt: skip
"""Appendix B: eight digits, of which six are the last six."""


class Phone:
    """An authenticator app, which reads its clock."""

    def __init__(self, secret, clock):
        self.secret, self.clock = secret, clock

    def code(self, later: int = 0) -> str:
        return codes.HOTP(base64.b32decode(self.secret), 6, codes.SHA1()).generate(
            self.clock.now() // STEP + later
        ).decode()  # fmt: skip


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
async def second(tmp_path, monkeypatch, place, clock):
    monkeypatch.setenv("MEDIAMILL_HOME", str(tmp_path))
    store = await open_store(Settings().store_url)
    await store.transact(Put(ANN), Put(Email(email=ANN.email, user=ANN.id)))
    sealer = NotingSealer(open_sealer("local:", tmp_path), store)
    users = Users(store)
    guessing = Guessing(Guesses(store), clock)
    mailed = mailed_of(store, clock)
    yield SecondFactors(users, Factors(store), sealer, clock, mailed, guessing)
    await store.close()


@pytest.fixture
async def phone(second, clock):
    """Ann's app, turned on; the code that did it is used."""
    made = await second.begin(ANN)
    phone = Phone(made.secret, clock)
    phone.recovery = await second.turn_on(ANN, phone.code())
    return phone


async def takes(second, code) -> bool:
    try:
        await second.require(ANN, code)
    except SecondFactorRequired:
        return False
    return True


@pytest.mark.parametrize(("seconds", "digits"), RFC_6238.items())
def test_codes_are_those_of_rfc_6238(seconds, digits):
    found = codes.step_of(RFC_SECRET, digits[-6:], seconds * SECOND)
    assert found == seconds // 30


def test_one_step_before_and_after_is_taken_and_no_more():
    code, at = RFC_6238[1111111111][-6:], 1111111111 * SECOND
    for steps, taken in {-3: False, -2: False, -1: True, 0: True, 1: True, 2: False}.items():
        assert (codes.step_of(RFC_SECRET, code, at + steps * STEP) is not None) == taken, steps


@pytest.mark.parametrize(
    "code", ["", "0", "28708", "2870820", "२८७०८२", "\ud800", "287 82", "x" * 6]
)
def test_what_is_no_code_is_none(code):
    assert codes.step_of(RFC_SECRET, code, 59 * SECOND) is None


def test_the_secret_is_long_and_the_address_is_for_apps():
    secret = codes.new_secret()
    assert len(base64.b32decode(secret)) * 8 == 160
    address = codes.otpauth(secret, "mill.example.org", "ann@example.org")
    label, _, query = address.removeprefix("otpauth://totp/").partition("?")
    assert label == "mill.example.org:ann%40example.org"
    told = dict(pair.split("=") for pair in query.split("&"))
    assert told == {
        "secret": secret, "issuer": "mill.example.org", "algorithm": "SHA1", "digits": "6",
        "period": "30",
    }  # fmt: skip


def test_recovery_codes_are_read_however_they_are_typed():
    made = codes.new_recovery_codes()
    assert len(set(made)) == 10
    assert all(len(code.replace("-", "")) * 5 >= 112 for code in made)
    for code in made:
        typed = (code.upper(), code.replace("-", " "), f" {code.replace('-', '')}\n",
                 code.replace("o", "0").replace("l", "1"))  # fmt: skip
        assert {codes.recovery_digest(one) for one in typed} == {codes.recovery_digest(code)}


async def test_nothing_is_asked_until_a_first_code_was_given(second, clock):
    assert await takes(second, "")
    made = await second.begin(ANN)
    assert await takes(second, "")
    with pytest.raises(InvalidInput) as refused:
        await second.turn_on(ANN, "000000" if Phone(made.secret, clock).code() != "000000" else "1")
    assert refused.value.details["errors"][0]["pointer"] == "code"
    assert await takes(second, "")
    await second.turn_on(ANN, Phone(made.secret, clock).code())
    assert not await takes(second, "")
    assert (await second.users.get(ANN.id)).factor == clock.now()


async def test_a_later_set_up_replaces_one_that_waits(second, clock):
    former, made = await second.begin(ANN), await second.begin(ANN)
    with pytest.raises(InvalidInput):
        await second.turn_on(ANN, Phone(former.secret, clock).code())
    clock.advance(31 * MINUTE)
    with pytest.raises(Conflict, match="begin the set-up again"):
        await second.turn_on(ANN, Phone(made.secret, clock).code())


async def test_one_that_is_on_is_not_replaced(second, phone):
    with pytest.raises(Conflict, match="turn it off first"):
        await second.begin(ANN)
    with pytest.raises(Conflict, match="begin the set-up again"):
        await second.turn_on(ANN, phone.code(1))


async def test_a_code_is_taken_once_and_none_before_it(second, phone, clock):
    assert not await takes(second, phone.code()), "the one that turned it on"
    clock.advance(2 * STEP)
    now = phone.code()
    assert await takes(second, f" {now[:3]} {now[3:]} ")
    assert not await takes(second, now)
    assert not await takes(second, phone.code(-1)), "earlier than one that was taken"
    assert await takes(second, phone.code(1))
    clock.advance(STEP)
    assert not await takes(second, phone.code())
    assert not await takes(second, phone.code(-2))


async def test_a_recovery_code_is_taken_once_and_the_former_not(second, phone):
    first, other = phone.recovery[:2]
    assert await takes(second, first.upper())
    assert not await takes(second, first)
    assert (await second.state(ANN)).left == 9
    fresh = await second.renew(ANN)
    assert not await takes(second, other)
    assert await takes(second, fresh[0])
    assert not await takes(second, "abcd-efgh-ijkl-mnop")


async def test_turned_off_everything_of_it_is_gone(second, phone):
    await second.turn_off(ANN)
    assert await takes(second, "")
    assert await second.factors.get(ANN.id) is None
    assert (await second.users.get(ANN.id)).factor is None
    for act in (second.turn_off, second.renew):
        with pytest.raises(Conflict, match="No second factor"):
            await act(ANN)


async def test_mails_tell_of_it(second, phone):
    resets = FactorResets(Roster.over(second.users, second.clock), second.factors, second._mailed)
    await second.turn_off(ANN)
    made = await second.begin(ANN)
    await second.turn_on(ANN, Phone(made.secret, second.clock).code())
    await resets.reset(ANN.email)
    units = [unit for unit in await second.users.store.walk(Unit) if unit.kind == "mail_account"]
    told = Counter((unit.payload["letter"], unit.payload["to"]) for unit in units)
    news = {"factor_on": 2, "factor_off": 1, "factor_reset": 1}
    assert told == {(letter, ANN.id): count for letter, count in news.items()}
    for who, error in ((ANN.email, Conflict), ("eve@example.org", NotFound)):
        with pytest.raises(error):
            await resets.reset(who)


async def test_who_has_no_password_has_none_and_needs_none(second):
    guest = ANN.evolve(password="", role=Role.ADMIN)
    with pytest.raises(Conflict, match="beside a password"):
        await second.begin(guest)
    second.demand = "everybody"
    assert not second.lacks(guest)


@pytest.mark.parametrize(
    ("demand", "who"), [("off", set()), ("admins", {"admin"}), ("everybody", {*Role})]
)
async def test_who_must_have_one(second, demand, who):
    second.demand = demand
    assert {role for role in Role if second.lacks(ANN.evolve(role=role))} == who
    assert not any(second.lacks(ANN.evolve(role=role, factor=1)) for role in Role)


async def test_no_secret_is_stored(second, phone):
    row = await second.factors.get(ANN.id)
    assert phone.secret not in repr(row)
    assert not any(code in repr(row) for code in phone.recovery)


async def test_sealed_anew_it_goes_on(second, phone, clock, tmp_path):
    before = await second.factors.get(ANN.id)
    KeyringFile(tmp_path / "keyring").change(turned)
    second.sealer = NotingSealer(open_sealer("local:", tmp_path), second.users.store)
    done = await Sealing(Sealings(second.users.store, all_kinds()), second.sealer).reseal()
    assert (done.done, done.broken) == (1, [])
    assert (await second.factors.get(ANN.id)).sealed_by != before.sealed_by
    clock.advance(STEP)
    assert await takes(second, phone.code())


@pytest.mark.places(*EACH_STORE)
async def test_of_what_is_used_at_once_exactly_one_wins(second, phone, clock):
    clock.advance(STEP)
    one, other, *_ = phone.recovery
    tried = [phone.code()] * 4 + [one] * 4 + [other]
    taken = await asyncio.gather(*(takes(second, code) for code in tried))
    won = Counter(code for code, right in zip(tried, taken, strict=True) if right)
    assert won == {phone.code(): 1, one: 1, other: 1}
    assert (await second.state(ANN)).left == 8


@pytest.mark.places(*EACH_STORE)
async def test_set_up_at_once_one_is_on_with_its_own_codes(second, clock):
    made = await second.begin(ANN)
    code = Phone(made.secret, clock).code()
    outcomes = await asyncio.gather(
        *(second.turn_on(ANN, code) for _ in range(5)), return_exceptions=True
    )
    (recovery,) = [outcome for outcome in outcomes if not isinstance(outcome, Conflict)]
    assert await takes(second, recovery[0])
    await second.turn_off(ANN)
    assert await takes(second, "")
