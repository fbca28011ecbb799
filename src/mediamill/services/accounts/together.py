"""What knows people, put together: by our own secrets, and by an issuer where there is one."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from mediamill.adapters.identity.port import Issuer
from mediamill.core.clock import Clock
from mediamill.core.settings import Settings
from mediamill.parts import Parts
from mediamill.services.accounts.addresses import Addresses, verifying
from mediamill.services.accounts.administering import Administering
from mediamill.services.accounts.confirming import Confirming
from mediamill.services.accounts.devices import Devices
from mediamill.services.accounts.factors.resetting import FactorResets
from mediamill.services.accounts.factors.service import SecondFactors
from mediamill.services.accounts.federation import Federation
from mediamill.services.accounts.flows import Flows
from mediamill.services.accounts.guessing import Guessing
from mediamill.services.accounts.inviting import Inviting
from mediamill.services.accounts.linking import Linking
from mediamill.services.accounts.mailed import Mailed
from mediamill.services.accounts.own_profile import OwnProfile
from mediamill.services.accounts.own_sessions import OwnSessions
from mediamill.services.accounts.passwords import SERVICE, Passwords
from mediamill.services.accounts.proving import Proving
from mediamill.services.accounts.recovery import Recovery
from mediamill.services.accounts.roster import Roster
from mediamill.services.accounts.service import Accounts
from mediamill.services.accounts.sessions import Sessions
from mediamill.services.accounts.tokens import ApiTokens
from mediamill.services.analytics import Analytics
from mediamill.services.links.signing import Signer
from mediamill.store.repositories.guesses import Guesses
from mediamill.store.repositories.invitations import Invitations


@dataclass(frozen=True)
class AccountServices:
    """The services about people and how they get in."""

    linking: Linking
    federation: Federation | None
    accounts: Accounts
    recovery: Recovery
    profile: OwnProfile
    addresses: Addresses
    devices: Devices
    mailed: Mailed
    factors: SecondFactors
    confirming: Confirming
    resets: FactorResets
    sessions: OwnSessions
    tokens: ApiTokens
    inviting: Inviting
    administering: Administering
    analytics: Analytics

    @classmethod
    def over(cls, parts: Parts, signer: Signer, clock: Clock) -> Self:
        """Make them over the parts of a service."""
        nouns, settings = parts.nouns, parts.settings
        issuer = parts.identity if isinstance(parts.identity, Issuer) else None
        users, free, passwords = nouns.users, settings.registration, passwords_of(settings)
        mailed = Mailed(users, nouns.units, Sessions(users, clock), parts.bell)
        linking = Linking(mailed, nouns.identities, clock, issuer, free)
        federation = None
        if issuer is not None:
            federation = Federation(issuer, linking, users, Flows(signer, clock), clock)
        guessing = Guessing(Guesses(parts.store), clock)
        factors = SecondFactors(
            users, nouns.factors, parts.sealer, clock, mailed, guessing,
            settings.mfa, settings.public_url,
        )  # fmt: skip
        inviting = Inviting(
            users, Invitations(parts.store), nouns.units, signer, clock, settings.address,
            passwords, issuer is None or issuer.passwords, parts.bell,
        )  # fmt: skip
        devices = Devices(users, signer, clock)
        confirming = Confirming(users, clock, passwords, factors, guessing)
        roster = Roster.over(users, clock)
        proving = Proving(roster.people, passwords, guessing, confirming)
        asking = verifying(settings.verify, outside=not parts.post.anywhere)
        addresses = Addresses(proving, mailed, asking)
        accounts = Accounts(
            users, clock, free, passwords, federation, factors, guessing, devices, addresses
        )
        return cls(
            linking=linking,
            federation=federation,
            accounts=accounts,
            recovery=Recovery(accounts, proving, mailed, nouns.identities, nouns.webhooks),
            profile=OwnProfile(roster, addresses),
            addresses=addresses,
            devices=devices,
            mailed=mailed,
            factors=factors,
            confirming=confirming,
            resets=FactorResets(roster, nouns.factors, mailed),
            sessions=OwnSessions(users, Sessions(users, clock)),
            tokens=ApiTokens(mailed),
            inviting=inviting,
            administering=Administering(roster, passwords, inviting),
            analytics=Analytics(users),
        )


def passwords_of(settings: Settings) -> Passwords:
    """Make what judges and hashes passwords, by the settings."""
    names = (SERVICE, urlsplit(settings.public_url).hostname or "")
    return Passwords(least=settings.password_length, names=names)
