"""The settings of the scaled compose file, with its secrets, on real servers of what it names."""

import asyncio
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from mediamill.core.settings import PREFIX
from tests.media_factory import clip
from tests.support.buckets import bucket_server
from tests.support.composing import GIVEN, PLACE, loaded, secrets_in
from tests.support.daemons import Daemon, program
from tests.support.postgres import postgres_server
from tests.support.processes import Process, free_port, until_live

pytestmark = [pytest.mark.image, pytest.mark.timeout(300)]

BROKER = {"MILL_BROKER_URL": "${file:/run/secrets/broker_url}"}
ACCOUNT = {"email": "ann@example.org", "password": "correct horse battery"}


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path.name} does not name {old}"
    path.chmod(0o644)
    path.write_text(text.replace(old, new))


@contextmanager
def nats(folder: Path, configuration: Path):
    """Run NATS with the file that it has in its container, at a port of ours."""
    port = free_port()
    changed(configuration, "0.0.0.0:4222", f"127.0.0.1:{port}")
    changed(configuration, "127.0.0.1:8222", f"127.0.0.1:{free_port()}")
    daemon = Daemon([program("nats-server", "nats-server"), "-c", str(configuration)], port, folder)
    daemon.start()
    try:
        yield port
    finally:
        daemon.end()


@pytest.fixture
def secrets(tmp_path):
    return secrets_in(tmp_path / "compose")


@pytest.fixture
def composed(tmp_path, secrets, monkeypatch):
    """The environment of each of our services, with what it names at ports of ours."""
    password = (secrets / "database_password").read_text().strip()
    rules = "host all mill 127.0.0.1/32 scram-sha-256\n"
    with (
        postgres_server(rules=rules) as database,
        bucket_server("moto_server", tmp_path) as bucket,
        nats(tmp_path, secrets / "nats_conf") as broker,
    ):
        with psycopg.connect(database.url(), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE mill LOGIN PASSWORD '{password}'")
            connection.execute("CREATE DATABASE mediamill OWNER mill TEMPLATE template0")
        bucket.client().create_bucket(Bucket="media")
        changed(secrets / "store_url", "@postgresql/", f"@127.0.0.1:{database.port}/")
        changed(secrets / "broker_url", "@nats:4222", f"@127.0.0.1:{broker}")
        services = loaded((PLACE / "compose.scaled.yaml").read_text(), GIVEN | BROKER)["services"]
        found = {}
        for name in ("api", "worker"):
            said = services[name]["environment"]
            found[name] = {key: here(value, secrets, bucket.port) for key, value in said.items()}
        for key, value in found["api"].items():
            if not key.startswith(PREFIX):
                monkeypatch.setenv(key, value)
        yield found


def here(value: str, secrets: Path, bucket: int) -> str:
    value = value.replace("/run/secrets/", f"{secrets}/").replace(
        "//s3:8333", f"//127.0.0.1:{bucket}"
    )
    return value.replace("172.30.76.2", "127.0.0.1")


def process(role: str, home: Path, environment: dict[str, str], **more: object) -> Process:
    home.mkdir()
    said = {
        key.removeprefix(PREFIX).lower(): value
        for key, value in environment.items()
        if key.startswith(PREFIX)
    }
    return Process(role, home / "home", free_port() if role == "api" else 0, **said, **more)


async def test_a_clip_becomes_frames(composed, secrets, tmp_path):
    port = free_port()
    api = process("api", tmp_path / "api", composed["api"])
    worker = process("worker", tmp_path / "worker", composed["worker"], metrics_port=port, slots=1)
    try:
        api.start()
        await until_live(api)
        worker.start()
        headers = {
            "host": GIVEN["MILL_NAME"], "x-forwarded-for": "203.0.113.9",
            "x-forwarded-proto": "https",
        }  # fmt: skip
        base = f"http://127.0.0.1:{api.port}"
        async with httpx.AsyncClient(
            base_url=base, headers=headers, timeout=90, trust_env=False
        ) as client:
            await client.post("/v1/auth/register", json=ACCOUNT)
            signed = await client.post("/v1/auth/login", json=ACCOUNT)
            client.headers["authorization"] = f"Bearer {signed.json()['token']}"
            data = clip(tmp_path / "clip.mp4").read_bytes()
            file = await client.post("/v1/files?name=clip.mp4", content=data)
            assert file.status_code == 201, file.text
            steps = [{"operation": "extract-frames", "parameters": {"fps": 1}}]
            job = await client.post("/v1/jobs", json={"files": [file.json()["id"]], "steps": steps})
            state = (await client.get(f"/v1/jobs/{job.json()['id']}?wait=60")).json()
            assert state["state"] == "succeeded", (state, worker.log()[-3000:])
            numbers = await client.get("/metrics", headers={"x-forwarded-for": "172.30.77.9"})
            assert "mediamill_doorbell_connected 1" in numbers.text
        told = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "mediamill", "health", "--port", str(port)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert told.returncode == 0, told
    finally:
        codes = [one.end() for one in (worker, api) if one.child is not None]
    assert codes == [0, 0]
    passwords = [
        (secrets / name).read_text().strip() for name in ("database_password", "link_secret")
    ]
    for one in (api, worker):
        assert not any(password in one.log() for password in passwords)
        assert "own_secret" not in one.log(), "links are signed with the shared secret"
        assert "own_keyring" not in one.log(), "all have the same keys"


async def test_a_wrong_password_would_be_noticed(composed, secrets, tmp_path):
    """The planted fault: the database looks at the password that the secret holds."""
    password = (secrets / "database_password").read_text().strip()
    changed(secrets / "store_url", password, "0" * 48)
    api = process("api", tmp_path / "api", composed["api"])
    api.start()
    assert api.child is not None
    code = await asyncio.to_thread(api.child.wait, 120)
    assert code != 0
    assert "password" in api.log()
