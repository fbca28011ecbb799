"""The last release of the program, out of the repository's own history.

The newest tag `v…` before this commit; before there is one, what landed on `main` last, and on
`main` itself the commit before this one. A copy without history has none.
"""

import io
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = "src/mediamill"


def last_release(folder: Path) -> str | None:
    """Lay the program of the last release into a folder, which then goes first on the import path.

    Return which commit it is; None where there is no history.
    """
    commit = _commit()
    if commit is None:
        return None
    packed = _git("archive", "--format=tar", commit, PROGRAM)
    if packed is None:
        return None
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder / "release", filter="data")
    folder.mkdir(exist_ok=True)
    (folder / "release" / PROGRAM).rename(folder / "mediamill")
    return commit


def _commit() -> str | None:
    here = _said("rev-parse", "HEAD")
    for ref in ("HEAD", "HEAD^"):
        tag = _said("describe", "--tags", "--match", "v*", "--abbrev=0", ref)
        if tag and (commit := _said("rev-list", "-n", "1", tag)) != here:
            return commit
    for main in ("origin/main", "main"):
        base = _said("merge-base", "HEAD", main)
        if base and base != here:
            return base
    return _said("rev-parse", "--verify", "HEAD^1")


def _said(*arguments: str) -> str | None:
    told = _git(*arguments)
    return None if told is None else told.decode().strip()


def _git(*arguments: str) -> bytes | None:
    """Ask git; None for what it does not know, or where it or the history is not there."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
