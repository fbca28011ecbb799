"""AWS Systems Manager's Parameter Store: `${ssm:/path/name}`, with `?region=…`.

Needs `ssm:GetParameter` and, for a SecureString under a key of your own, `kms:Decrypt`; credentials
are found where AWS's tools look for them.
"""

from typing import ClassVar

from mediamill.adapters.secrets.asking import ask, missing
from mediamill.adapters.secrets.port import Reference


class SsmKeeper:
    holds_seconds: ClassVar[float | None] = None

    async def read(self, reference: Reference) -> str:
        found = await ask(
            "ssm", "get_parameter", reference, set(), Name=reference.name, WithDecryption=True
        )
        if found is None:
            raise missing("parameter", reference)
        return str(found["Parameter"]["Value"])


plugin = SsmKeeper
