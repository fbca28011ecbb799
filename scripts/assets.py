"""Build what others wrote for our pages: `static/vendor`, from the lock file of `web-assets`.

`make assets` runs it. It needs Node.js 20 or later and npm; what is built is committed, so nobody
else does. The manifest beside it says what is in it, and the SHA-256 of each file.
"""

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "web-assets"
VENDOR = ROOT / "src/mediamill/web/static/vendor"
MANIFEST = "manifest.json"
INSTALL = (
    "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error",
)  # fmt: skip


def main() -> int:
    """Build the folder anew, and print the size of each script as it is sent."""
    build(VENDOR)
    for script in sorted(VENDOR.glob("*.js")):
        print(f"{script.name}: {script.stat().st_size:,} bytes, {compressed(script):,} compressed")
    return 0


def build(folder: Path) -> None:
    """Write all files of the vendor folder; the same lock file gives the same bytes."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "web-assets"
        shutil.copytree(SOURCES, place, ignore=shutil.ignore_patterns("node_modules"))
        subprocess.run(INSTALL, cwd=place, check=True, stdout=subprocess.DEVNULL)
        fresh = Path(name) / "built"
        fresh.mkdir()
        command = ["node", "build.mjs", str(fresh)]
        done = subprocess.run(command, cwd=place, check=True, capture_output=True, text=True)
        digests = {
            file.name: hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(fresh.iterdir())
        }
        manifest = {"packages": json.loads(done.stdout), "sha256": digests}
        (fresh / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        folder.mkdir(parents=True, exist_ok=True)
        for file in fresh.iterdir():
            shutil.copyfile(file, folder / file.name)


def compressed(path: Path) -> int:
    """Return the bytes that a file takes on its way."""
    return len(gzip.compress(path.read_bytes(), 9))


if __name__ == "__main__":
    sys.exit(main())
