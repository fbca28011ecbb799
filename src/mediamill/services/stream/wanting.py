"""What rules name and is not there, told at the start: each would else be found out by its loss."""

import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass

from mediamill.adapters.stream.port import Publisher
from mediamill.core.errors import MediamillError
from mediamill.core.ids import is_id
from mediamill.services.stream.customers import address_of
from mediamill.services.stream.rules import Rules, TopicRule
from mediamill.store.repositories.templates import Template, Templates
from mediamill.store.repositories.users import Users


@dataclass
class Wanting:
    """Looks for topics, customers and templates."""

    users: Users
    templates: Templates

    async def of(self, rules: Rules, publisher: Publisher) -> AsyncIterator[str]:
        """Say what is missing, and what to do about it; raises `Unavailable`."""
        there = await publisher.identify(sorted(rules))
        for topic, rule in rules.items():
            if topic not in there:
                yield (
                    f"There is no topic {topic} yet: nothing is taken from it until it is made. "
                    "Is the name right?"
                )
            if rule.unknown != "create" and (missing := await self._customers(rule)):
                yield (
                    f"{topic}: there is no customer {missing}, so each message for them becomes a "
                    "dead letter: add the user, correct the name, or say unknown:create."
                )
            if rule.template and not await self._has_template(rule):
                yield (
                    f"{topic}: there is no template {rule.template}, so files come in and are not "
                    "processed: save it for the customer, or give the id of one."
                )

    async def _customers(self, rule: TopicRule) -> str:
        names = [name for name in (rule.customer, *rule.customers) if name not in ("", "*")]
        return ", ".join([name for name in names if await self._user(name) is None])

    async def _user(self, name: str) -> str | None:
        try:
            user = await self.users.by_email(address_of(name))
        except MediamillError as error:
            if error.retryable:
                raise
            return None
        return user.id if user else None

    async def _has_template(self, rule: TopicRule) -> bool:
        """Tell whether a template is there: by its id, or by its name for the topic's customer.

        Where customers are many, or yet to come, each may have one of that name.
        """
        if is_id(rule.template, "tmpl"):
            return await self.templates.store.get(Template, rule.template) is not None
        owner = await self._user(rule.customer) if rule.customer else None
        if owner is None or rule.customers:
            return True
        name = unicodedata.normalize("NFC", rule.template).strip()
        return await self.templates.called(owner, name) is not None
