"""The sessions that the README shows are run as they stand, against a real service."""

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mediamill.media.video.pattern import write_pattern
from tests.support.processes import running
from tests.support.services import unavailable

ROOT = Path(__file__).resolve().parents[2]
NEXT = "--- next command ---"
ID = re.compile(r"(file|job)_[0-9A-HJKMNP-TV-Z]{26}")


def session(page: str, opening: str) -> list[tuple[str, str]]:
    """Return the commands, and what is shown to come of each, of the block that begins so."""
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    (block,) = [block for block in blocks if block.startswith(f"$ {opening}")]
    found = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *rest = part.splitlines()
        while rest and rest[0].startswith("    "):
            command += "\n" + rest.pop(0)
        found.append((command, "\n".join(rest)))
    return found


def pattern(shown: str) -> str:
    """Make a regular expression of shown output: ids stand for any id, … for anything."""
    words = re.escape(ID.sub("@", re.sub(r"\s+", "", shown)))
    return words.replace("@", f"(?:{ID.pattern})").replace("…", ".*")


async def test_the_readmes_curl_session_does_what_it_shows(tmp_path: Path):
    for tool in ("curl", "unzip"):
        if shutil.which(tool) is None:
            unavailable(f"{tool} is not installed")
    write_pattern(tmp_path / "clip.mp4", seconds=5)
    steps = session("README.md", "S=http")
    async with running("up", tmp_path / ".mediamill") as service:
        script = f"\necho '{NEXT}'\n".join(command for command, _ in steps)
        script = script.replace(":8750", f":{service.port}")
        done = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    given = done.stdout.split(NEXT)
    assert len(given) == len(steps)
    for (command, shown), output in zip(steps, given, strict=True):
        told = re.sub(r"\s+", "", output)
        assert re.fullmatch(pattern(shown), told, re.DOTALL), f"$ {command}\n{output}"


@pytest.mark.parametrize(
    "wrong", ['{"id":"file_0", …}', "", '{"id":"job_01M7XZ5A3C8XK1V0QW9T5R2B7D"}']
)
def test_output_that_differs_would_be_found(wrong: str):
    told = '{"id":"job_01M7XZ5A3C8XK1V0QW9T5R2B7E","state":"running"}'
    assert not re.fullmatch(pattern(wrong), told)
    assert re.fullmatch(pattern('{"id":"job_01M7XZ5A3C8XK1V0QW9T5R2B7D", …}'), told)
