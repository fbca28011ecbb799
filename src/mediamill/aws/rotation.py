"""The rotation of the secret that signs links: `mediamill.aws.rotation.handler`.

Secrets Manager calls it four times for each new version, and again after any failure, so each step
does nothing where it is done already. What was AWSCURRENT becomes AWSPREVIOUS by the last step, and
services read both (`MEDIAMILL_SECRET`, `MEDIAMILL_SECRET_PREVIOUS`), so links go on working: one is
good at least until the rotation after the next. Nothing else depends on this secret; what is sealed
in the store has keys of its own (`MEDIAMILL_SEALING_URL`).

Needs `secretsmanager:DescribeSecret`, `GetSecretValue`, `PutSecretValue` and
`UpdateSecretVersionStage` on that secret alone: the new one is drawn here, not asked for.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import structlog
from botocore.exceptions import ClientError

from mediamill.aws.environment import Context
from mediamill.core import aws
from mediamill.core.errors import Conflict, InvalidInput
from mediamill.core.logs import configure_logging
from mediamill.services.links.signing import derived

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"
RANDOM_BYTES = 48
"""Of a new secret: 64 characters."""
SECONDS = 5
"""How long an answer may take."""

log = structlog.get_logger(__name__)


class Client(Protocol):
    """What is asked of Secrets Manager."""

    async def describe_secret(self, **said: Any) -> Mapping[str, Any]: ...
    async def get_secret_value(self, **said: Any) -> Mapping[str, Any]: ...
    async def put_secret_value(self, **said: Any) -> Mapping[str, Any]: ...
    async def update_secret_version_stage(self, **said: Any) -> Mapping[str, Any]: ...


class Rotation:
    """One version on its way to become the current one."""

    def __init__(self, client: Client, secret: str, version: str) -> None:
        self._client, self._secret, self._version = client, secret, version

    async def step(self, name: str) -> None:
        """Do a step; raises `Conflict` for a version that is not being rotated, `InvalidInput`.

        Nothing is done for a version that is the current one already.
        """
        steps = {
            "createSecret": self._create,
            "setSecret": self._nothing,  # nobody else has to be told of it
            "testSecret": self._test,
            "finishSecret": self._finish,
        }
        if name not in steps:
            raise InvalidInput(f"Rotation has no step {name}.")
        stages = await self._stages()
        if self._version not in stages:
            raise Conflict(f"This secret has no version {self._version}: it is not to be rotated.")
        if CURRENT in stages[self._version]:
            return
        if PENDING not in stages[self._version]:
            raise Conflict(f"The version {self._version} is not pending.")
        await steps[name]()
        log.info("rotation goes on", action="rotation_step", step=name)

    async def _stages(self) -> Mapping[str, Sequence[str]]:
        found = await self._client.describe_secret(SecretId=self._secret)
        if not found.get("RotationEnabled"):
            raise Conflict("This secret is not to be rotated.")
        stages: Mapping[str, Sequence[str]] = found.get("VersionIdsToStages", {})
        return stages

    async def _create(self) -> None:
        """Draw a new secret, unless an earlier attempt did."""
        with suppress(LookupError):
            await self._pending()
            return
        await self._client.put_secret_value(
            SecretId=self._secret,
            ClientRequestToken=self._version,
            SecretString=secrets.token_urlsafe(RANDOM_BYTES),
            VersionStages=[PENDING],
        )

    async def _nothing(self) -> None:
        pass

    async def _test(self) -> None:
        """See that services can use it; raises `ConfigurationError`, `LookupError`.

        It may be the current one's text: when a schedule is set, Secrets Manager tries this step
        alone, with a pending version that says what the current one does.
        https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
        """
        derived(await self._pending())

    async def _finish(self) -> None:
        """Make it the current one: what was that becomes the previous one by itself.

        Raises `Conflict` for a text that is the current one's, `LookupError`.
        """
        found = await self._client.get_secret_value(SecretId=self._secret, VersionStage=CURRENT)
        if derived(await self._pending()) == derived(found["SecretString"]):
            raise Conflict("The new secret is the one that is to be replaced.")
        stages = await self._stages()
        (former,) = [version for version, labels in stages.items() if CURRENT in labels]
        await self._client.update_secret_version_stage(
            SecretId=self._secret,
            VersionStage=CURRENT,
            MoveToVersionId=self._version,
            RemoveFromVersionId=former,
        )

    async def _pending(self) -> str:
        """Return the new secret; raises `LookupError` while there is none."""
        try:
            found = await self._client.get_secret_value(
                SecretId=self._secret, VersionId=self._version, VersionStage=PENDING
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            raise LookupError("the new secret was not made") from None
        return str(found["SecretString"])


async def rotate(event: Mapping[str, Any]) -> None:
    """Do the step that an event names, of the version that it names."""
    asking = aws.client("secretsmanager", connect_timeout=SECONDS, read_timeout=SECONDS)
    async with asking as client:
        rotation = Rotation(client, event["SecretId"], event["ClientRequestToken"])
        await rotation.step(event["Step"])


def handler(event: Mapping[str, Any], context: Context) -> None:
    """Answer one call of Secrets Manager; what is raised has it call again."""
    configure_logging("json")
    with structlog.contextvars.bound_contextvars(invocation=context.aws_request_id):
        asyncio.run(rotate(event))
