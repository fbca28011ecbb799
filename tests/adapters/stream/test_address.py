"""What `MEDIAMILL_STREAM_URL` may say, and what becomes of it."""

import base64
import hashlib
import hmac
import threading
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from botocore.session import Session

from mediamill.adapters.stream.kafka.address import Address
from mediamill.adapters.stream.kafka.iam import signer
from mediamill.adapters.stream.kafka.room import Room
from mediamill.adapters.stream.opening import open_publisher, open_stream
from mediamill.adapters.stream.port import Message, Part
from mediamill.core.errors import ConfigurationError


def test_plain_on_this_machine():
    settings = Address.of("kafka://127.0.0.1:9092,localhost:9093/?group=g").settings()
    assert settings["bootstrap.servers"] == "127.0.0.1:9092,localhost:9093"
    assert settings["security.protocol"] == "PLAINTEXT"


def test_a_password_over_tls():
    who = f"me:{quote('a/b@c', safe='')}"
    address = Address.of(f"kafkas://{who}@b-1.example:9096/?sasl=SCRAM-SHA-256")
    settings = address.settings()
    assert settings["security.protocol"] == "SASL_SSL"
    assert settings["sasl.password"] == "a/b@c"
    assert "a/b@c" not in repr(address)


def test_scram_is_what_a_user_means():
    assert Address.of("kafkas://me:pw@b:9096").settings()["sasl.mechanism"] == "SCRAM-SHA-512"


@pytest.mark.parametrize(
    "url",
    [
        "kafka://b.example:9092", "kafka://me:pw@b.example:9092", "kafka://127.0.0.1",
        "kafka://127.0.0.1:9092/images", "kafka://127.0.0.1:9092/?colour=red",
        "kafka://127.0.0.1:9092/?group=", "kafka://127.0.0.1:9092/?group=a&group=b",
        "kafka://me:pw@127.0.0.1:9092/?sasl=PLAIN", "kafka://127.0.0.1:9092/?sasl=SCRAM-SHA-512",
        "kafka://127.0.0.1:9092/?ca=/etc/hostname", "kafkas://b:9092/?ca=/nowhere.pem",
        "kafkas://b:9092/?ca=/etc/hostname", "kafkas://b:9098/?sasl=AWS_MSK_IAM",
        "kafka://127.0.0.1:9098/?sasl=AWS_MSK_IAM&region=eu-west-1",
        "kafkas://b:9092/?start=middle", "kafkas://b:9092/?session_seconds=0", "kafka://[b:1/",
        "none:", "amqp://b", "kafka://127.0.0.1:9092,b.example:9092", "kafka:///",
    ],
)  # fmt: skip
def test_a_wrong_address_names_its_setting(url):
    with pytest.raises(ConfigurationError, match="MEDIAMILL_STREAM_URL"):
        open_publisher(url)
    with pytest.raises(ConfigurationError, match="MEDIAMILL_STREAM_URL"):
        open_stream(url, ["images"])


def test_a_network_that_is_trusted():
    url = "kafka://b.example:9092/?allow_plaintext=true"
    assert Address.of(url).brokers == ("b.example:9092",)


SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def test_the_token_for_msk_is_a_signed_address():
    """The signature is computed here as the AWS reference says, without the SDK."""
    session = Session()
    session.set_credentials("AKIDEXAMPLE", SECRET, "the/session+token=")
    token, ends = signer("eu-west-1", session)("")
    url = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    assert "=" not in token
    parts = urlsplit(url)
    said = dict(parse_qsl(parts.query))
    assert parts.netloc == "kafka.eu-west-1.amazonaws.com"
    assert said["Action"] == "kafka-cluster:Connect"
    assert said["X-Amz-Expires"] == "900"
    assert said["X-Amz-Security-Token"] == "the/session+token="
    assert said.pop("User-Agent") == "mediamill"
    assert said.pop("X-Amz-Signature") == _signature(said, "eu-west-1")
    assert 800 < ends - __import__("time").time() <= 900


def _signature(said: dict[str, str], region: str) -> str:
    moment, day = said["X-Amz-Date"], said["X-Amz-Date"][:8]
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in said.items())
    query = "&".join(f"{name}={value}" for name, value in pairs)
    host = f"host:kafka.{region}.amazonaws.com\n"
    request = "\n".join(["GET", "/", query, host, "host", hashlib.sha256(b"").hexdigest()])
    scope = f"{day}/{region}/kafka-cluster/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
    key = b"AWS4" + SECRET.encode()
    for step in (day, region, "kafka-cluster", "aws4_request", text):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return key.hex()


def test_a_partition_that_holds_its_share_is_paused_until_half_is_released(monkeypatch):
    monkeypatch.setattr("mediamill.adapters.stream.kafka.room.PATIENCE", 600)
    one, two = (Part("c", "t", "i", number) for number in range(2))
    room = Room(20_000)
    room.reset([one, two])
    messages = [Message(one, n, None, b"x" * 1_500) for n in range(5)]
    assert [room.hold(message) for message in messages] == [True] * 4 + [False]
    assert room.wait(0) == (False, set())  # it may get some yet
    monkeypatch.setattr("mediamill.adapters.stream.kafka.room.PATIENCE", 0.02)
    assert room.wait(0.03) == (True, {one})
    assert room.hold(Message(two, 0, None, b""))
    assert room.wait(0) == (True, set())
    assert room.tight
    assert [room.release([message]) for message in messages[:3]] == [set(), set(), {one}]
    assert not room.tight


def test_room_that_comes_in_time_pauses_nothing(monkeypatch):
    monkeypatch.setattr("mediamill.adapters.stream.kafka.room.PATIENCE", 600)
    part = Part("c", "t", "i", 0)
    room, message = Room(2_000), Message(part, 0, None, b"x" * 2_000)
    room.reset([part])
    assert not room.hold(message)
    later = threading.Timer(0.05, room.release, [[message]])
    later.start()
    assert room.wait(60) == (True, set())
    later.join()
    assert not room.tight


def test_what_is_released_of_a_partition_that_is_gone_changes_nothing():
    part = Part("c", "t", "i", 0)
    room, message = Room(1_000), Message(part, 0, None, b"x" * 2_000)
    room.reset([part])
    assert not room.hold(message)
    room.reset()
    assert not room.release([message])
    assert room.wait(0) == (True, set())
