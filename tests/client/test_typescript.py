"""A client in another language: made of the published description, built, and run for real."""

import json
import subprocess
from pathlib import Path

import httpx
import pytest

from mediamill.cli.remote.home import Credentials
from tests.support.npm import ROOT, installed

HERE = ROOT / "tests/client/typescript"
GENERATE = ("openapi-typescript/bin/cli.js", "--default-non-nullable=false", "-o", "schema.d.ts")
SECONDS = 110


def node(folder: Path, *command: object) -> str:
    """Run a program of the packages, or our own; return what it printed."""
    done = subprocess.run(
        ["node", *map(str, command)], cwd=folder, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with the sources and the packages that the lock file names."""
    for file in ("main.ts", "tsconfig.json", "package.json"):
        (tmp_path / file).write_bytes((HERE / file).read_bytes())
    (tmp_path / "node_modules").symlink_to(installed(HERE, "typescript") / "node_modules")
    return tmp_path


def test_a_generated_client_builds_and_works(service: Credentials, clip: Path, packages: Path):
    described = httpx.get(f"{service.server}/openapi.json", trust_env=False)
    (packages / "openapi.json").write_bytes(described.raise_for_status().content)
    modules = packages / "node_modules"
    node(packages, modules / GENERATE[0], "openapi.json", *GENERATE[1:])
    node(packages, modules / "typescript/bin/tsc", "-p", ".")
    told = json.loads(node(packages, "out/main.js", service.server, service.token, clip))
    assert told == {
        "file": "clip.mp4",
        "size": clip.stat().st_size,
        "state": "succeeded",
        "made": ["clip-frames.zip"],
        "wrong": "not_found",
    }
