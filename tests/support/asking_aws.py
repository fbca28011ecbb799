"""An installation on AWS's services that does what it can, so that it is heard what that asks for.

Each function runs here, by its own handler, in its own role; services act as the functions do that
do the same. What no visit to a page or job brings about (an upload that is left lying, a sweep, a
cold object) is asked of the backend itself.
"""

import asyncio
import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import httpx
from PIL import Image

from tests.support.asked import Recorder
from tests.support.cloud import Cloud, cloud_server, fresh_cloud, rings, schedule_event
from tests.support.gateways import base_of, event_of, response_of
from tests.support.rotating import Begun

SERVICES = "s3,sqs,dynamodb,kms,secretsmanager,ses,sns,sts"
PASSWORD = "correct horse battery staple"
MAIL = "ann@example.org"


class Context:
    """What Lambda says of an invocation."""

    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    memory_limit_in_mb = 1769

    def get_remaining_time_in_millis(self) -> int:
        return 120_000


class Caller:
    """Somebody who asks the API's function through a gateway."""

    def __init__(self, handle: Callable[[Any, Any], dict[str, Any]]) -> None:
        self._handle, self.token = handle, ""

    def __call__(self, method: str, path: str, expected: int, **options: Any) -> Any:
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        request = httpx.Request(method, base_of("http-2.0") + path, headers=headers, **options)
        answer = response_of(self._handle(event_of("http-2.0", request, request.read()), Context()))
        answer.read()
        assert answer.status_code == expected, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content[:1] in (b"{", b"[") else answer


@contextmanager
def installation(folder: Path) -> Iterator[Cloud]:
    """Run the services, with what the templates make beside the table and the queues."""
    with cloud_server(folder, SERVICES) as server:
        cloud = fresh_cloud(server)
        at = f"region=us-east-1&endpoint={server.endpoint}"
        name = f"{cloud.name}-links"
        cloud.client("secretsmanager").create_secret(Name=name, SecretString="the first of all 64")
        topic = cloud.client("sns").create_topic(Name=f"{cloud.name}-events")["TopicArn"]
        for queue in cloud.queues.values():
            kept = {"MessageRetentionPeriod": "43200"}  # as the template's: it forgets none soon
            cloud.client("sqs").create_queue(QueueName=queue, Attributes=kept)
        cloud.client("sesv2").create_email_identity(EmailIdentity="mill@example.org")
        cloud.more.update(
            home=str(folder / "home"),
            secret=f"${{secretsmanager:{name}?{at}}}",
            secret_previous=f"${{secretsmanager:{name}?{at}&stage=AWSPREVIOUS}}",
            mail_url=f"ses://?from=mill@example.org&{at}",
            events_url=f"sns://{topic}?endpoint={server.endpoint}",
            min_free_bytes="0",
            function_margin_seconds="1",
        )
        given = cloud.environment() | {
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": server.endpoint,
        }  # fmt: skip
        with patch.dict(os.environ, given):
            yield cloud


def picture(side: int = 64) -> bytes:
    made = io.BytesIO()
    Image.effect_noise((side, side), 50).save(made, "PNG")
    return made.getvalue()


def archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as opened:
        for n in range(3):
            opened.writestr(f"{n}.png", picture(32 + n))
    return made.getvalue()


def functions_at_work(recorder: Recorder, cloud: Cloud) -> None:
    """Have every function do what it does."""
    from mediamill.aws.api import Api
    from mediamill.aws.environment import Environment
    from mediamill.aws.sweep import Sweeps
    from mediamill.aws.working import Works
    from mediamill.engine.shift import NOTIFIER, crew

    Environment().close()  # which makes the table, as the template does elsewhere
    recorder.role = "api"
    environment = Environment()
    ask = Caller(Api(environment).handle)
    worker, notifier, sweep = Works(crew), Works(lambda _: NOTIFIER), Sweeps()
    _people(ask)
    files = _files(ask, cloud)
    job = _submitted(ask, files)

    def turn() -> None:
        for role, handler, event in (
            ("worker", worker, rings()), ("notifier", notifier, rings("b\nwork:notices")),
            ("sweep", sweep, schedule_event()), ("worker", worker, rings()),
        ):  # fmt: skip
            recorder.role = role
            handler(event, Context())
        recorder.role = "api"

    for _ in range(8):
        turn()
        if ask("GET", f"/v1/jobs/{job}", 200)["state"] == "succeeded":
            break
    _collected(ask, job, files)
    turn()
    for opened in (worker, notifier, sweep):
        opened.close()
    environment.close()
    recorder.role = ""


def _people(ask: Caller) -> None:
    account = {"email": MAIL, "password": PASSWORD}
    ask("POST", "/v1/auth/register", 201, json=account)
    ask.token = ask("POST", "/v1/auth/login", 200, json=account)["token"]
    hook = {"url": "https://8.8.8.8/hook"}
    made = ask("POST", "/v1/webhooks", 201, json=hook)
    ask("POST", f"/v1/webhooks/{made['id']}/rotate", 201, json={})  # the former one is opened
    ask("DELETE", f"/v1/webhooks/{made['id']}", 204)


def _files(ask: Caller, cloud: Cloud) -> list[str]:
    """Put files in by every way there is; large ones go to the bucket in parts."""
    files = [ask("POST", "/v1/files?name=a.png", 201, content=picture())["id"]]
    ask("POST", "/v1/files?name=b.zip", 201, content=archive())
    for size in (1_000, 17 << 20):
        data = os.urandom(size)
        told = {"filename": f"{size}.bin", "size": size, "parts": size > 1_000,
                "sha256": hashlib.sha256(data).hexdigest()}  # fmt: skip
        upload = ask("POST", "/v1/uploads/presigned", 201, json=told)["links"]["self"]
        for part in ask("GET", f"{upload}/parts", 200)["data"]:
            some = data[part["start"] : part["start"] + part["size"]]
            request = part["request"]
            httpx.request(
                request["method"], request["url"], headers=request["headers"], content=some,
                trust_env=False,
            ).raise_for_status()  # fmt: skip
        ask("POST", f"{upload}/complete", 202)
    left = {"filename": "left.bin", "size": 17 << 20, "parts": True}
    upload = ask("POST", "/v1/uploads/presigned", 201, json=left)["links"]["self"]
    ask("DELETE", upload, 204)
    return files


def _submitted(ask: Caller, files: list[str]) -> str:
    wish = {
        "files": files,
        "steps": [{"operation": "thumbnail", "parameters": {}}],
        "notify": {"email": True},
    }
    return str(ask("POST", "/v1/jobs", 202, json=wish)["id"])


def _collected(ask: Caller, job: str, files: list[str]) -> None:
    """Look at everything, take it away, and delete it."""
    for path in (
        "/v1/files", "/v1/files?thumbnails=signed", "/v1/jobs", f"/v1/jobs/{job}/results",
        f"/v1/jobs/{job}/items", "/v1/usage", "/health/ready", "/v1/webhooks",
    ):  # fmt: skip
        ask("GET", path, 200)
    ask("GET", f"/v1/files/{files[0]}/content", 200)
    ask("GET", f"/v1/files/{files[0]}/content?direct=true", 307)
    ask("POST", f"/v1/jobs/{job}/link", 200)
    ask("DELETE", f"/v1/files/{files[0]}?now=true", 204)


async def backends_at_work(recorder: Recorder, cloud: Cloud, folder: Path) -> None:
    """Ask the backends for what they do seldom; a worker beside functions does any of it."""
    from mediamill.adapters.events.opening import probe_events
    from mediamill.adapters.mail.opening import probe_post
    from mediamill.adapters.secrets.opening import read_settings
    from mediamill.app import App

    recorder.role = "doctor"
    await probe_post(os.environ["MEDIAMILL_MAIL_URL"])
    await probe_events(os.environ["MEDIAMILL_EVENTS_URL"])
    recorder.role = "worker"
    app = await App.open(await read_settings())
    try:
        await _bytes(app.parts.blobs, cloud, folder, recorder)
        await app.parts.sealer.open(await app.parts.sealer.seal("x", "a/b/c"), "a/b/c")
    finally:
        await app.close()
        recorder.role = ""
    recorder.role = "hearing worker"
    app = await App.open(await read_settings())
    try:
        with app.bell.listen("work:interactive"):
            async with asyncio.timeout(60):
                while not any(place.operation == "DeleteMessage" for place in recorder.reached):
                    await app.bell.ring("work:interactive")
                    await asyncio.sleep(0.2)
    finally:
        await app.close()
        recorder.role = ""


async def _bytes(blobs: Any, cloud: Cloud, folder: Path, recorder: Recorder) -> None:
    """Do all that a port of bytes can do, with what is large, left lying and cold."""
    await blobs.put("probe/a", b"a" * 1000, fresh=True)
    large = folder / "large"
    large.write_bytes(os.urandom(33 << 20))
    await blobs.adopt("probe/large", large)
    await blobs.copy("probe/a", "probe/b")
    assert await blobs.get("probe/b")

    async def sources() -> Any:
        for name in ("probe/large", "probe/a"):
            yield name, (await blobs.info(name)).size

    await blobs.compose(sources(), "probe/composed")
    begun = await blobs.begin_parts("probe/left")
    assert begun
    await blobs.presign_put("probe/c", seconds=60, size=3)
    await blobs.sweep(1 << 60)
    try:
        async with blobs.upload("probe/broken") as upload:
            await upload.write(os.urandom(33 << 20))
            while not upload._parts._id:
                await asyncio.sleep(0.05)
            raise RuntimeError
    except RuntimeError:
        pass
    upload = await blobs.begin_parts("probe/parts")
    signed = await blobs.presign_part("probe/parts", upload, 1, seconds=60, size=3)
    async with httpx.AsyncClient(trust_env=False) as client:
        sent = await client.put(signed.url, headers=signed.headers, content=b"abc")
        sent.raise_for_status()
    await blobs.complete_parts("probe/parts", upload, await blobs.parts("probe/parts", upload))
    recorder.role = "doctor"
    await blobs.keeps_versions()
    recorder.role = "worker"
    async for _ in blobs.list("probe/"):
        pass
    bucket = blobs._bucket
    store = cloud.client("s3")
    store.put_object(Bucket=bucket.name, Key=bucket.path("probe/cold"), Body=b"x",
                     StorageClass="GLACIER")  # fmt: skip
    from mediamill.blobs.s3.cold import restoring

    await restoring(bucket, "probe/cold")
    await blobs.delete("probe/a")


async def secret_rotated(recorder: Recorder, cloud: Cloud) -> None:
    """Rotate the secret of links; the emulator's own rotation calls nobody."""
    from mediamill.aws.rotation import Rotation
    from mediamill.core import aws

    recorder.role, version = "rotation", str(uuid4())
    async with aws.client("secretsmanager") as client:
        rotation = Rotation(Begun(client, version), f"{cloud.name}-links", version)
        for step in ("createSecret", "setSecret", "testSecret", "finishSecret"):
            await rotation.step(step)
    recorder.role = ""
