"""What AWS's keepers of secrets share: a question, and what its failures mean."""

from collections.abc import Set as AbstractSet
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from mediamill.adapters.secrets.port import Reference
from mediamill.core import aws
from mediamill.core.errors import Unavailable
from mediamill.core.plaintext import ALLOWING

ABSENT = frozenset({"ResourceNotFoundException", "ParameterNotFound", "ParameterVersionNotFound"})
WRONG = frozenset({"ValidationException", "InvalidParameterException", "InvalidRequestException"})
SECONDS = 5
"""How long an answer may take."""


async def ask(
    service: str, question: str, reference: Reference, options: AbstractSet[str], **said: Any
) -> Any:
    """Ask a service; None when it has no such thing. Raises `ValueError`, `Unavailable`."""
    given = reference.options
    if unknown := given.keys() - options - {"region", "endpoint", ALLOWING}:
        raise ValueError(f"there is no option {', '.join(sorted(unknown))}")
    if "endpoint" in given:
        aws.check_endpoint(given["endpoint"], given.get(ALLOWING))
    if not aws.has_region(region := _region(reference)):
        raise ValueError("add ?region=…, or set AWS_DEFAULT_REGION")
    try:
        asking = aws.client(
            service, region=region, endpoint=given.get("endpoint"),
            connect_timeout=SECONDS, read_timeout=SECONDS,
            retries={"mode": "standard", "total_max_attempts": 2},
        )  # fmt: skip
        async with asking as client:
            return await getattr(client, question)(**said)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in ABSENT:
            return None
        if code in aws.REFUSALS | WRONG or code.startswith("KMS"):
            raise ValueError(f"AWS refuses it: {code}") from None
        raise Unavailable(f"AWS does not answer well: {code}") from None
    except NoCredentialsError:
        raise ValueError("there are no AWS credentials") from None
    except (BotoCoreError, OSError, TimeoutError) as error:
        raise Unavailable(f"AWS cannot be asked: {error or type(error).__name__}") from None


def missing(what: str, reference: Reference) -> ValueError:
    """Say that something is not there, and where it was looked for."""
    where = _region(reference)
    return ValueError(f"there is no such {what}{f' in {where}' if where else ''}")


def _region(reference: Reference) -> str:
    """Return the region that a reference says, by itself or by its ARN."""
    if "region" in reference.options:
        return reference.options["region"]
    parts = reference.name.split(":")
    return parts[3] if parts[0] == "arn" and len(parts) > 3 else ""
