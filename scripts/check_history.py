"""Look for secrets in every version of every file that a branch or a tag leads to.

What was committed once can be read for ever, so a secret that was taken out of the tree again is
found here. The patterns are those of `check_tree.py`. Prints what it finds, each with the first
commit that has it and without the secret; exits with 1 if anything.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from check_tree import SECRETS

ROOT = Path(__file__).resolve().parent.parent

ALLOWED = {
    "31e4111a0db7af4da73aee6eadd515ede2c99960": "docs/mail.md shows an address with a made-up word",
}
"""Objects of git that may have something of the kind, and why."""


def main(root: Path = ROOT) -> int:
    """Check all objects of a repository."""
    shallow = _git(root, "rev-parse", "--is-shallow-repository").decode().strip() == "true"
    names = _names(root)
    found = [problem for problem in _problems(root, names) if problem[0] not in ALLOWED]
    for oid, what in found:
        since = _git(root, "log", "--all", "--format=%h", f"--find-object={oid}").split()
        commit = since[-1].decode() if since else "?"
        print(f"{names[oid]} in commit {commit} (object {oid}): {what}")
    rest = "; only the newest commits are here" if shallow else ""
    print(f"{len(found)} secrets" if found else f"No secret in {len(names)} objects{rest}.")
    return 1 if found else 0


def _names(root: Path) -> dict[str, str]:
    """Return a path of every object that has one; of trees too."""
    listed = _git(root, "rev-list", "--objects", "--branches", "--tags", "--remotes", "HEAD")
    lines = (line.partition(" ") for line in listed.decode(errors="replace").splitlines())
    return {oid: name for oid, _, name in lines if name}


def _problems(root: Path, names: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the id of every text file's version that has a secret, and which kind."""
    rules = {what: re.compile(pattern.encode()) for what, pattern in SECRETS.items()}
    for oid, data in _contents(root, names):
        if b"\0" not in data[:8000]:
            yield from ((oid, what) for what, rule in rules.items() if rule.search(data))


def _contents(root: Path, names: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """Yield the bytes of each object that is a file."""
    command = ["git", "cat-file", "--batch", "--buffer"]
    asked = "\n".join(names).encode() + b"\n"
    told = subprocess.run(command, cwd=root, check=True, capture_output=True, input=asked).stdout
    place = 0
    while place < len(told):
        end = told.index(b"\n", place)
        oid, kind, size = told[place:end].decode().split()
        place = end + 1
        if kind == "blob":
            yield oid, told[place : place + int(size)]
        place += int(size) + 1


def _git(root: Path, *words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True).stdout


if __name__ == "__main__":
    sys.exit(main())
