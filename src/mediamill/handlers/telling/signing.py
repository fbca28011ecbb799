"""How deliveries are signed: the secrets of a webhook, and the headers of Standard Webhooks.

After a rotation the secret before is good for a while too, and a delivery carries a signature by
each: a receiver may verify it with either.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from standardwebhooks import Webhook as Signing

from mediamill.core.sealing import Sealer, about
from mediamill.store.repositories.webhooks import Delivery, Former, Webhook


async def secrets_of(webhook: Webhook, sealer: Sealer, now: int) -> tuple[str, ...]:
    """Return the secrets that are good at a time (ms), the present one first.

    Raises `Unsealable`, `Unavailable`.
    """
    present = await sealer.open(webhook.secret, about(Webhook, "secret", *webhook.key_values()))
    return present, *(one.secret for one in await formers_of(webhook, sealer, now))


async def formers_of(webhook: Webhook, sealer: Sealer, now: int) -> tuple[Former, ...]:
    """Return the replaced secrets that are good still, newest first; raises as `secrets_of`."""
    if not webhook.former:
        return ()
    text = await sealer.open(webhook.former, about(Webhook, "former", *webhook.key_values()))
    kept = msgspec.json.decode(text, type=tuple[Former, ...])
    return tuple(one for one in kept if one.until > now)


def signature(secrets: Sequence[str], delivery: Delivery) -> dict[str, str]:
    """Make the headers by which a receiver knows that it is ours, and new."""
    now = datetime.now(UTC).replace(microsecond=0)
    signed = [Signing(secret).sign(delivery.event, now, delivery.body) for secret in secrets]
    return {
        "webhook-id": delivery.event,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signed),
    }
