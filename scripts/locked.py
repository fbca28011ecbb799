"""Read what a lock file of requirements/ names; used by scripts and tests."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parent.parent
OURS = "mediamill"
PYTHONS = ("3.11", "3.12", "3.13")
LINUX = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "sys_platform": "linux",
}

ENTRY = re.compile(
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==(?P<version>[^\s;\\]+)"
    r"(?: *; *(?P<marker>[^\\\n]+?))? *\\?\n(?P<rest>(?:[ \t]+.*\n?)*)",
    re.MULTILINE,
)
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
NEEDED_BY = re.compile(r"^ +# (?:via |  )([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE)
WANTED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Locked:
    """A package as a lock file names it."""

    name: str
    version: str
    marker: str
    """When it is installed at all, in the words of PEP 508; empty for always."""
    hashes: tuple[str, ...]
    """SHA-256 of each file that may be installed: the sdist, and a wheel for each platform."""
    needed_by: tuple[str, ...]
    """Who asks for it: names of packages, ours among them."""


def normal(name: str) -> str:
    """Return a package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(text: str) -> Iterator[Locked]:
    """Yield what a lock file names, in its order."""
    for found in ENTRY.finditer(text):
        yield Locked(
            normal(found["name"]),
            found["version"],
            (found["marker"] or "").strip(),
            tuple(HASH.findall(found["rest"])),
            tuple(normal(name) for name in NEEDED_BY.findall(found["rest"])),
        )


def read(name: str, root: Path = ROOT) -> list[Locked]:
    """Return what `requirements/<name>.txt` names."""
    return list(locked((root / f"requirements/{name}.txt").read_text()))


def extras(root: Path = ROOT) -> dict[str, list[str]]:
    """Return the packages that each extra of ours asks for."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    asked: Mapping[str, list[str]] = project["optional-dependencies"]
    return {
        extra: [normal(match[0]) for line in lines if (match := WANTED.match(line))]
        for extra, lines in asked.items()
    }


def with_extras(root: Path = ROOT) -> dict[str, list[str]]:
    """Return for each package of the service the extras that bring it; none when all have it."""
    needs: dict[str, set[str]] = {}
    everything = read("backends", root)
    for package in everything:
        for name in package.needed_by:
            needs.setdefault(name, set()).add(package.name)
    always = {package.name for package in read("runtime", root)}
    brought: dict[str, list[str]] = {package.name: [] for package in everything}
    for extra, roots in sorted(extras(root).items()):
        for name in sorted(_reached(roots, needs) - always):
            brought[name].append(extra)
    return brought


def _reached(roots: list[str], needs: Mapping[str, set[str]]) -> set[str]:
    """Return the packages that some ask for, themselves included."""
    seen: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += needs.get(name, ())
    return seen


def on_linux(package: Locked) -> bool:
    """Tell whether a package is installed on any Linux that we run on."""
    if not package.marker:
        return True
    marker = Marker(package.marker)
    return any(
        marker.evaluate(LINUX | {
            "python_full_version": f"{python}.{patch}",
            "python_version": python,
            "platform_machine": machine,
        })
        for python in PYTHONS
        for patch in (0, 9)
        for machine in ("x86_64", "aarch64")
    )  # fmt: skip
