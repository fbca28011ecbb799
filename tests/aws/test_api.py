"""The API's function on the imitated machine, over DynamoDB, S3, SQS as an emulator has them."""

import io
import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from PIL import Image

from mediamill.adapters.sealing.keyring import Key
from tests.support.buckets import BucketServer, bucket_server
from tests.support.functions import Function, FunctionFailed, function
from tests.support.gateways import base_of, event_of, response_of
from tests.support.hanging import proxy
from tests.support.queues import queue_url, sqs_client

HANDLER = "mediamill.aws.api.handler"
PASSWORD = "a long enough secret"


def settings(server: BucketServer, name: str, here: str = "", queue: int = 0) -> dict[str, str]:
    """Return the environment of a function of its own table, bucket and queue."""
    here = here or server.endpoint
    server.client().create_bucket(Bucket=name)
    return {
        "MEDIAMILL_STORE_URL": f"dynamodb://{name}?region=us-east-1&endpoint={here}",
        "MEDIAMILL_BLOBS_URL": f"s3://{name}?endpoint={here}&region=us-east-1",
        "MEDIAMILL_BROKER_URL": queue_url(server, name, queue, hear="none"),
        "MEDIAMILL_SECRET": "kept elsewhere, mostly",
        "MEDIAMILL_SEALING_URL": f"local:{Key.make()}",
    }


@dataclass
class Caller:
    """Somebody who asks a function through a gateway."""

    run: Function
    form: str = "http-2.0"
    token: str = ""

    def __call__(self, method: str, path: str, **options) -> httpx.Response:
        headers = options.pop("headers", {})
        if self.token:
            headers |= {"authorization": f"Bearer {self.token}"}
        url = path if path.startswith("http") else base_of(self.form) + path
        request = httpx.Request(method, url, headers=headers, **options)
        event = event_of(self.form, request, request.read())
        answer = response_of(self.run.invoke(event))
        answer.read()
        return answer


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("aws")
    with bucket_server("ministack", folder, services="s3,dynamodb,sqs") as found:
        yield found


@pytest.fixture(scope="module")
def way(server):
    """The way from the function to its store and bucket."""
    with proxy(server.port) as found:
        yield found


@pytest.fixture(scope="module")
def slow(server):
    """The way from the function to its queue."""
    with proxy(server.port) as found:
        yield found


@pytest.fixture(scope="module")
def run(server, way, slow, tmp_path_factory):
    given = settings(server, "mill", way.endpoint, slow.port)
    with function(HANDLER, given, tmp_path_factory.mktemp("function")) as found:
        yield found


@pytest.fixture(scope="module")
def ann(run):
    caller, account = Caller(run), {"email": "ann@example.org", "password": PASSWORD}
    registered = caller("POST", "/v1/auth/register", json=account)
    assert registered.status_code == 201, registered.text
    session = caller("POST", "/v1/auth/login", json=account)
    caller.token = session.json()["token"]
    return caller


def picture(side: int = 64) -> bytes:
    made = io.BytesIO()
    Image.effect_noise((side, side), 50).save(made, "PNG")
    return made.getvalue()


def test_files_and_jobs_go_through_a_function(ann, server, slow):
    data = picture()
    put = ann("POST", "/v1/files?name=a.png", content=data)
    assert put.status_code == 201, put.text
    assert (put.json()["width"], put.json()["media_type"]) == (64, "image/png")
    got = ann("GET", f"/v1/files/{put.json()['id']}/content")
    assert got.content == data
    with queue_of(server, "mill") as rings:
        rings()  # of the file
        slow.delay = 0.2  # whoever answers without waiting is stopped before the queue has it
        said = {"files": [put.json()["id"]], "steps": [{"operation": "thumbnail"}]}
        job = ann("POST", "/v1/jobs", json=said)
        assert job.status_code == 202, job.text
        assert any("work:" in ring for ring in rings()), "no worker hears of the job"
        slow.delay = 0


@contextmanager
def queue_of(server: BucketServer, name: str):
    """Give what takes the rings that are in a queue."""
    with sqs_client(server) as client:
        url = client.get_queue_url(QueueName=name)["QueueUrl"]

        def rings() -> list[str]:
            found = []
            while messages := client.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0
            ).get("Messages"):
                found += [message["Body"] for message in messages]
            return found

        yield rings


def test_a_video_is_looked_at_without_what_works_on_pixels(ann, tmp_path):
    from mediamill.media.video.pattern import write_pattern

    clip = write_pattern(tmp_path / "clip.mp4", seconds=1).read_bytes()
    put = ann("POST", "/v1/files?name=clip.mp4", content=clip)
    assert (put.status_code, put.json()["media_type"]) == (201, "video/mp4")


def test_health_and_pages(run):
    caller = Caller(run)
    ready = caller("GET", "/health/ready")
    assert ready.status_code == 200, ready.text
    assert ready.json()["checks"] == {"store": "ok", "blobs": "ok"}
    assert "<!doctype html>" in caller("GET", "/signin").text


def test_logs_are_lines_of_json_that_name_the_invocation(run, ann):
    ann("GET", "/v1/me")
    lines = [json.loads(line) for line in run.logs().splitlines() if line.startswith("{")]
    (last,) = [line for line in lines if line.get("route") == "/v1/me"][-1:]
    assert len(last["invocation"]) == 36
    assert last["client"] == "203.0.113.7"
    assert ann.token not in run.logs()


def test_an_event_that_is_no_request_is_told_so(run):
    answer = run.invoke({"Records": []})
    assert answer["statusCode"] == 422
    assert "no HTTP request" in answer["body"]


def test_a_broken_file_is_refused_and_the_function_lives(run, ann):
    broken = ann("POST", "/v1/files?name=b.png", content=picture()[:20])
    assert broken.status_code == 422, broken.text
    assert ann("GET", "/v1/me").status_code == 200


def test_a_thaw_after_its_peers_hung_up(ann, way):
    """Connections to the store and the bucket end while nothing runs: the next request works."""
    for _ in range(3):
        put = ann("POST", "/v1/files?name=c.txt", content=b"some text")
        assert put.status_code == 201, put.text
        assert way.hang_up() >= 1
        got = ann("GET", f"/v1/files/{put.json()['id']}/content")
        assert (got.status_code, got.content) == (200, b"some text")
        assert way.hang_up() >= 1


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("MEDIAMILL_STORE_URL", "", "MEDIAMILL_STORE_URL: on Lambda"),
        ("MEDIAMILL_BLOBS_URL", "", "MEDIAMILL_BLOBS_URL: on Lambda"),
        ("MEDIAMILL_RESULTS_URL", "file:///tmp/x", "MEDIAMILL_RESULTS_URL: on Lambda"),
        ("MEDIAMILL_BROKER_URL", "", "MEDIAMILL_BROKER_URL: on Lambda"),
        ("MEDIAMILL_SECRET", "", "MEDIAMILL_SECRET: on Lambda"),
        ("MEDIAMILL_SEALING_URL", "", "MEDIAMILL_SEALING_URL: on Lambda"),
    ],
)
def test_what_would_be_lost_is_refused(setting, value, said, monkeypatch):
    """In this process: what is refused is refused before anything is opened."""
    import asyncio

    from mediamill.aws.environment import function_settings
    from mediamill.core.errors import ConfigurationError

    good = {
        "MEDIAMILL_STORE_URL": "dynamodb://mill", "MEDIAMILL_BLOBS_URL": "s3://mill",
        "MEDIAMILL_BROKER_URL": "sqs://mill", "MEDIAMILL_SECRET": "x",
        "MEDIAMILL_SEALING_URL": "kms://alias/mill",
    }  # fmt: skip
    for name, text in good.items():
        monkeypatch.setenv(name, text)
    assert asyncio.run(function_settings()).home == Path("/tmp/mediamill")
    monkeypatch.setenv(setting, value)
    with pytest.raises(ConfigurationError, match=said):
        asyncio.run(function_settings())


def test_a_function_that_cannot_start_says_what_to_set(server, tmp_path):
    wrong = settings(server, "wrong") | {"MEDIAMILL_STORE_URL": ""}
    with function(HANDLER, wrong, tmp_path) as run:
        with pytest.raises(FunctionFailed, match=r"Name a table, dynamodb://\.\.\."):
            run.invoke({})
        assert '"action": "function_not_opened"' in run.logs()
