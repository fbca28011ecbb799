"""Lay out the worker's image in a folder, without a container engine: `scripts/image_layout.py`.

It reads infra/aws/worker.Dockerfile and does its steps, so what the tests run is what an image has
at /var/task; what its base has (Python, the runtime client) is this machine's. Needs the Python of
the base here, and the package index.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pythons import python_of

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = ROOT / "infra/aws/worker.Dockerfile"
BUILD = ROOT / "build/image"
MOST = 10 << 30
"""Bytes that the image of a function may have."""
TASK_ROOT = "/var/task"
"""What AWS's base calls LAMBDA_TASK_ROOT."""
BASE = re.compile(r"public\.ecr\.aws/lambda/python:(3\.\d+)$")
VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass
class Layout:
    """An image as it is laid out: the folder that is its root, and what was said of it."""

    root: Path
    python: str = ""
    user: str = ""
    command: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def task(self) -> Path:
        """The folder that is `/var/task`."""
        return self.root / TASK_ROOT.lstrip("/")

    def size(self) -> int:
        """Return the bytes that the steps have added to the base."""
        return sum(path.lstat().st_size for path in self.root.rglob("*") if path.is_file())


def main() -> int:
    """Lay the image out, and say how large it is; 1 when that is too large."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--output", type=Path, default=BUILD, help="folder that is its root")
    layout = laid_out(options.parse_args().output)
    size = layout.size()
    print(f"{layout.root}: {size / 1e6:.1f} MB beside Python {layout.python}, {layout.command[0]}")
    return int(size > MOST)


def laid_out(root: Path) -> Layout:
    """Do the steps of the file in an empty folder; raises `SystemExit` for one it cannot do."""
    shutil.rmtree(root, ignore_errors=True)
    layout = Layout(root.resolve(), variables={"LAMBDA_TASK_ROOT": TASK_ROOT})
    layout.task.mkdir(parents=True)
    for word, rest in steps(DOCKERFILE.read_text()):
        if word not in STEPS:
            raise SystemExit(f"{DOCKERFILE.name}: {word} is a step that this cannot do.")
        STEPS[word](layout, rest)
    return layout


def steps(text: str) -> Iterator[tuple[str, str]]:
    """Yield each instruction of a Dockerfile and what is behind it."""
    for line in text.replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word and not word.startswith("#"):
            yield word.upper(), rest.strip()


def _arg(layout: Layout, rest: str) -> None:
    name, _, value = rest.partition("=")
    layout.variables[name] = value


def _from(layout: Layout, rest: str) -> None:
    found = BASE.fullmatch(_filled(layout, rest))
    if found is None:
        raise SystemExit(f"{DOCKERFILE.name}: {rest} is a base that this does not know.")
    layout.python = found[1]


def _copy(layout: Layout, rest: str) -> None:
    source, target = shlex.split(_filled(layout, rest))
    here, there = ROOT / source, layout.root / target.lstrip("/")
    there.parent.mkdir(parents=True, exist_ok=True)
    if here.is_dir():
        shutil.copytree(here, there, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(here, there)


def _run(layout: Layout, rest: str) -> None:
    """Run a command of Python with the base's, with paths that begin at the layout's root."""
    words = shlex.split(_filled(layout, rest))
    if words[0] != "python":
        raise SystemExit(f"{DOCKERFILE.name}: RUN {words[0]} is a step that this cannot do.")
    inside = [word.replace(TASK_ROOT, str(layout.task)) for word in words[1:]]
    subprocess.run(
        [interpreter(layout.python), *inside], check=True, cwd=layout.task,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONNOUSERSITE": "1"},
    )  # fmt: skip


def _user(layout: Layout, rest: str) -> None:
    layout.user = rest


def _cmd(layout: Layout, rest: str) -> None:
    layout.command = json.loads(rest)


STEPS = {"ARG": _arg, "FROM": _from, "COPY": _copy, "RUN": _run, "USER": _user, "CMD": _cmd}


def _filled(layout: Layout, text: str) -> str:
    return VARIABLE.sub(lambda found: layout.variables[found[1]], text)


def interpreter(version: str) -> str:
    """Return this Python here; raises `SystemExit` without one."""
    if (found := python_of(version)) is None:
        raise SystemExit(f"Install Python {version}: the image has it.")
    return str(found)


if __name__ == "__main__":
    sys.exit(main())
