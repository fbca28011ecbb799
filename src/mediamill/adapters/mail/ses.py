"""Mails through Amazon SES: `ses://?region=…&from=…&configuration_set=…&endpoint=…`.

Needs `ses:SendEmail` (and `ses:GetAccount` for `mediamill doctor`) for the sender's identity;
credentials are found where the AWS SDKs find them. SES writes a `Message-ID` and a `Date` of its
own, so a repeat is known by `X-Mediamill-Notice`. That a mail is rejected is final; throttling, a
paused account and an unverified domain are not.
"""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from email.headerregistry import Address
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from mediamill.adapters.mail.message import message_of
from mediamill.adapters.mail.port import Letter
from mediamill.adapters.mail.sender import sender_of
from mediamill.core.aws import REFUSALS, check_endpoint, client, has_region
from mediamill.core.errors import DeliveryRefused, Unavailable
from mediamill.core.plaintext import ALLOWING
from mediamill.core.sourced import Sourced
from mediamill.core.urls import options_of, telling

SECONDS = 20.0
OPTIONS = frozenset({"region", "from", "configuration_set", "endpoint", ALLOWING})
FINAL = frozenset({"MessageRejected", "BadRequestException", "InvalidParameterValue"})
FORM = "write ses://?region=eu-central-1&from=mill@example.org"


@dataclass(frozen=True)
class SesPost:
    """Hands letters to SES."""

    sender: Address
    region: str | None = None
    endpoint: str | None = None
    configuration_set: str | None = None
    anywhere = False

    @classmethod
    def open(cls, url: Sourced, text: str) -> "SesPost":
        """Make it of a URL; raises `ConfigurationError`."""
        with telling(url.setting or "MEDIAMILL_MAIL_URL"):
            parts = urlsplit(text)
            options = options_of(parts.query, OPTIONS)
            if parts.netloc or parts.path.strip("/") or "from" not in options:
                raise ValueError(FORM)
            if endpoint := options.get("endpoint"):
                check_endpoint(endpoint, options.get(ALLOWING))
            if not has_region(options.get("region")):
                raise ValueError(f"{FORM}, or set AWS_DEFAULT_REGION")
            sender = sender_of(options["from"])
            return cls(sender, options.get("region"), endpoint, options.get("configuration_set"))

    async def send(self, letter: Letter) -> None:
        mail = message_of(letter, self.sender)
        more = {}
        if self.configuration_set:
            more["ConfigurationSetName"] = self.configuration_set
        with told():
            async with self._client() as ses:
                await ses.send_email(
                    FromEmailAddress=self.sender.addr_spec,
                    Destination={"ToAddresses": [mail["To"].addresses[0].addr_spec]},
                    Content={"Raw": {"Data": mail.as_bytes()}},
                    **more,
                )

    async def probe(self) -> str:
        """Ask SES about the account, sending nothing."""
        with told():
            async with self._client() as ses:
                account = await ses.get_account()
        if not account.get("SendingEnabled", True):
            raise Unavailable("SES has stopped this account from sending.")
        quota = account.get("SendQuota", {}).get("Max24HourSend", 0)
        free = account.get("ProductionAccessEnabled", True)
        where = "" if free else ", in the sandbox: to verified addresses only"
        return f"SES answers, {quota:.0f} mails a day{where}, from {self.sender.addr_spec}"

    async def close(self) -> None:
        """Do nothing: a client lasts for one mail."""

    def _client(self) -> AbstractAsyncContextManager[Any]:
        return client(
            "sesv2",
            region=self.region,
            endpoint=self.endpoint,
            connect_timeout=SECONDS,
            read_timeout=SECONDS,
            retries={"total_max_attempts": 1},  # we try again by ourselves
        )


@contextmanager
def told() -> Iterator[None]:
    """Raise what the SDK raises as an error of ours that says as much as may be shown."""
    try:
        yield
    except NoCredentialsError:
        raise Unavailable("SES cannot be used: there are no credentials.") from None
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        said = error.response.get("Error", {}).get("Message", "")
        why = code if code in REFUSALS else f"{code}: {said}"  # it names the account and the role
        raise (DeliveryRefused if code in FINAL else Unavailable)(f"SES says {why}") from None
    except BotoCoreError as error:
        raise Unavailable(f"SES cannot be used: {error}") from None


plugin = SesPost
