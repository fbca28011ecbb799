"""The account: who calls, tokens, webhooks, what is used and spent."""

from typing import Unpack

from mediamill.client import routes
from mediamill.client.calling import Flow, Rows
from mediamill.client.models import (
    DailyView,
    DeliveryView,
    IssuedView,
    MonthView,
    NewWebhookView,
    TokenRequest,
    TokenView,
    UsageView,
    UserView,
    WebhookBody,
    WebhookPatch,
    WebhookView,
)  # fmt: skip
from mediamill.client.resources.base import D, Resource, only, operation, sequence


class Account(Resource[D]):
    """`client.account`: who calls, and what they have used and spent."""

    @operation
    def me(self) -> Flow[UserView]:
        """Read whose token this is."""
        return self.calls.one(routes.me)

    @operation
    def usage(self) -> Flow[UsageView]:
        """Read what is used of each quota."""
        return self.calls.one(routes.read_usage)

    @sequence
    def daily(
        self, *, first: str | None = None, last: str | None = None, source: str | None = None
    ) -> Rows[DailyView]:
        """Go through what was used day by day."""
        query = only(to=last, source=source) | ({} if first is None else {"from": first})
        return self.calls.rows(routes.read_daily, query)

    @operation
    def spending(self, month: str | None = None) -> Flow[MonthView]:
        """Read what model calls cost in a month, written like `2026-11`."""
        return self.calls.one(routes.read_spending, query=only(month=month))


class Tokens(Resource[D]):
    """`client.tokens`: what programs show instead of a password."""

    @operation
    def create(self, **token: Unpack[TokenRequest]) -> Flow[IssuedView]:
        """Make a token; its secret is in this answer and nowhere else."""
        return self.calls.one(routes.issue_token, json=token)

    @sequence
    def list(self) -> Rows[TokenView]:
        """Go through your tokens, newest first."""
        return self.calls.rows(routes.list_tokens)

    @operation
    def revoke(self, token: str) -> Flow[None]:
        """End a token."""
        return self.calls.one(routes.revoke_token, token_id=token)


class Webhooks(Resource[D]):
    """`client.webhooks`: addresses that are told what happens."""

    @operation
    def create(self, **webhook: Unpack[WebhookBody]) -> Flow[NewWebhookView]:
        """Add an address; the secret that signs deliveries is in this answer only."""
        return self.calls.one(routes.add_webhook, json=webhook)

    @operation
    def get(self, webhook: str) -> Flow[WebhookView]:
        """Read a webhook."""
        return self.calls.one(routes.get_webhook, webhook_id=webhook)

    @sequence
    def list(self) -> Rows[WebhookView]:
        """Go through your webhooks."""
        return self.calls.unpaged(self.calls.one(routes.list_webhooks))

    @operation
    def change(self, webhook: str, **changes: Unpack[WebhookPatch]) -> Flow[WebhookView]:
        """Change what is given."""
        return self.calls.one(routes.change_webhook, json=changes, webhook_id=webhook)

    @operation
    def delete(self, webhook: str) -> Flow[None]:
        """Remove a webhook."""
        return self.calls.one(routes.delete_webhook, webhook_id=webhook)

    @sequence
    def deliveries(self, webhook: str, *, state: str | None = None) -> Rows[DeliveryView]:
        """Go through what was sent to a webhook, newest first."""
        return self.calls.rows(routes.list_deliveries, only(state=state), webhook_id=webhook)

    @operation
    def replay(self, webhook: str, event: str) -> Flow[DeliveryView]:
        """Send an event to a webhook again."""
        return self.calls.one(routes.replay_delivery, webhook_id=webhook, event=event)
