"""Customers of the stream, who are users: by e-mail address, or by a name of their own.

A name without an @ is a user whom nobody can sign in as or register: the name stands for an
address that no address is, `stream:acme`.
"""

import re
import time
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from mediamill.core.access import Principal
from mediamill.core.errors import ConditionFailed, Forbidden, InvalidInput, NotFound
from mediamill.core.ids import new_id
from mediamill.services.accounts.passwords import clean_address
from mediamill.services.stream.rules import TopicRule
from mediamill.store.repositories.users import User, Users

log = structlog.get_logger(__name__)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
KNOWN_SECONDS = 5.0
"""How long a customer who was found is not looked up again."""
MOST_KNOWN = 10_000


@dataclass
class Customers:
    """Finds users, or makes them."""

    users: Users
    _known: dict[str, tuple[float, Principal]] = field(default_factory=dict)

    async def principal(self, name: str, rule: TopicRule) -> Principal:
        """Return who a customer is, made when there was none.

        Raises `NotFound` for one who is unknown and not to be made, `Forbidden` for one who is
        disabled, `InvalidInput` for what cannot be a name.
        """
        found = await self.find(name, rule)
        return found or self._know(name, await self._create(address_of(name), name))

    async def find(self, name: str, rule: TopicRule) -> Principal | None:
        """Return who a customer is, None for one who is yet to be made; raises as `principal`."""
        until, found = self._known.get(name, (0.0, None))
        if found is not None and until > time.monotonic():
            return found
        user = await self.users.by_email(address_of(name))
        if user is None and rule.unknown != "create":
            raise NotFound(f"There is no customer {name[:100]!r}.")
        return self._know(name, user) if user else None

    def _know(self, name: str, user: User) -> Principal:
        if user.disabled:
            raise Forbidden(f"The customer {name[:100]!r} is disabled.")
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        principal = Principal(user=user.id, role=user.role.value)
        self._known[name] = (time.monotonic() + KNOWN_SECONDS, principal)
        return principal

    async def _create(self, address: str, name: str) -> User:
        """Add a user, who is never the administrator, whoever was here before."""
        user = User(
            id=new_id("user"), email=address, name=name[:100], created=await self.users.store.now()
        )
        with suppress(ConditionFailed):  # another process was first
            await self.users.add(user)
            log.info("customer made", action="customer_made", user=user.id)
            return user
        found = await self.users.by_email(address)
        if found is None:
            raise NotFound(f"There is no customer {name[:100]!r}.")
        return found


def address_of(name: str) -> str:
    """Return what a customer's user is found by; raises `InvalidInput`."""
    if "@" in name:
        return clean_address(name)
    if not NAME.fullmatch(name):
        raise InvalidInput(f"{name[:100]!r} is no name of a customer: letters, digits, . _ and -.")
    return f"stream:{name.lower()}"
