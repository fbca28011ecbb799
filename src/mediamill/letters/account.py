"""Mails about an account: a link that proves who reads an address, or word of what was changed.

They go out whatever somebody chose about mails: whose account it is must learn of it. What a
letter says is a row of `WORDINGS`; who writes another kind adds one.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from mediamill.adapters.mail.port import Letter
from mediamill.core.ids import new_id
from mediamill.letters.paper import Paper
from mediamill.store.repositories.units import Unit

KIND = "mail_account"
NOBODYS = "system"
"""Who owns a mail to an address of which it is not known yet whether anybody has it."""


@dataclass(frozen=True)
class Wording:
    """What a letter says; `{place}` is the service, `{address}` what its news name."""

    subject: str
    lines: tuple[str, ...]
    button: str = ""
    """What its link is called; empty without one."""
    path: str = ""
    """Where the link leads; a secret is put behind a `#`, which no server is sent."""
    asked: bool = False
    """Whether a stranger can cause it: so many of these go to an address in an hour, together."""
    taken: str = ""
    """The letter that goes instead to an address that somebody else has already."""
    why: str = "because you have an account at {place}"


LOST = (
    "If that was not you, set a new password at once: whoever it was knows yours. Then look on the "
    "account page at API tokens, linked sign-ins and webhooks: a new password ends none of them."
)
NOT_YOURS = (
    "If that was not you, remove it on the account page and set a new password, which alone does "
    "not end it."
)
WORDINGS = {
    "verify": Wording(
        "Confirm your mail address for {place}",
        (
            "Somebody, you as we hope, has an account at {place} with this address.",
            "Open the page and press its button, within 24 hours, to show that mails reach you.",
            "If it was not you, do nothing.",
        ),
        "Confirm the address",
        "/verify",
        asked=True,
        why="because somebody gave this address at {place}",
    ),
    "verify_new": Wording(
        "Confirm your new mail address for {place}",
        (
            "Somebody, you as we hope, wants to use this address for an account at {place}.",
            "Open the page and press its button, within 24 hours. Until then nothing changes.",
            "If it was not you, do nothing.",
        ),
        "Confirm the address",
        "/verify",
        asked=True,
        taken="address_taken",
        why="because somebody gave this address at {place}",
    ),
    "address_taken": Wording(
        "Your mail address was given at {place}",
        (
            "Somebody wants to use this address for another account at {place}.",
            "Nothing has changed: it stays the address of yours.",
            "If it was you, sign in with it, or free it there first. If not, do nothing.",
        ),
    ),
    "reset": Wording(
        "Set a new password for {place}",
        (
            "Somebody, you as we hope, has forgotten the password of your account at {place}.",
            "The link is good for 30 minutes, once. It ends when you ask for another.",
            "If it was not you, do nothing: your password stays as it is.",
        ),
        "Set a new password",
        "/reset",
        asked=True,
    ),
    "password_changed": Wording(
        "Your password for {place} was changed",
        ("The password of your account was changed, and all other sessions have ended.", LOST),
        "Set a new password",
        "/forgot",
    ),
    "password_first": Wording(
        "Your password for {place} was set",
        (
            "It was set by a mail to this address, which nobody had confirmed until then.",
            "So all sessions, API tokens, linked sign-ins and the second factor have ended.",
            "Its webhooks are switched off. Look at these, and at who shares its projects.",
        ),
        "Open the account page",
        "/account",
    ),
    "token_made": Wording(
        "An API token was made for your account at {place}",
        ("Programs that have it can use your account. It is called “{address}”.", NOT_YOURS),
        "Open the account page",
        "/account",
    ),
    "identity_linked": Wording(
        "Another sign-in was linked to your account at {place}",
        ("From now on it opens your account too: {address}.", NOT_YOURS),
        "Open the account page",
        "/account",
    ),
    "address_asked": Wording(
        "Your mail address at {place} is to be changed",
        (
            "Somebody, you as we hope, asked to use {address} for your account from now on.",
            "It changes once the link in the mail to that address was opened.",
            LOST,
        ),
        "Set a new password",
        "/forgot",
    ),
    "export_ready": Wording(
        "Your data at {place} is ready",
        (
            "You asked for all that {place} keeps about you. It can be fetched for seven days.",
            "If that was not you, end your sessions and set a new password.",
        ),
        "Open the account page",
        "/account",
    ),
    "address_changed": Wording(
        "Your mail address at {place} was changed",
        (
            "Your account has the address {address} from now on, and no longer this one.",
            "If that was not you, ask the administrator of {place}.",
        ),
        why="because you had an account at {place} with this address",
    ),
    "factor_on": Wording(
        "A second factor is on for your account at {place}",
        ("From now on, signing in takes a code of your authenticator app.", LOST),
        "Set a new password",
        "/forgot",
    ),
    "factor_off": Wording(
        "The second factor of your account at {place} was turned off",
        ("From now on your password alone signs in.", LOST),
        "Set a new password",
        "/forgot",
    ),
    "factor_reset": Wording(
        "The second factor of your account at {place} was taken away",
        (
            "An administrator has turned it off: your password alone signs in for now.",
            "Set up another one on the account page.",
            "If you did not ask for that, tell the administrator of {place}.",
        ),
        "Set it up again",
        "/account",
    ),
    "invitation": Wording(
        "You are invited to {place}",
        (
            "An administrator of {place} invites you to make an account there.",
            "The link is good for 7 days, once. Open it and choose a password.",
            "If you do not want one, do nothing.",
        ),
        "Make the account",
        "/invitation",
        asked=True,
        why="because an administrator of {place} gave this address",
    ),
    "feedback": Wording(
        "Feedback on {place}",
        (
            "A user of {place} says:",
            "{address}",
            "`mediamill admin feedback list` shows all of it, and with which pictures.",
        ),
        why="because you administer {place}",
    ),
}


class AccountNews(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a mail about an account is about; no secret is in it."""

    letter: str
    """One of `WORDINGS`."""
    to: str = ""
    """Id of the user whose account it is; empty: who has the address, if anybody."""
    address: str = ""
    """Where it goes; empty: to the user's own."""
    about: str = ""
    """The address that it names, or what else a wording says of `{address}`."""
    epoch: int | None = None
    """The user's as it was asked for, where nothing may come of it once that has gone on."""

    def unit(self, now: int) -> Unit:
        """Make the unit that sends it, at a time (ms)."""
        told = msgspec.to_builtins(self)
        group = f"{KIND}:{new_id('mail')}"
        return Unit.notice(KIND, group, 0, self.to or NOBODYS, now=now, **told)


@dataclass
class AccountLetters:
    """Writes mails about accounts."""

    public: str
    """The address that users see, without a slash at its end."""

    def write(self, news: AccountNews, to: str, secret: str, key: str, at: int) -> Letter:
        """Write to an address, with the secret that its link brings, about a time (ms)."""
        paper, wording = Paper(self.public), WORDINGS[news.letter]
        names = {"place": paper.place, "address": news.about}
        told: dict[str, Any] = {
            "lines": [line.format(**names) for line in wording.lines],
            "button": wording.button,
            "url": self.public + wording.path + (f"#{secret}" if secret else ""),
            "why": wording.why.format(**names),
        }
        return paper.letter("account", to, wording.subject.format(**names), told, key, at)
