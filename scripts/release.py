"""Build a release into dist/: `python scripts/release.py [--output DIST] [--final]`.

A wheel, an sdist, the bill of materials, the notes and SHA256SUMS, from what is committed and from
nothing else; the same commit gives the same bytes. The wheel is built from the sdist. With
`--final` it refuses what may not be published: changes that are not committed, a commit that does
not bear the version's tag, a version that CHANGELOG.md does not date. Otherwise it says so.
"""

import argparse
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import changelog
import sbom
from locked import OURS, ROOT

IMAGE = re.compile(r"""(!\[[^\]]*\]\(|<img\s[^>]*?src=")(?P<to>[^)\s"]+)""")
LINK = re.compile(r"""(?<!!)(\[(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*\]\()(?P<to>[^)\s"]+)""")
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|#")
BUILDING = {
    "LC_ALL": "C.UTF-8",
    "PATH": os.defpath,
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
}
"""All that the builder sees of the environment, but for the time."""


def main() -> int:
    """Build it, and list what came of it with sizes and digests."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--output", type=Path, default=ROOT / "dist")
    options.add_argument("--final", action="store_true", help="Refuse what may not be published")
    given = options.parse_args()
    version = sbom.version_of(ROOT)
    hindrances = list(unfit(version))
    for hindrance in hindrances:
        print(f"Not to be published: {hindrance}", file=sys.stderr)
    if hindrances and given.final:
        return 1
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "tree"
        export(tree)
        made = build(tree, given.output, sbom.released_at(ROOT))
    for path in made:
        print(f"{digest(path)}  {path.stat().st_size:>9,}  {path.name}")
    return 0


def unfit(version: str) -> Iterator[str]:
    """Yield why what is here may not be published as a version."""
    if told("git", "status", "--porcelain"):
        yield "there are changes that are not committed, and are left out."
    if f"v{version}" not in told("git", "tag", "--points-at", "HEAD").split():
        yield f"the commit does not bear the tag v{version}."
    time = told("git", "log", "-1", "--format=%ct").strip()
    if (os.environ.get("SOURCE_DATE_EPOCH") or time) != time:
        yield "SOURCE_DATE_EPOCH is not the commit’s time: nobody else would get the same bytes."
    if version not in {one.version for one in changelog.versions(changelog.PAGE.read_text())}:
        yield f"CHANGELOG.md has no section [{version}]; the notes are those of what is unreleased."


def told(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def export(folder: Path) -> None:
    """Write what is committed into a new folder."""
    command = ["git", "archive", "--format=tar", "HEAD"]
    packed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")


def build(tree: Path, output: Path, time: int) -> list[Path]:
    """Build all files of a release of a tree, whose README is changed; return them."""
    version = sbom.version_of(tree)
    readme = tree / "README.md"
    readme.write_text(absolute(readme.read_text(), base_of(tree), f"v{version}"))
    output.mkdir(parents=True, exist_ok=True)
    for stale in output.glob(f"{OURS}-*"):
        stale.unlink()
    sdist = built("sdist", tree, output, time)
    with tempfile.TemporaryDirectory() as name:
        with tarfile.open(sdist) as archive:
            archive.extractall(name, filter="data")
        (inner,) = Path(name).iterdir()  # 1.0.0-rc.1 is 1.0.0rc1 there (PEP 440)
        wheel = built("wheel", inner, output, time)
    bill = output / f"{OURS}-{version}.cdx.json"
    bill.write_text(sbom.written(tree, time))
    notes = output / f"{OURS}-{version}.md"
    notes.write_text(notes_of((tree / "CHANGELOG.md").read_text(), version))
    made = [wheel, sdist, bill, notes]
    sums = output / "SHA256SUMS"
    sums.write_text("".join(f"{digest(path)}  {path.name}\n" for path in sorted(made)))
    return [*made, sums]


def built(target: str, tree: Path, output: Path, time: int) -> Path:
    """Build an sdist or a wheel of a tree into a folder; raises `SystemExit` with what failed."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", name]
        seen = BUILDING | {"SOURCE_DATE_EPOCH": str(time), "HOME": name}
        done = subprocess.run(
            command, cwd=tree, env=seen, capture_output=True, text=True, check=False, umask=0o022
        )
        if done.returncode:
            raise SystemExit(f"hatchling could not build the {target}:\n{done.stdout}{done.stderr}")
        (made,) = Path(name).iterdir()
        return Path(shutil.copyfile(made, output / made.name))


def notes_of(text: str, version: str) -> str:
    """Return what a change log says of a version, of what is unreleased if it has none of it."""
    known = {one.version for one in changelog.versions(text)}
    section = version if version in known else changelog.UNRELEASED
    return f"# Mediamill {version}\n\n{changelog.notes(text, section)}"


def base_of(tree: Path) -> str:
    """Return the address of the repository, without a slash behind it."""
    project = tomllib.loads((tree / "pyproject.toml").read_text())["project"]
    return str(project["urls"]["Repository"]).rstrip("/")


def absolute(text: str, base: str, tag: str) -> str:
    """Return a README whose links and pictures work on a package index: they lead to the tag.

    What is in the repository is shown there; what is within the page, or elsewhere, stays.
    """

    def leading(view: str, found: re.Match[str]) -> str:
        to = found["to"]
        return found[0] if ELSEWHERE.match(to) else f"{found[1]}{base}/{view}/{tag}/{to}"

    text = IMAGE.sub(lambda found: leading("raw", found), text)
    return LINK.sub(lambda found: leading("blob", found), text)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
