"""Credentials of a role, that end while the service runs: all clients get new ones, asked for once.

Whoever lends them here makes new ones each time; a way to the services notes which were used. The
services are moto's, which take any.
"""

import asyncio
import datetime as dt
import json
import re
import threading
import time
from collections import defaultdict
from contextlib import asynccontextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import pytest

import mediamill
from mediamill.adapters.brokers.opening import open_bell
from mediamill.adapters.events.opening import open_events
from mediamill.adapters.mail.opening import open_post
from mediamill.adapters.sealing.opening import open_sealer
from mediamill.adapters.secrets.reading import Secrets
from mediamill.core import aws as clients
from mediamill.store.opening import open_store
from mediamill.store.repositories.users import User
from tests.contracts.mail_contract import letter
from tests.support.buckets import bucket_server
from tests.support.listening import connected, listening
from tests.support.secrets import judge, place

LIFE_SECONDS = 5.0
"""Credentials are renewed when four seconds of it are left."""
RUN_SECONDS = 90
TOKEN = "a token of the test's own"

ANSWER = """<{name}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{name}Result>
<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>x</SecretAccessKey>
<SessionToken>y</SessionToken><Expiration>{until}</Expiration></Credentials>
<AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/mill/x</Arn><AssumedRoleId>A:x</AssumedRoleId>
</AssumedRoleUser></{name}Result></{name}Response>"""


class Lender(BaseHTTPRequestHandler):
    """The endpoint that a container asks, and STS."""

    def do_GET(self) -> None:
        if self.headers["Authorization"] != TOKEN:
            self.send_error(403)
            return
        keys = {"AccessKeyId": self.lend(), "SecretAccessKey": "x", "Token": "y"}
        self.tell(json.dumps({**keys, "Expiration": self.until()}))

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers["Content-Length"])).decode()
        name = re.search(r"Action=(\w+)", said)[1]
        if name == "AssumeRoleWithWebIdentity":
            assert "WebIdentityToken=who+we+are" in said
        self.tell(ANSWER.format(name=name, key=self.lend(), until=self.until()))

    def lend(self) -> str:
        key = f"ROLE{next(self.server.numbers)}"
        self.server.lent[key] = time.time()
        return key

    def until(self) -> str:
        end = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=LIFE_SECONDS)
        return end.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def tell(self, text: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    with bucket_server("moto_server", tmp_path_factory.mktemp("roles")) as server:
        judge(server, "secretsmanager").create_secret(Name="mill/roles", SecretString="a secret")
        judge(server, "ssm").put_parameter(Name="/mill/roles", Value="x", Type="SecureString")
        judge(server, "sesv2").create_email_identity(EmailIdentity="mill@example.org")
        yield server


@pytest.fixture
def lender():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Lender)
    server.lent, server.numbers, server.daemon_threads = {}, count(), False
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(
    params=[
        "container",
        pytest.param("web identity", marks=pytest.mark.soak),
        pytest.param("assumed role", marks=pytest.mark.soak),
    ]
)
def role(request, lender, tmp_path, monkeypatch):
    """Let credentials come from a role, and from nowhere else."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    address = f"http://127.0.0.1:{lender.server_port}"
    if request.param == "container":
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{address}/role")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", TOKEN)
        return lender
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", address)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    arn = "arn:aws:iam::123456789012:role/mill"
    if request.param == "web identity":
        (tmp_path / "token").write_text("who we are")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setenv("AWS_ROLE_ARN", arn)
        return lender
    (tmp_path / "config").write_text(
        f"[default]\nrole_arn = {arn}\nsource_profile = base\n"
        "[profile base]\naws_access_key_id = BASE\naws_secret_access_key = x\n"
    )
    return lender


class Noting:
    """Forwards to the services and notes who asked which."""

    def __init__(self) -> None:
        self.used: dict[str, list[tuple[str, float]]] = defaultdict(list)

    @asynccontextmanager
    async def to(self, port: int):
        async def flow(reader, writer, look) -> None:
            while data := await reader.read(1 << 16):
                if look:
                    self.note(data.decode(errors="replace"))
                writer.write(data)
            writer.write_eof()

        async def serve(reader, writer) -> None:
            with suppress(OSError):
                async with connected(port) as (back, onward):
                    await asyncio.gather(flow(reader, onward, True), flow(back, writer, False))

        async with listening(serve) as here:
            yield here

    def keys(self, service: str) -> set[str]:
        return {key for key, _ in self.used[service]}

    def note(self, text: str) -> None:
        for key, service in re.findall(r"Credential=(\w+)/\d+/[\w-]+/(\w+)/aws4", text):
            self.used[service].append((key, time.time()))


SERVICES = {"secretsmanager", "ssm", "kms", "sns", "ses", "sqs", "dynamodb"}


@asynccontextmanager
async def everything(there: str, key: str, home):
    """Open each backend of AWS; give what asks them all."""
    secrets = Secrets(0.01)
    kept = [secrets.of(f"${{{name}?{there}}}", "MEDIAMILL_X")
            for name in ("secretsmanager:mill/roles", "ssm:/mill/roles")]  # fmt: skip
    post = await open_post(f"ses://?from=mill@example.org&{there}")
    events = open_events(f"sns://roles?create=true&{there}")
    bell = open_bell(f"sqs://roles?{there}", "sqlite:///x")
    store = await open_store(f"dynamodb://roles?{there}")

    async def seal() -> None:
        sealer = open_sealer(f"kms://{key}?{there}", home)
        await sealer.seal("x", "y")
        await sealer.close()

    async def ask() -> None:
        asked = [secret.current() for secret in kept]
        await asyncio.gather(
            *asked, seal(), post.send(letter()), events.probe(), bell.ring("work:bulk"),
            store.get(User, "user_x"),
        )  # fmt: skip

    try:
        yield ask
    finally:
        for one in (post, events, bell, store):
            await one.close()


async def test_all_clients_go_on_with_new_credentials(services, role, tmp_path):
    key = judge(services, "kms").create_key()["KeyMetadata"]["KeyId"]
    noting = Noting()
    async with (
        noting.to(services.port) as port,
        everything(place(services, port), key, tmp_path) as ask,
    ):
        begun = time.monotonic()
        while min(len(noting.keys(service)) for service in SERVICES) < 2:
            assert time.monotonic() - begun < RUN_SECONDS, noting.used
            await ask()
            await asyncio.sleep(0.1)
        lasted = time.monotonic() - begun
    for service, used in noting.used.items():
        keys = noting.keys(service)
        assert keys <= role.lent.keys()
        assert all(at - role.lent[key] < LIFE_SECONDS for key, at in used), service
    assert len(role.lent) <= 3 + 2 * lasted / (LIFE_SECONDS - clients.LEAST_SECONDS)


def test_no_client_is_made_anywhere_else():
    """All clients, and so all credentials, are of `core/aws.py`; settings never hold any.

    A token for MSK is signed in a thread of the Kafka client, where no loop runs.
    """
    (folder,) = mediamill.__path__
    making = re.compile(r"create_client|get_session\b|aws_access_key|aws_secret|set_credentials")
    found = {
        path.relative_to(folder).as_posix()
        for path in Path(folder).rglob("*.py")
        if making.search(path.read_text())
    }
    assert found == {"core/aws.py", "blobs/s3/bucket.py", "adapters/stream/kafka/iam.py"}
