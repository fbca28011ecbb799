"""The Dockerfile as it is read: pinned, for every processor, of what is there; and trimming."""

import re
import shutil
import subprocess
import sys

import pytest

from mediamill.core.settings import PREFIX, Settings
from tests.support.images import BASE, DOCKERFILE, ROOT

TEXT = DOCKERFILE.read_text()
IGNORED = DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines()
NAMED = re.compile(r"\b(MEDIAMILL_\w+)=")
SETTINGS = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


def problems(text):
    """Return what is wrong with a Dockerfile."""
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    if not BASE.search(text) or set(stages) != {"${BASE}"}:
        yield "its base is not pinned by a date and a digest"
    last = text.rpartition("\nFROM ")[2]
    if not re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, re.MULTILINE):
        yield "it runs as root, or as a name"
    if re.search(r"^ADD |curl|wget", text, re.MULTILINE):
        yield "it fetches what no hash is known of"
    for command in re.findall(r"\S*pip (?:install|wheel) [^&\\\n]*", text):
        if "--require-hashes" not in command and "--no-index" not in command:
            yield f"what `{command.strip()}` installs is not pinned"
    if re.search(r"amd64|x86_64|arm64|aarch64", text.partition("FROM ")[2]):
        yield "a step is for one processor"
    yield from (f"{name} is no setting" for name in re.findall(NAMED, text) if name not in SETTINGS)
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
        yield from (problem for source in line.split() for problem in copied(source))


def copied(source):
    path = ROOT / source.replace("${LOCK}", "backends")
    if not path.exists():
        yield f"{source} is not there"
    top = source.partition("/")[0]
    if not {f"!{source}", f"!{top}"} & {*IGNORED}:
        yield f"{source} is not sent to the builder"


def test_the_dockerfile_is_right():
    assert [*problems(TEXT)] == []
    assert IGNORED[1] == "*", "nothing but what is named is sent"


PLANTED = {
    "its base is not pinned": (r"@sha256:[0-9a-f]{64}", ""),
    "it runs as root": (r"USER 10001:10001", "USER mediamill"),
    "is not pinned": (r" --require-hashes -r requirements/build", " -r requirements/build"),
    "a step is for one": (r"WORKDIR /build", "RUN apt-get install libc6-amd64\nWORKDIR /build"),
    "is no setting": (r"MEDIAMILL_HOST=", "MEDIAMILL_ADDRESS="),
    "is not there": (r"scripts/trim.py scripts/", "scripts/cut.py scripts/"),
    "is not sent": (r"COPY src src", "COPY src docs src"),
    "it fetches": (r"COPY src src", "COPY src src\nADD https://example.org/a.tar /"),
}


@pytest.mark.parametrize("told", PLANTED)
def test_what_is_wrong_is_found(told):
    """The planted faults."""
    pattern, new = PLANTED[told]
    text, count = re.subn(pattern, new, TEXT)
    assert count >= 1
    assert any(told in problem for problem in problems(text))


def trimmed(folder):
    command = [sys.executable, ROOT / "scripts/trim.py", folder]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_trimming_leaves_what_is_read(tmp_path):
    packages = tmp_path / "lib/python3.13/site-packages"
    stay = [
        "numpy/core.py", "numpy/testing/__init__.py", "botocore/data/s3/2006/service-2.json",
        "botocore/data/endpoints.json", "mediamill/tests/own.py", "mediamill/web/a.h",
    ]  # fmt: skip
    go = [
        "numpy/__pycache__/core.pyc", "numpy/core/tests/test_a.py", "numpy/core.pyi",
        "numpy/include/a.h", "botocore/data/ec2/2016/service-2.json", "pyarrow/libarrow_s3.so.1",
        "mediamill/__pycache__/own.pyc",
    ]  # fmt: skip
    for name in stay + go:
        path = packages / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(1000))
    done = trimmed(tmp_path)
    assert done.returncode == 0, done.stderr
    left = {str(path.relative_to(packages)) for path in packages.rglob("*") if path.is_file()}
    assert left == {*stay}
    shutil.rmtree(packages.parent)
    assert trimmed(tmp_path).returncode == 2
