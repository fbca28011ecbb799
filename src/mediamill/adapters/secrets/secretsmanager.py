"""AWS Secrets Manager: `${secretsmanager:NAME-or-ARN#json-key}`, with `?region=…&stage=…`.

The version with the stage AWSCURRENT is read; `stage=AWSPREVIOUS` reads the one before, which is
empty for a secret that was never rotated. Needs `secretsmanager:GetSecretValue` and, for a key of
your own, `kms:Decrypt`; credentials are found where AWS's tools look for them.
"""

from typing import ClassVar

from mediamill.adapters.secrets.asking import ask, missing
from mediamill.adapters.secrets.port import Reference

CURRENT = "AWSCURRENT"


class SecretsManagerKeeper:
    holds_seconds: ClassVar[float | None] = None

    async def read(self, reference: Reference) -> str:
        stage = reference.options.get("stage", CURRENT)
        found = await ask(
            "secretsmanager", "get_secret_value", reference, {"stage"},
            SecretId=reference.name, VersionStage=stage,
        )  # fmt: skip
        if found is None:
            if stage != CURRENT:
                return ""
            raise missing("secret", reference)
        if "SecretString" not in found:
            raise ValueError("the secret is binary; keep it as text")
        return str(found["SecretString"])


plugin = SecretsManagerKeeper
