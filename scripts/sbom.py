"""Write the bill of materials of a release: `python scripts/sbom.py [OUTPUT] [--time SECONDS]`.

CycloneDX 1.6 as JSON (ECMA-424): what is in the wheel of others (scripts of the pages, the list of
passwords), and what it needs, as locked in `requirements/backends.txt`: names, versions, licences,
purls and the SHA-256 of every file that may be installed. What an extra brings is optional. The
same tree and time (of SOURCE_DATE_EPOCH, or of the commit) give the same bytes.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from licences import licence
from locked import OURS, ROOT, Locked, on_linux, read, with_extras

VENDOR = "src/mediamill/web/static/vendor"
PASSWORDS = "src/mediamill/services/accounts/commonest.txt"
NAMESPACE = uuid.UUID("8c9c0d5e-5f0c-4d0c-9a51-7f3b1a0d6f13")
"""Of serial numbers that we give: any fixed one does (RFC 9562, section 5.5)."""
VERSION = re.compile(r'^__version__ = "([^"]+)"', re.MULTILINE)

Json = dict[str, Any]


def main() -> int:
    """Write it to a file, or to standard output."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("output", nargs="?", type=Path)
    options.add_argument("--time", type=int, default=None, help="Seconds since 1970")
    given = options.parse_args()
    text = written(ROOT, released_at(ROOT) if given.time is None else given.time)
    if given.output is None:
        sys.stdout.write(text)
    else:
        given.output.write_text(text)
    return 0


def version_of(root: Path) -> str:
    """Return the version that a tree says it is; raises `SystemExit` when it says none."""
    found = VERSION.search((root / "src/mediamill/__init__.py").read_text())
    if found is None:
        raise SystemExit("src/mediamill/__init__.py has no __version__.")
    return found[1]


def released_at(root: Path) -> int:
    """Return the time that files of a release bear: SOURCE_DATE_EPOCH, or that of the commit."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    command = ["git", "log", "-1", "--format=%ct"]
    told = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    return int(told.stdout)


def written(root: Path, time: int) -> str:
    """Return the bill of a tree, as text."""
    bill = document(root, time)
    content = json.dumps(bill, sort_keys=True)
    bill["serialNumber"] = f"urn:uuid:{uuid.uuid5(NAMESPACE, content)}"
    return json.dumps(bill, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def document(root: Path, time: int) -> Json:
    """Return the bill without its serial number."""
    version = version_of(root)
    packages = [one for one in read("backends", root) if on_linux(one)]
    always = {one.name for one in read("runtime", root)}
    brought = with_extras(root)
    needed = [library(one, one.name in always, brought[one.name]) for one in packages]
    bundled = list(inside(root))
    ours = f"pkg:pypi/{OURS}@{version}"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lifecycles": [{"phase": "build"}],
            "component": {
                "type": "application",
                "bom-ref": ours,
                "name": OURS,
                "version": version,
                "purl": ours,
                "licenses": [{"expression": "Apache-2.0"}],
                "components": bundled,
            },
        },
        "components": needed,
        "dependencies": list(dependencies(ours, packages)),
    }


def library(package: Locked, always: bool, extras: list[str]) -> Json:
    """Return a package that ours needs, as a component."""
    told = [{"name": "mediamill:extra", "value": extra} for extra in extras]
    if package.marker:
        told.append({"name": "mediamill:marker", "value": package.marker})
    return {
        "type": "library",
        "bom-ref": reference(package),
        "name": package.name,
        "version": package.version,
        "purl": reference(package),
        "scope": "required" if always else "optional",
        "licenses": [{"expression": licence(package.name)}],
        "hashes": [{"alg": "SHA-256", "content": digest} for digest in package.hashes],
    } | ({"properties": told} if told else {})


def reference(package: Locked) -> str:
    return f"pkg:pypi/{package.name}@{package.version}"


def inside(root: Path) -> Iterator[Json]:
    """Yield what others made that lies in the wheel: bundles with their parts, and the list."""
    manifest = json.loads((root / VENDOR / "manifest.json").read_text())
    parts = [
        {
            "type": "library",
            "bom-ref": (purl := f"pkg:npm/{quote(name)}@{about['version']}"),
            "name": name,
            "version": about["version"],
            "purl": purl,
            "licenses": [{"expression": about["license"]}],
        }
        for name, about in sorted(manifest["packages"].items())
    ]
    yield file(root, f"{VENDOR}/uppy.js") | {"components": parts}
    yield file(root, PASSWORDS) | {
        "description": "The beginning of the list of commonest passwords of zxcvbn 4.5",
        "licenses": [{"expression": "MIT"}],
    }


def file(root: Path, name: str) -> Json:
    """Return a file of the wheel, with its digest, as a component."""
    digest = hashlib.sha256((root / name).read_bytes()).hexdigest()
    inner = name.removeprefix("src/")
    return {
        "type": "file",
        "bom-ref": f"file:{inner}",
        "name": inner,
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }


def dependencies(ours: str, packages: list[Locked]) -> Iterator[Json]:
    """Yield who needs what, ours first, then each package once."""
    needs: dict[str, set[str]] = {}
    for package in packages:
        for name in package.needed_by:
            needs.setdefault(name, set()).add(reference(package))
    yield {"ref": ours, "dependsOn": sorted(needs.get(OURS, ()))}
    for package in packages:
        asked = sorted(needs.get(package.name, ()))
        yield {"ref": reference(package)} | ({"dependsOn": asked} if asked else {})


if __name__ == "__main__":
    sys.exit(main())
