"""Sign in to Amazon MSK with AWS credentials: a signed address is the token.

The token is the query-signed `kafka-cluster:Connect` of the region, in URL-safe base64 without
padding, as the brokers' `AWS_MSK_IAM` over OAUTHBEARER wants it. Credentials are found where the
AWS SDKs find them, not by `core/aws.py`: the client asks in a thread of its own. Needs
`kafka-cluster:Connect`, `DescribeTopic`, `ReadData`, `DescribeGroup`, `AlterGroup`, and for dead
letters and results `WriteData`, `WriteDataIdempotently`, `DescribeTransactionalId`,
`AlterTransactionalId`, to make their topics `CreateTopic`.
"""

import base64
import time
from collections.abc import Callable

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.session import Session, get_session

from mediamill.core.errors import ConfigurationError

LIFE_SECONDS = 900
AGENT = "mediamill"


def signer(region: str, session: Session | None = None) -> Callable[[str], tuple[str, float]]:
    """Return what makes a token, and says when it ends (seconds since 1970), when one is wanted."""
    aws = session or get_session()

    def sign(_: str) -> tuple[str, float]:
        credentials = aws.get_credentials()
        if credentials is None:
            raise ConfigurationError("MEDIAMILL_STREAM_URL: there are no AWS credentials.")
        url = f"https://kafka.{region}.amazonaws.com/?Action=kafka-cluster%3AConnect"
        request = AWSRequest("GET", url)
        frozen = credentials.get_frozen_credentials()
        SigV4QueryAuth(frozen, "kafka-cluster", region, expires=LIFE_SECONDS).add_auth(request)
        signed = f"{request.url}&User-Agent={AGENT}"
        token = base64.urlsafe_b64encode(signed.encode()).rstrip(b"=").decode()
        return token, time.time() + LIFE_SECONDS

    return sign
