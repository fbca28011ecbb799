"""S21: schemathesis on the published OpenAPI, against the real service.

The soak takes about half an hour. One worker: two threads of it sometimes break `ast.parse` of
CPython 3.11, which hypothesis calls (python/cpython#106905).
"""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import running, signed_in

UNFAIR = "positive_data_acceptance"
"""A schema cannot say that an id must exist, or that a name is one line."""
APART = "/(events|logout|refresh|drain)$"
"""Streams that last; what ends the session of the tests; what has their worker rest."""
ALL = "examples,coverage,fuzzing,stateful"
CONFIG = """
[[operations]]
include-path-regex = "^/v1/(files/(check|delete|ids|restore|tags)|uploads/presigned|projects/sample\
|captions/(export|review|rerun)|providers/[{]name[}]/(test|wake))$"
# Another method makes the word an id, of what is not there: 404.
checks.unsupported_method.enabled = false

[[operations]]
include-name = ["POST /v1/uploads", "PATCH /v1/uploads/{upload_id}"]
# Schemathesis cannot write tus's media type; tus-js-client judges these.
enabled = false

[[operations]]
include-name = ["DELETE /v1/me", "DELETE /v1/admin/users/{user_id}"]
# They may end the account that the tests are signed in to.
enabled = false
"""


@pytest.mark.parametrize(
    ("phases", "examples"),
    [
        pytest.param("examples,coverage", 1, marks=pytest.mark.scan, id="1"),
        pytest.param(ALL, 300, marks=pytest.mark.soak, id="300"),
    ],
)
@pytest.mark.timeout(0)  # that of its process holds
async def test_every_answer_is_as_published(tmp_path: Path, phases: str, examples: int):
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    async with (
        running("up", tmp_path / "home") as process,
        signed_in(process) as client,
    ):
        url = f"http://127.0.0.1:{process.port}/openapi.json"
        done = await asyncio.to_thread(
            subprocess.run,
            [
                Path(sys.executable).with_name("schemathesis"), "run", url,
                "--header", f"Authorization: {client.headers['Authorization']}",
                "--phases", phases, "--max-examples", str(examples), "--exclude-checks", UNFAIR,
                "--exclude-path-regex", APART, "--request-timeout", "30", "--workers", "1",
                "--seed", "7", "--suppress-health-check", "all", "--no-color", "--warnings", "off",
            ],
            cwd=tmp_path, capture_output=True, text=True, timeout=400 + 20 * examples, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]
        assert "Traceback" not in process.log()
