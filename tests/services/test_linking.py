"""Who an issuer's person is, when several ask at once, and when what the issuer says changes."""

import asyncio
from base64 import urlsafe_b64encode

import pytest
from tests.services.test_accounts import CHEAP
from tests.support.mailing import mailed_of

from mediamill.adapters.identity.port import Person
from mediamill.core.access import Principal
from mediamill.core.clock import FixedClock
from mediamill.core.errors import ConditionFailed, Conflict, Forbidden, NotFound, Unauthenticated
from mediamill.services.accounts.federation import Federation
from mediamill.services.accounts.flows import Flows
from mediamill.services.accounts.linking import Linking
from mediamill.services.accounts.passwords import Passwords
from mediamill.services.accounts.people import People
from mediamill.services.accounts.service import Accounts
from mediamill.services.links.signing import Signer, derived
from mediamill.store.memory import MemoryStore
from mediamill.store.port import Update
from mediamill.store.repositories.identities import Identities, Identity, identity_id
from mediamill.store.repositories.users import Role, User, Users

ISSUER = "https://sso.example.org"


class Sso:
    """An issuer that is known by name only: nobody is sent there in these tests."""

    passwords, label, issuer, appoints = True, "SSO", ISSUER, False

    async def begin(self, challenge):
        raise NotImplementedError

    finish = bearer = leaving = probe = begin


def person(subject, **more):
    return Person(ISSUER, subject, **more)


@pytest.fixture
async def store():
    made = MemoryStore()
    yield made
    await made.close()


@pytest.fixture
def clock():
    return FixedClock()


def linking_of(store, clock, **more):
    return Linking(mailed_of(store, clock), Identities(store), clock, Sso(), **more)


@pytest.fixture
def linking(store, clock):
    return linking_of(store, clock)


@pytest.fixture
async def ann(store, clock):
    """Somebody with a password; the installation's first."""
    people = People(Users(store), clock)
    return await people.add(people.named("ann@example.org", password="hash"))


async def test_ten_requests_of_somebody_new_make_one_user(linking, store, ann):
    bea = person("bea", email="bea@example.org")
    tries = [linking.arrived(bea) for _ in range(5)]
    users = await asyncio.gather(*tries, *(linking.bearer(bea) for _ in range(5)))
    ids = {user.id if isinstance(user, User) else user[0].id for user in users}
    assert len(ids) == 1
    assert (await Users(store).by_email("bea@example.org")).id in ids


async def test_one_of_ten_is_the_first(linking):
    users = await asyncio.gather(*(linking.arrived(person(f"p{n}")) for n in range(10)))
    assert sum(user.role is Role.ADMIN for user in users) == 1


async def test_a_program_is_never_the_first(linking):
    user, role = await linking.bearer(person("robot", name="robot"))
    assert (user.role, role, user.email) == (Role.USER, Role.USER, "")
    assert (await linking.arrived(person("ann"))).role is Role.ADMIN


@pytest.mark.parametrize("known", [False, True])
async def test_where_a_group_says_who_administers_nobody_is_first_by_password(store, clock, known):
    """Nor later, when no group says so any more."""
    linking = linking_of(store, clock)
    if known:
        await linking.arrived(person("chief", admin=False))
    assert (await linking.arrived(person("chief", admin=True))).role is Role.ADMIN
    later = Accounts(Users(store), clock, passwords=Passwords(CHEAP))
    assert (await later.register("eve@example.org", "a long secret")).role is Role.USER


@pytest.mark.parametrize("appoints", [False, True])
async def test_who_registers_first_administers_only_where_no_group_says(store, clock, appoints):
    issuer, users = Sso(), Users(store)
    issuer.appoints = appoints
    flows = Flows(Signer(derived("x" * 32), clock), clock)
    federation = Federation(issuer, linking_of(store, clock), users, flows, clock)
    accounts = Accounts(users, clock, passwords=Passwords(CHEAP), federation=federation)
    eve = await accounts.register("eve@example.org", "a long secret")
    assert eve.role is (Role.USER if appoints else Role.ADMIN)


async def test_many_have_no_address(linking):
    users = [await linking.arrived(person(f"p{n}", email="no address")) for n in range(3)]
    assert [user.email for user in users] == ["", "", ""]


@pytest.mark.parametrize("address", ["ann@example.org", "ANN@Example.org", " ann@example.org"])
async def test_an_address_that_somebody_has_opens_nothing(linking, ann, address):
    claimed = person("x", email=address)
    for attempt in (linking.arrived, linking.bearer):
        with pytest.raises(Conflict, match="link this sign-in") as caught:
            await attempt(claimed)
        assert not isinstance(caught.value, ConditionFailed)
    assert (await linking.of(Principal(ann.id), None, 10)).rows == ()
    await linking.link(Principal(ann.id), claimed)
    assert (await linking.arrived(claimed)).id == ann.id
    await linking.link(Principal(ann.id), claimed)  # again does no harm


async def test_registration_can_be_closed(store, clock, ann):
    linking = linking_of(store, clock, registration=False)
    for attempt in (linking.arrived, linking.bearer):
        with pytest.raises(Forbidden):
            await attempt(person("x"))
    await linking.link(Principal(ann.id), person("x"))
    assert (await linking.arrived(person("x"))).id == ann.id


async def test_who_is_disabled_is_nobody(linking, store, ann):
    await linking.link(Principal(ann.id), person("x"))
    await store.transact(Update(User, (ann.id,), set={"disabled": True}))
    for attempt in (linking.arrived(person("x")), linking.bearer(person("x")),
                    linking.link(Principal(ann.id), person("y"))):  # fmt: skip
        with pytest.raises(Unauthenticated):
            await attempt


# -- what changes at the issuer -------------------------------------------------------------------


async def test_an_address_that_changed_is_followed(linking, store, ann):
    before = await linking.arrived(person("bea"))
    await linking.arrived(person("bea", email="bea@example.org"))
    await linking.arrived(person("bea", email="bea@new.example"))
    users = Users(store)
    assert (await users.by_email("bea@new.example")).id == before.id
    assert await users.by_email("bea@example.org") is None
    await linking.arrived(person("bea", email="ann@example.org"))  # which Ann has
    after = await users.get(before.id)
    assert (after.email, after.verified is None) == ("bea@new.example", False)
    assert (await users.by_email("ann@example.org")).id == ann.id


async def test_the_address_of_an_account_with_a_password_stays(linking, store, ann):
    await linking.link(Principal(ann.id), person("ann", email="ann@example.org"))
    await linking.arrived(person("ann", email="ann@new.example"))
    assert (await Users(store).get(ann.id)).email == "ann@example.org"
    assert (await Identities(store).find(ISSUER, "ann")).email == "ann@new.example"


async def test_a_bearer_is_an_administrator_as_long_as_its_token_says_so(linking, ann):
    chief = person("c", admin=True)
    assert (await linking.arrived(chief)).role is Role.ADMIN
    assert (await linking.bearer(chief))[1] is Role.ADMIN
    user, role = await linking.bearer(person("c", admin=False))
    assert (user.role, role) == (Role.ADMIN, Role.USER)
    assert (await linking.arrived(person("c", admin=False))).role is Role.USER
    assert (await linking.bearer(person("c", admin=False)))[0].role is Role.USER


async def test_the_group_takes_back_only_what_it_gave(linking, store, ann):
    await store.transact(Update(User, (ann.id,), set={"password": ""}))
    await linking.link(Principal(ann.id), person("ann", admin=True))
    for admin in (True, False):  # she was one before
        assert (await linking.arrived(person("ann", admin=admin))).role is Role.ADMIN
    bob = await linking.arrived(person("bob", admin=False))
    assert (await linking.arrived(person("bob", admin=True))).role is Role.ADMIN
    await linking.link(Principal(bob.id), person("bob-too"))
    await linking.unlink(Principal(bob.id), identity_id(ISSUER, "bob"))
    assert (await Users(store).get(bob.id)).role is Role.USER


async def test_the_last_administrator_does_not_leave_with_an_identity(linking, store, ann):
    chief = await linking.arrived(person("chief", admin=True))
    await linking.link(Principal(chief.id), person("chief-too"))
    await store.transact(Update(User, (ann.id,), set={"role": Role.USER}))
    with pytest.raises(Conflict, match="last administrator"):
        await linking.unlink(Principal(chief.id), identity_id(ISSUER, "chief"))
    assert (await Users(store).get(chief.id)).role is Role.ADMIN
    assert await Identities(store).find(ISSUER, "chief") is not None


# -- ways in --------------------------------------------------------------------------------------


async def test_two_that_are_removed_at_once_leave_one(linking, store, ann):
    for round_ in range(20):
        bob = await linking.arrived(person(f"a{round_}"))
        await linking.link(Principal(bob.id), person(f"b{round_}"))
        ids = [identity_id(ISSUER, f"{one}{round_}") for one in "ab"]
        tries = [linking.unlink(Principal(bob.id), each) for each in ids]
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert sorted(type(each) for each in answers if each)[:2] == [Conflict]
        assert len((await linking.of(Principal(bob.id), None, 10)).rows) == 1


async def test_a_password_that_goes_meanwhile_was_the_other_way(linking, store, ann, monkeypatch):
    await linking.link(Principal(ann.id), person("ann"))
    found = linking._other_way

    async def meanwhile(*given):
        guards = await found(*given)
        await store.transact(Update(User, (ann.id,), set={"password": ""}))
        return guards

    monkeypatch.setattr(linking, "_other_way", meanwhile)
    with pytest.raises(Conflict):
        await linking.unlink(Principal(ann.id), identity_id(ISSUER, "ann"))
    assert await Identities(store).find(ISSUER, "ann") is not None


async def test_ones_own_only(linking, ann):
    bob = await linking.arrived(person("bob"))
    await linking.link(Principal(bob.id), person("bob-too"))
    with pytest.raises(NotFound):
        await linking.unlink(Principal(ann.id), identity_id(ISSUER, "bob"))
    with pytest.raises(Conflict, match="another account"):
        await linking.link(Principal(ann.id), person("bob"))


async def test_what_another_issuer_said_is_no_way_in(linking, store, ann):
    """Nor does it keep one from leaving."""
    bob = await linking.arrived(person("bob"))
    old = Person("https://old.example.org", "bob")
    await linking.link(Principal(bob.id), old)
    with pytest.raises(Conflict):
        await linking.unlink(Principal(bob.id), identity_id(ISSUER, "bob"))
    await linking.unlink(Principal(bob.id), identity_id(old.issuer, "bob"))


def test_issuer_and_subject_are_told_apart():
    ids = {identity_id(*each) for each in (("a", "b"), ("a", "c"), ("ab", ""), ("", "ab"))}
    assert len(ids) == 4
    assert Identity.key.fields == ("id",)


# -- flows ----------------------------------------------------------------------------------------


class Setting:
    """A secret that changes where it is kept; another server may see that later."""

    setting = "MEDIAMILL_SECRET"

    def __init__(self, text: str) -> None:
        self.text = self.fresh = text
        self.renewals = 0

    async def current(self) -> str:
        return self.text

    async def renewed(self) -> str:
        self.renewals += 1
        self.text = self.fresh
        return self.text


async def test_what_is_no_flow_has_no_secret_looked_up(clock):
    """Whoever comes without one, or with anything, costs no call to where secrets are kept."""
    asked = Setting("x" * 32)
    flows = Flows(Signer(derived("x" * 32), clock, asked), clock)
    begun, kept = await flows.begin("https://mill.test/back", "/")
    short = urlsafe_b64encode(b"x" * 20).decode()
    odd = urlsafe_b64encode(b"x" * 32 + b'["a", 1]').decode()
    for text in ("", "x", "é", "!!!!", "A" * 2_001, short, odd):
        with pytest.raises(Unauthenticated):
            await flows.resume(text, begun.state, "https://mill.test/back")
    assert asked.renewals == 0
    with pytest.raises(Unauthenticated):  # this one another server may have begun
        await flows.resume(("B" if kept[0] == "A" else "A") + kept[1:], begun.state, "")
    assert asked.renewals == 1


async def test_a_flow_survives_that_the_secret_changes(clock):
    one, two = Setting("x" * 32), Setting("x" * 32)
    first, second = (Flows(Signer(derived("x" * 32), clock, each), clock) for each in (one, two))
    begun, kept = await first.begin("https://mill.test/back", "/")
    one.text = one.fresh = two.fresh = "y" * 32
    flow, challenge = await first.resume(kept, begun.state, "https://mill.test/back")
    assert (challenge, flow.back) == (begun, "/")
    begun, kept = await first.begin("https://mill.test/back", "/")
    _, challenge = await second.resume(kept, begun.state, "https://mill.test/back")
    assert challenge == begun
    assert challenge.verifier not in kept
    for state in (begun.state[:16] + "A" * 27, "", "é"):
        with pytest.raises(Unauthenticated):
            await first.resume(kept, state, "https://mill.test/back")
    stranger = Flows(Signer(derived("z" * 32), clock), clock)
    with pytest.raises(Unauthenticated):
        await stranger.resume(kept, begun.state, "https://mill.test/back")
