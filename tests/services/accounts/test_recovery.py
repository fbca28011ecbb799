"""Passwords changed and set anew, addresses verified and changed: by links that are good once."""

import asyncio
from dataclasses import dataclass

import pytest
from tests.support.letterbox import Letterbox
from tests.support.places import everywhere

from mediamill.adapters.identity.port import Person
from mediamill.app import App
from mediamill.core.acts import Origin, collecting
from mediamill.core.clock import DAY, HOUR, MINUTE, FixedClock
from mediamill.core.errors import (
    ConfirmationNeeded,
    Conflict,
    Forbidden,
    InvalidInput,
    Throttled,
    Unauthenticated,
    Unavailable,
)
from mediamill.core.settings import Settings
from mediamill.letters.account import AccountNews
from mediamill.services.accounts.commonest import listed
from mediamill.services.accounts.guessing import FORGOTTEN, RESENT, SESSION
from mediamill.store.port import Put, Update
from mediamill.store.repositories.factors import Factor
from mediamill.store.repositories.mails import AN_HOUR
from mediamill.store.repositories.users import Role, Token, User

ANN, NEW = "ann@example.org", "new@example.org"
SECRET, OTHER = "a long enough secret", "another long secret"


@dataclass
class House:
    """A service, its mails and its clock."""

    app: App
    box: Letterbox
    clock: FixedClock

    def __post_init__(self) -> None:
        self.accounts = self.app.accounts
        self.recovery, self.addresses = self.app.people.recovery, self.app.people.addresses

    async def ann(self):
        return await self.app.repositories.users.by_email(ANN)

    async def signed_in(self, email=ANN, password=SECRET):
        issued = await self.accounts.login(email, password)
        return await self.accounts.authenticate(issued.secret), issued.secret

    async def link(self, email=ANN):
        """Ask for a link to set a new password; return its secret."""
        await self.recovery.forgot(email)
        return await self.box.secret()

    async def ended(self, *secrets):
        """Tell of secrets whether each is good for nothing."""
        outcomes = [await outcome(self.accounts.authenticate(secret)) for secret in secrets]
        return [isinstance(one, Unauthenticated) for one in outcomes]


async def outcome(wanted):
    return (await asyncio.gather(wanted, return_exceptions=True))[0]


@pytest.fixture
async def house(tmp_path, monkeypatch):
    settings = Settings(
        home=tmp_path / "home", slots=1, min_free_bytes=0, public_url="https://mill.example.org"
    )
    async with await App.open(settings) as app:
        clock = FixedClock(app.clock.now())
        monkeypatch.setattr(app.clock, "now", clock.now)
        await app.accounts.register("root@example.org", SECRET)
        await app.accounts.register(ANN, SECRET, "Ann")
        yield House(app, Letterbox(app), clock)


# -- a new password by mail ---------------------------------------------------------------------


@everywhere
async def test_who_has_forgotten_sets_a_new_one_once(house):
    _, session = await house.signed_in()
    link = await house.link()
    tries = [house.recovery.reset(link, OTHER) for _ in range(5)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(one) for one in outcomes if isinstance(one, Exception)] == [Unauthenticated] * 4
    assert await house.ended(session) == [True]
    assert isinstance(await outcome(house.recovery.reset(link, SECRET)), Unauthenticated)
    assert isinstance(await outcome(house.accounts.login(ANN, SECRET)), Unauthenticated)
    await house.signed_in(password=OTHER)
    (told,) = await house.box.mails()
    assert (told.to, "was set" in told.subject) == (ANN, True)
    assert (await house.ann()).verified is not None, "who reads the mail has the address"


@everywhere
async def test_the_first_reader_of_an_address_ends_what_who_registered_it_left(house):
    """Tokens, second factor and linked sign-ins, also those that come a moment late."""
    squatter, _ = await house.signed_in()
    tokens, ann = house.app.people.tokens, await house.ann()
    program = (await tokens.issue(squatter, "left behind")).secret
    known = await house.app.people.devices.known(ann.id)
    hook, _ = await house.app.webhooks.add(squatter, "https://example.org/", ["*"])
    here = Person("https://sso.example.org", "squatter")
    await house.app.linking.link(squatter, here)
    factor = Factor(user=ann.id, id="factor_1", secret="", sealed_by="", created=1, since=1)
    await house.app.store.transact(Put(factor), Update(User, (ann.id,), set={"factor": 1}))
    told = [letter.subject.partition(" your account")[0] for letter in await house.box.mails()]
    assert sorted(told) == ["An API token was made for", "Another sign-in was linked to"]
    await house.recovery.reset(await house.link(), OTHER)
    late = (await tokens.issue(squatter, "under way")).secret
    assert await house.ended(program, late) == [True, True]
    there = Person("https://sso.example.org", "other")
    assert isinstance(await outcome(house.app.linking.link(squatter, there)), Unauthenticated)
    ann = await house.ann()
    assert (ann.factor, await house.app.store.get(Factor, ann.id)) == (None, None)
    assert (await house.app.repositories.identities.of(ann.id)).rows == ()
    assert await house.app.people.devices.of(ann, [known]) == ""
    hook = await house.app.webhooks.get(squatter, hook.id)
    assert (hook.enabled, "whose is this" in hook.reason) == (False, True)
    left = (await tokens.list(squatter)).rows
    assert {token.name for token in left} == {"under way"}, "the others are not even listed"
    owner, _ = await house.signed_in(password=OTHER)
    program = (await tokens.issue(owner, "hers")).secret
    await house.recovery.reset(await house.link(), SECRET)
    assert await house.ended(program) == [False], "the address was hers already"


async def test_a_link_is_good_for_half_an_hour(house):
    link = await house.link()
    house.clock.advance(30 * MINUTE)
    assert isinstance(await outcome(house.recovery.reset(link, OTHER)), Unauthenticated)


async def test_a_newer_link_ends_the_one_before(house):
    first, second = await house.link(), await house.link()
    assert isinstance(await outcome(house.recovery.reset(first, OTHER)), Unauthenticated)
    await house.recovery.reset(second, OTHER)


async def test_a_change_of_the_password_ends_a_link(house):
    link = await house.link()
    await house.recovery.change(*await house.signed_in(), SECRET, OTHER)
    assert isinstance(await outcome(house.recovery.reset(link, SECRET)), Unauthenticated)


async def test_a_link_opens_no_session(house):
    link = await house.link()
    assert await house.ended(link) == [True]
    assert isinstance(await outcome(house.accounts.redeem(link)), Unauthenticated)
    assert isinstance(await outcome(house.addresses.verify(link)), Unauthenticated)


async def test_what_is_tried_first_is_refused_and_spends_nothing(house):
    link = await house.link()
    too_short, among = "fourteen chars", next(one for one in listed() if len(one) >= 15)
    for password in (too_short, among, among.upper(), "ann@example.org", "x" * 1025):
        refused = await outcome(house.recovery.reset(link, password))
        assert isinstance(refused, InvalidInput)
        assert refused.details["errors"][0]["pointer"] == "password"
    await house.recovery.reset(link, OTHER)


async def test_the_disabled_get_no_link_and_can_use_none(house):
    link = await house.link()
    user = await house.ann()
    await house.app.store.transact(Update(User, (user.id,), set={"disabled": True}))
    assert isinstance(await outcome(house.recovery.reset(link, OTHER)), Unauthenticated)
    await house.recovery.forgot(ANN)
    assert await house.box.mails() == []


async def test_no_secret_waits_in_the_queue_or_lies_in_the_store(house):
    await house.recovery.forgot(ANN)
    link = await house.box.secret()
    user = await house.ann()
    token = await house.app.store.get(Token, user.reset_link)
    assert token.sent_to == ANN
    assert link not in repr(user) + repr(token)


async def test_an_address_gets_so_many_mails_an_hour_and_word_of_a_theft_besides(house):
    for _ in range(AN_HOUR + 3):
        await house.recovery.forgot(ANN)
    assert len(await house.box.mails()) == AN_HOUR
    await house.recovery.change(*await house.signed_in(), SECRET, OTHER)
    (told,) = await house.box.mails()
    assert "was changed" in told.subject


@pytest.mark.parametrize("verified", [None, 1])
async def test_an_address_that_may_be_anybodys_gets_so_many_of_each_kind(house, verified):
    user = await house.ann()
    await house.app.store.transact(Update(User, (user.id,), set={"verified": verified}))
    for letter in ["factor_on"] * (AN_HOUR + 1) + ["factor_off"]:
        await house.app.people.mailed.send(AccountNews(letter=letter, to=user.id))
    assert len(await house.box.mails()) == AN_HOUR + 1 + bool(verified)


async def test_unknown_addresses_make_the_same_work_and_no_mail(house, monkeypatch):
    """Also what is read and written is the same, so time tells nothing on a slow store either."""
    worked = []

    def watched(name):
        real = getattr(house.app.store, name)

        async def call(*given, **more):
            worked.append((name, [type(one).__name__ for one in given]))
            return await real(*given, **more)

        monkeypatch.setattr(house.app.store, name, call)

    for name in ("get", "get_many", "query", "transact"):
        watched(name)

    async def work(wanted):
        worked.clear()
        await outcome(wanted)
        return list(worked)

    ask, sign_in = house.recovery.forgot, house.accounts.login
    await ask("first@example.org")  # later ones find a lane that is there
    assert await work(ask("nobody@example.org")) == await work(ask(ANN))
    assert await work(sign_in("nobody@example.org", "wrong")) == await work(sign_in(ANN, "wrong"))
    monkeypatch.undo()
    assert {letter.to for letter in await house.box.mails()} == {ANN}


async def test_a_link_that_no_mail_brought_verifies_no_address(house):
    user = await house.ann()
    unsent = user.evolve(email="")  # as the operator's command prints one
    secret = await house.app.people.mailed.secret(AccountNews(letter="reset", to=user.id), unsent)
    await house.recovery.reset(secret, OTHER)
    assert (await house.ann()).verified is None


async def test_nor_is_it_the_first_mail_to_who_has_no_address(house):
    """They keep what opens their account."""
    mailed, user = house.app.people.mailed, await house.app.linking.arrived(Person("i", "robot"))
    secret = await mailed.secret(AccountNews(letter="reset", to=user.id), user)
    await house.recovery.reset(secret, OTHER)
    after = await house.app.repositories.users.get(user.id)
    assert (after.verified, after.tenure) == (None, user.tenure)
    assert (await house.app.linking.arrived(Person("i", "robot"))).id == user.id


async def test_who_came_by_an_issuer_before_addresses_were_verified_keeps_that_way(house):
    """The issuer's word counts from their next sign-in; another address' is none for theirs."""
    cid = Person("i", "cid", email="cid@example.org")
    user = await house.app.linking.arrived(cid)
    before = Update(User, (user.id,), set={"verified": None})
    await house.app.store.transact(before)
    await house.app.linking.arrived(Person("i", "cid"))
    assert (await house.app.repositories.users.get(user.id)).verified is None
    assert (await house.app.linking.arrived(cid)).verified == house.clock.now()
    await house.recovery.reset(await house.link(cid.email), OTHER)
    assert (await house.app.linking.arrived(cid)).id == user.id


async def test_a_first_password_does_not_end_the_last_administrator(house):
    """They have the role by their group, and go on by it until somebody else administers."""
    chief = Person("i", "chief", email="chief@example.org", admin=True)
    user = await house.app.linking.arrived(chief)
    root = await house.app.repositories.users.by_email("root@example.org")
    before = Update(User, (user.id,), set={"verified": None})
    await house.app.store.transact(before, Update(User, (root.id,), set={"disabled": True}))
    link = await house.link(chief.email)
    assert isinstance(await outcome(house.recovery.reset(link, OTHER)), Conflict)
    assert (await house.app.repositories.users.get(user.id)).role is Role.ADMIN
    await house.app.store.transact(Update(User, (root.id,), set={"disabled": False}))
    assert (await house.recovery.reset(link, OTHER)).role is Role.USER


async def test_links_are_written_with_the_configured_address(house):
    await house.recovery.forgot(ANN)
    (letter,) = await house.box.mails()
    assert "https://mill.example.org/reset#mmr_" in letter.text
    assert "https://mill.example.org/reset#mmr_" in letter.html
    assert "List-Unsubscribe" not in letter.headers


async def test_a_repeat_of_a_mail_brings_a_link_of_its_own(house):
    """The first may have arrived although nobody said so: then only the last one is good."""
    house.box.failing = ConnectionError("cut off")
    await house.recovery.forgot(ANN)
    assert isinstance(await outcome(house.box.mails()), ConnectionError)
    assert (await house.ann()).reset_link
    house.box.failing = None
    await house.recovery.reset(await house.link(), OTHER)


# -- guessed at meanwhile -----------------------------------------------------------------------


async def guessed(house, count=101, kept=()):
    """Guess at Ann's password; return what came of it."""
    tries = [outcome(house.accounts.login(ANN, f"a guess {n}", "", kept)) for n in range(count)]
    return [type(await one) for one in tries]


async def test_101_failures_are_throttled_and_the_owner_gets_in(house):
    known = await house.app.people.devices.known((await house.ann()).id)
    found = await guessed(house)
    assert (found.count(Unauthenticated), found.count(Throttled)) == (10, 91)
    right = await outcome(house.accounts.login(ANN, SECRET))
    assert isinstance(right, Throttled)
    assert "wait" in right.message
    assert await house.accounts.login(ANN, SECRET, "", [known])
    await house.recovery.reset(await house.link(), OTHER)
    assert await house.signed_in(password=OTHER)


async def test_a_browser_is_known_to_the_account_that_it_signed_in_to(house):
    root = await house.app.repositories.users.by_email("root@example.org")
    devices = house.app.people.devices
    known, hers = await devices.known(root.id), await devices.known((await house.ann()).id)
    await guessed(house)
    for kept in ([known], ["invented"], ["é", "", "x" * 9_000], [hers[:-2] + "AA"]):
        refused = await outcome(house.accounts.login(ANN, SECRET, "", kept))
        assert isinstance(refused, Throttled), kept
    house.clock.advance(366 * DAY)
    await guessed(house)
    assert isinstance(await outcome(house.accounts.login(ANN, SECRET, "", [hers])), Throttled)


async def test_a_known_browser_has_tries_of_its_own(house):
    known = await house.app.people.devices.known((await house.ann()).id)
    assert (await guessed(house, 20, [known])).count(Throttled) == 10
    assert await house.accounts.login(ANN, SECRET)


# -- the password changed by who knows it -------------------------------------------------------


@everywhere
async def test_a_change_ends_all_other_sessions_at_once_and_tells_by_mail(house):
    here, session = await house.signed_in()
    others = [(await house.signed_in())[1] for _ in range(3)]
    program = (await house.app.people.tokens.issue(here, "laptop")).secret
    thief = await house.accounts.authenticate(others[0])
    await house.recovery.change(here, session, SECRET, OTHER)
    assert await house.ended(*others, session, program) == [True] * 3 + [False, False]
    made, told = await house.box.mails()
    assert ("laptop" in made.text, told.to, "was changed" in told.subject) == (True, ANN, True)
    under_way = house.app.people.sessions.end_others(thief, others[0])
    assert isinstance(await outcome(under_way), Unauthenticated), "what was ended stays so"
    assert await house.ended(others[0], session) == [True, False]
    assert isinstance(await outcome(house.accounts.login(ANN, SECRET)), Unauthenticated)


@everywhere
async def test_two_changes_at_once_are_one(house):
    signed_in = [await house.signed_in() for _ in range(2)]
    words = ["a third long secret", "a fourth long secret"]
    changes = [
        house.recovery.change(*who, SECRET, word)
        for who, word in zip(signed_in, words, strict=True)
    ]
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    assert sum(one is None for one in outcomes) == 1
    done = words[outcomes.index(None)]
    assert (await house.ended(signed_in[0][1], signed_in[1][1])).count(True) == 1
    await house.signed_in(password=done)


async def test_a_session_that_is_being_opened_with_the_old_password_is_over(house, monkeypatch):
    """It was right when it was looked at, and is not when the session begins."""
    here, session = await house.signed_in()
    sessions = house.accounts._sessions
    opening = sessions.open

    async def late(user, *others):
        await house.recovery.change(here, session, SECRET, OTHER)
        return await opening(user, *others)

    monkeypatch.setattr(sessions, "open", late)
    issued = await house.accounts.login(ANN, SECRET)
    assert await house.ended(issued.secret) == [True]


@pytest.mark.parametrize(
    ("current", "new", "field"),
    [("wrong", OTHER, "current"), ("", OTHER, "current"), (SECRET, "short", "new"),
     (SECRET, "mediamill mediamill", "new"), (SECRET, "\ud800" * 20, "new")],
)  # fmt: skip
async def test_refusals_name_the_field(house, current, new, field):
    refused = await outcome(house.recovery.change(*await house.signed_in(), current, new))
    assert isinstance(refused, InvalidInput)
    assert refused.details["errors"][0]["pointer"] == field


async def test_who_found_a_session_cannot_guess_the_password(house):
    who = await house.signed_in()
    tries = [await outcome(house.recovery.change(*who, f"guess {n}", OTHER)) for n in range(30)]
    assert sum(isinstance(one, InvalidInput) for one in tries) == SESSION.free
    assert isinstance(tries[-1], Throttled)
    await house.recovery.reset(await house.link(), OTHER)
    await house.recovery.change(*await house.signed_in(password=OTHER), OTHER, SECRET)


async def test_what_could_not_be_looked_at_is_no_guess(house, monkeypatch):
    here, session = await house.signed_in()

    async def busy(*_):
        raise Unavailable("busy")

    monkeypatch.setattr(house.app.people.recovery._passwords, "verify", busy)
    for _ in range(SESSION.free + 2):
        tries = (
            house.recovery.change(here, session, SECRET, OTHER),
            house.app.people.confirming.confirm(here, session, SECRET),
            house.accounts.login(ANN, SECRET),
        )
        assert [type(await outcome(one)) for one in tries] == [Unavailable] * 3


async def test_a_first_password_is_set_by_who_has_just_signed_in(house):
    user = await house.ann()
    await house.app.store.transact(Update(User, (user.id,), set={"password": ""}))
    issued = await house.accounts._sessions.open(await house.ann())
    program = (await house.app.people.tokens.issue(
        await house.accounts.authenticate(issued.secret), "x")).secret  # fmt: skip
    by_token = house.recovery.change(await house.accounts.authenticate(program), program, "", OTHER)
    assert isinstance(await outcome(by_token), Forbidden)
    principal = await house.accounts.authenticate(issued.secret)
    house.clock.advance(HOUR)
    late = await outcome(house.recovery.change(principal, issued.secret, "", OTHER))
    assert isinstance(late, ConfirmationNeeded)
    house.clock.advance(-HOUR)
    await house.recovery.change(principal, issued.secret, "", OTHER)
    await house.signed_in(password=OTHER)


# -- addresses ----------------------------------------------------------------------------------


@everywhere
async def test_a_new_address_counts_once_its_link_was_opened(house):
    who, _ = await house.signed_in()
    await house.addresses.change(who, NEW, SECRET)
    letters = {letter.to: letter for letter in await house.box.mails()}
    assert set(letters) == {ANN, NEW}
    assert NEW in letters[ANN].text
    link = letters[NEW].text.partition("#")[2].split()[0]
    assert (await house.accounts.profile(who)).email == ANN
    reset = await house.link()
    tries = [house.addresses.verify(link) for _ in range(5)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert outcomes.count(None) == 1
    user = await house.accounts.profile(who)
    assert (user.email, user.verified is None, user.sought) == (NEW, False, NEW)
    assert await house.app.repositories.users.by_email(ANN) is None
    assert [letter.to for letter in await house.box.mails()] == [ANN]
    assert isinstance(await outcome(house.recovery.reset(reset, OTHER)), Unauthenticated)
    await house.signed_in(email=NEW)


async def test_whether_an_address_is_taken_is_told_to_who_reads_it_alone(house):
    who, _ = await house.signed_in()
    await house.addresses.change(who, "root@example.org", SECRET)
    letters = {letter.to: letter.text for letter in await house.box.mails()}
    assert set(letters) == {ANN, "root@example.org"}
    assert "stays the address of yours" in letters["root@example.org"]
    assert "#" not in letters["root@example.org"]
    await house.addresses.change(who, NEW, SECRET)
    link = await house.box.secret()
    await house.accounts.register(NEW, SECRET)
    assert isinstance(await outcome(house.addresses.verify(link)), Conflict)
    assert (await house.ann()).email == ANN


async def test_a_change_of_address_ends_with_the_password_though_its_mail_comes_late(house):
    """The mail server of who has the password may take its time, until the owner has acted."""
    thief, _ = await house.signed_in()
    await house.addresses.change(thief, NEW, SECRET)
    await house.recovery.change(*await house.signed_in(), SECRET, OTHER)
    assert {letter.to for letter in await house.box.mails()} == {ANN}
    asked = AccountNews(letter="verify_new", to=thief.user, address=NEW, epoch=0)
    late = house.app.people.mailed.secret(asked, (await house.ann()).evolve(email=NEW))
    assert isinstance(await outcome(late), Unavailable)


@pytest.mark.parametrize(
    ("email", "password", "field"), [(NEW, "wrong", "password"), ("x", SECRET, "email")]
)
async def test_a_change_of_address_takes_the_password(house, email, password, field):
    who, _ = await house.signed_in()
    refused = await outcome(house.addresses.change(who, email, password))
    assert refused.details["errors"][0]["pointer"] == field


async def test_an_address_is_verified_once_with_the_newest_link(house):
    who, _ = await house.signed_in()
    await house.addresses.resend(who)
    first = await house.box.secret()
    await house.addresses.resend(who)
    second = await house.box.secret()
    assert isinstance(await outcome(house.addresses.verify(first)), Unauthenticated)
    await house.addresses.verify(second)
    assert (await house.ann()).verified == house.clock.now()
    assert isinstance(await outcome(house.addresses.resend(who)), Conflict)


async def test_who_asks_for_another_mail_again_and_again_waits(house):
    who, _ = await house.signed_in()
    tries = [await outcome(house.addresses.resend(who)) for _ in range(10)]
    assert sum(isinstance(one, Throttled) for one in tries) == 10 - RESENT.free


async def test_a_network_asks_for_so_many_links(house):
    with collecting(Origin("203.0.113.9")):
        asked = [await outcome(house.recovery.forgot(f"u{n}@example.org")) for n in range(30)]
    assert sum(one is None for one in asked) == FORGOTTEN.free
