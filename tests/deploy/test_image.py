"""The image: its Dockerfile's steps run in a fresh root, and the service works there read-only."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import media_factory
from tests.support.images import CLIENT, ROOT, Contained, Image, builder
from tests.support.processes import free_port, signed_in, until_live

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]

MOST = 1_050_000_000
"""Bytes of the whole image, unpacked."""


@pytest.fixture(scope="module")
def image():
    with builder() as building:
        yield building.build("mediamill", BASE=building.base())


def contained(image: Image, home: Path, *arguments: str, **variables: str) -> Contained:
    home.mkdir()
    user, _, group = image.config["User"].partition(":")
    os.chown(home, int(user), int(group))
    return Contained(image, home, arguments, free_port(), variables)


def test_it_is_what_an_engine_is_told(image):
    config = image.config
    assert config["User"] == "10001:10001", "a number: Kubernetes sees that it is not root"
    assert config["Entrypoint"] == ["mediamill"]
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"] == ["CMD", "mediamill", "health"]
    assert list(config["Volumes"]) == ["/var/lib/mediamill"]
    licences = "org.opencontainers.image.licenses"
    assert licences not in config["Labels"], "there is more in it than one licence"


def test_it_is_small_and_holds_nothing_of_the_build(image):
    files = [path for path in image.root.rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) < MOST
    names = {path.name for path in image.packages.iterdir()}
    assert not names & {"pip", "hatchling", "setuptools", "pytest"}
    assert not [*image.root.glob("build"), *image.root.glob("var/lib/apt/lists/*_Packages")]
    assert not [*image.root.glob("**/pip.conf")], "the secret is in no layer"
    assert "authority" not in json.dumps(image.told["Docker"]["config"])
    own = image.packages / "mediamill"
    assert (own / "py.typed").exists()
    assert [*own.glob("__pycache__/*.pyc")], "compiled: a read-only root keeps nothing"


def test_no_file_gives_rights_or_can_be_changed_by_the_service(image):
    ours = image.root / "usr/local/lib/mediamill"
    assert not [path for path in ours.rglob("*") if path.lstat().st_uid != 0]
    assert not [
        path for path in ours.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o6022
    ]


async def test_the_service_turns_a_clip_into_frames_in_a_root_that_is_read_only(image, tmp_path):
    clip = media_factory.clip(tmp_path / "clip.mp4")
    up = contained(image, tmp_path / "home", "up")
    up.variables |= {"MEDIAMILL_HOST": "127.0.0.1", "MEDIAMILL_PORT": str(up.port)}
    up.start()
    try:
        await until_live(up, 120)
        async with signed_in(up) as client:
            made = await client.post(
                "/v1/files", content=clip.read_bytes(), params={"name": "clip.mp4"}
            )
            assert made.status_code == 201, made.text
            steps = [{"operation": "extract-frames", "parameters": {"fps": 1}}]
            job = await client.post("/v1/jobs", json={"files": [made.json()["id"]], "steps": steps})
            assert job.status_code == 202, job.text
            state = {}
            for _ in range(5):
                state = (await client.get(f"/v1/jobs/{job.json()['id']}?wait=60")).json()
                if state["state"] not in ("expanding", "running"):
                    break
            assert state["state"] == "succeeded", state
            download = await client.get(f"/v1/jobs/{job.json()['id']}/download")
            assert download.content.count(b"\xff\xd8\xff") >= 2
        port = {"MEDIAMILL_PORT": str(up.port)}
        told = healthy(up, **port)
        assert (told.returncode, json.loads(told.stdout)["ok"]) == (0, True), told
        # planted: nobody is at the port that is asked
        assert (
            healthy(up, MEDIAMILL_PORT=str(free_port()), MEDIAMILL_METRICS_PORT="0").returncode == 4
        )
    finally:
        code = up.end()
    assert code == 0, up.log()[-3000:]
    assert (up.home / "mediamill.db").stat().st_uid == 10001


def healthy(beside: Contained, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the image's own health check."""
    other = Contained(beside.image, beside.home, (), variables=beside.variables | variables)
    return other.run(*beside.image.config["Healthcheck"]["Test"][1:])


def test_it_may_write_nothing_else_and_is_nobody(image, tmp_path):
    there = contained(image, tmp_path / "home")
    for place in ("/", "/usr/local/lib/mediamill", "/etc", "/var/lib", "/dev"):
        told = there.run("touch", f"{place}/planted")
        assert told.returncode == 1, place
        assert "Read-only file system" in told.stderr or "Permission denied" in told.stderr
    assert there.run("touch", "/var/lib/mediamill/there", "/tmp/there").returncode == 0
    # so a place that is somebody's own is no exception: who the service is decides nothing
    mounted = {
        line.split()[4]: line.split()[5]
        for line in there.run("cat", "/proc/self/mountinfo").stdout.splitlines()
    }
    assert "ro" in mounted["/"].split(",")
    told = there.run("cat", "/proc/self/status").stdout
    assert "CapEff:\t0000000000000000" in told
    assert "CapBnd:\t0000000000000000" in told
    assert "NoNewPrivs:\t1" in told
    assert "Uid:\t10001\t10001\t10001\t10001" in told


def test_every_backend_can_be_imported_in_it(image, tmp_path):
    """What was trimmed was not needed."""
    there = contained(image, tmp_path / "home")
    wanted = (
        "aio_pika, aiobotocore.session, aiosmtplib, apsw, av, cv2, duckdb, joserfc, nats, "
        "numpy, obstore, onnxruntime, PIL.Image, pillow_heif, psycopg, pyarrow.parquet, "
        "pyarrow.dataset, redis, simplejpeg, tokenizers, confluent_kafka, huggingface_hub, "
        "pypdfium2, opentelemetry.sdk.trace"
    )
    script = f"import {wanted}\nfrom botocore.session import Session\n" + "".join(
        f"Session().create_client({name!r}, region_name='eu-central-1')\n"
        for name in ("s3", "dynamodb", "sqs", "sns", "sesv2", "kms", "ssm", "secretsmanager",
                     "bedrock-runtime", "sagemaker-runtime", "rekognition", "sts")
    )  # fmt: skip
    told = there.run("/usr/local/lib/mediamill/bin/python", "-c", script)
    assert told.returncode == 0, told.stderr


def test_it_can_back_up_the_database_of_compose(image, tmp_path):
    there = contained(image, tmp_path / "home")
    for program in ("pg_dump", "pg_restore"):
        told = there.run(program, "--version")
        assert (told.returncode, told.stderr) == (0, "")
        assert f"(PostgreSQL) {CLIENT}." in told.stdout
    backup = (image.root / "backup").stat()
    assert (backup.st_uid, backup.st_mode & 0o777) == (10001, 0o700), "as a volume begins there"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("lock", ["runtime", "backends"])
def test_all_that_is_locked_has_wheels_for_both_processors(machine, lock, tmp_path):
    """By what the package index says, for Debian 13's Python and C library."""
    platforms = [
        f"manylinux_2_{minor}_{machine}" for minor in (41, 39, 36, 35, 34, 31, 28, 27, 24, 17)
    ]
    command = [
        sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps",
        "--ignore-installed", "--only-binary", ":all:", "--require-hashes", "--python-version",
        "3.13", "--target", tmp_path, "--disable-pip-version-check",
        *(word for one in (*platforms, f"manylinux2014_{machine}") for word in ("--platform", one)),
        "-r", ROOT / f"requirements/{lock}.txt",
    ]  # fmt: skip
    told = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
