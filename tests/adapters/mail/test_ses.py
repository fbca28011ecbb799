"""The contract through SES as ministack and moto do it.

Both keep what they were sent: ministack the parsed parts only, so what it shows no header of is
judged by moto, which keeps the raw mail.
"""

from email import message_from_bytes
from email.policy import default

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from mediamill.adapters.mail.opening import open_post, probe_post
from mediamill.adapters.mail.ses import SesPost, told
from mediamill.core.errors import ConfigurationError, DeliveryRefused, Unavailable
from tests.contracts.mail_contract import MailContract, letter
from tests.support.buckets import bucket_server

SENDER = "mill@example.org"


def url_of(server, **options):
    given = {"region": "us-east-1", "from": SENDER, "endpoint": server.endpoint, **options}
    return "ses://?" + "&".join(f"{name}={value}" for name, value in given.items())


def client_of(server):
    return boto3.client(
        "sesv2", endpoint_url=server.endpoint, region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip


def asked(server, path):
    return httpx.get(f"{server.endpoint}{path}").json()


def forget(server):
    httpx.post(f"{server.endpoint}/moto-api/reset")


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    with bucket_server("moto_server", tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="module")
def ministack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ministack")
    with bucket_server("ministack", folder, services="ses") as server:
        yield server


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


@pytest.mark.soak  # it takes four seconds to start
class TestSesOnMoto(MailContract):
    @pytest.fixture
    async def post(self, moto):
        self.server = moto
        forget(moto)
        client = client_of(moto)
        client.create_email_identity(EmailIdentity=SENDER)
        client.close()
        post = await open_post(url_of(moto))
        yield post
        await post.close()

    def kept(self):
        told = asked(self.server, "/moto-api/data.json")
        return [row["raw_data"].encode() for row in told.get("ses", {}).get("RawMessage", ())]

    async def sent(self):
        return [([], message_from_bytes(data, policy=default)) for data in self.kept()]

    async def raw(self):
        return self.kept()[0]

    async def test_a_sender_that_is_not_verified_is_refused_for_good(self, moto, post):
        stranger = await open_post(url_of(moto, **{"from": "eve@example.net"}))
        with pytest.raises(DeliveryRefused, match="MessageRejected"):
            await stranger.send(letter())


class TestSesOnMinistack:
    async def test_a_letter_arrives(self, ministack):
        client = client_of(ministack)
        for address in (SENDER, "ann@example.org"):
            client.create_email_identity(EmailIdentity=address)
        client.close()
        post = await open_post(url_of(ministack))
        await post.send(letter())
        told = asked(ministack, "/_ministack/ses/messages")["messages"]
        (mail,) = [mail for of_account in told.values() for mail in of_account]
        assert (mail["Source"], mail["To"]) == (SENDER, ["ann@example.org"])
        assert mail["Subject"] == letter().subject

    async def test_the_account_can_be_asked(self, ministack):
        assert "SES answers" in await probe_post(url_of(ministack))


def test_what_ses_says_of_our_account_is_shown_to_nobody():
    role = "arn:aws:sts::123456789012:assumed-role/mill is not authorized"
    for code, shown in (("AccessDeniedException", False), ("TooManyRequestsException", True)):
        answer = {"Error": {"Code": code, "Message": role}}
        with pytest.raises(Unavailable, match=code) as refused, told():
            raise ClientError(answer, "SendEmail")
        assert ("123456789012" in str(refused.value)) is shown


async def test_what_may_pass_is_tried_again():
    nobody = "ses://?region=us-east-1&from=mill@example.org&endpoint=http://127.0.0.1:1"
    post = await open_post(nobody)
    with pytest.raises(Unavailable, match="SES cannot be used"):
        await post.send(letter())


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ses:", "write ses://"),
        ("ses://?region=us-east-1", "write ses://"),
        ("ses://bucket?region=us-east-1&from=a@b.org", "write ses://"),
        ("ses://?region=us-east-1&from=ab.org", "from: it is no address"),
        ("ses://?region=us-east-1&from=a@b.org&endpoint=http://10.0.0.9:4566", "without TLS"),
        ("ses://?region=us-east-1&from=a@b.org&endpoint=nowhere", "endpoint"),
        ("ses://?region=us-east-1&from=a@b.org&zone=1", "unknown parameter zone"),
    ],
)
async def test_what_is_wrong_is_said(url, said):
    with pytest.raises(ConfigurationError, match="MEDIAMILL_MAIL_URL") as wrong:
        await open_post(url)
    assert said in wrong.value.message


async def test_more_is_said_to_ses_where_it_is_asked_for():
    post = await open_post("ses://?region=eu-central-1&from=a@b.org&configuration_set=mill")
    assert isinstance(post, SesPost)
    assert (post.region, post.configuration_set) == ("eu-central-1", "mill")
