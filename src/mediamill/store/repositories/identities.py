"""Whom issuers know our users as."""

import hashlib

from mediamill.core.ids import encode
from mediamill.core.records import Index, Key, Record
from mediamill.store.port import Page, Store


class Identity(Record, frozen=True, kw_only=True):
    """Says that the subject of an issuer is a user."""

    table = "identities"
    key = Key("id")
    indexes = (Index("identity_user", partition=("user",), sort=("id",)),)

    id: str
    """Made of issuer and subject, so that one is one user's only."""
    user: str
    issuer: str
    subject: str
    email: str = ""
    """What the issuer said last, if it was verified."""
    name: str = ""
    granted: bool = False
    """Whether the user is an administrator because the issuer says so."""
    created: int


class Identities:
    """Reads of identities."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def get(self, identity_id: str) -> Identity | None:
        return await self.store.get(Identity, identity_id)

    async def find(self, issuer: str, subject: str) -> Identity | None:
        return await self.get(identity_id(issuer, subject))

    async def of(self, user: str, after: str | None = None, limit: int = 100) -> Page[Identity]:
        """List a user's identities, in no order that means anything."""
        index = Identity.index("identity_user")
        return await self.store.query(Identity, index, user, after=after, limit=limit)


def identity_id(issuer: str, subject: str) -> str:
    """Return the id of an issuer's subject: 130 bits of a hash of both."""
    digest = hashlib.sha256(f"{issuer}\n{subject}".encode()).digest()
    return f"identity_{encode(int.from_bytes(digest) >> 126)}"
