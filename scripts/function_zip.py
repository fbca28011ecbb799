"""Build the zip of the API's Lambda function: `python scripts/function_zip.py [--python 3.13]`.

It holds what the lock file names, verified by its hashes, for the function's Python and processor
whatever this machine's are, and this package; compiled, because a function may not write. The same
sources give the same bytes. What the function never imports is left out: it may have 250 MB.
Needs that Python here too, to compile with, and the package index.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from pythons import python_of

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements/backends.txt"
BUILD = ROOT / "build/functions"
MOST = 250 << 20
"""Bytes that a function and its layers may have, unpacked."""
MEMBER = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", re.MULTILINE)
PLATFORMS = {"x86_64": "x86_64", "arm64": "aarch64"}
MANYLINUX = (*(f"manylinux_2_{minor}" for minor in range(34, 16, -1)), "manylinux2014")
"""Amazon Linux 2023, on which Python 3.12 and later run, has glibc 2.34."""
DATE = (1980, 1, 1, 0, 0, 0)

LEFT_OUT = {
    "aio-pika", "aiormq", "pamqp", "nats-py", "redis",  # brokers that no function is rung by
    "confluent-kafka",  # Lambda itself reads the stream
    "numpy", "opencv-python-headless", "pyarrow", "simplejpeg",  # work on pixels: of workers
    "duckdb",  # answers analysts, on their machines
    "pyyaml",  # reads datasets: of workers
    "charset-normalizer", "pypdfium2",  # read documents: of workers
    "filelock", "flatbuffers", "fsspec", "hf-xet", "httpcore2", "httpx2", "huggingface-hub",
    "onnxruntime", "packaging", "protobuf", "tokenizers", "tqdm", "truststore",  # local models
    "click", "pygments", "rich",  # the command line
    "httptools", "uvicorn", "uvloop",  # the server: its place is the gateway's
}  # fmt: skip
"""Packages of the lock file that the API does not import."""
POSTGRESQL = {"psycopg", "psycopg-binary", "psycopg-pool"}
"""Left out as well unless it is asked for: the store of functions is DynamoDB mostly."""
AWS_SERVICES = frozenset({
    "dynamodb", "kms", "s3", "secretsmanager", "ses", "sesv2", "sns", "sqs", "ssm", "sso",
    "sso-oidc", "sts", "signin",
})  # fmt: skip
"""Of botocore's descriptions of 400 services, those that are spoken to."""
NEEDLESS = ("**/*.pyi", "**/*.pyx", "**/*.pxd", "**/tests", "**/include", "bin", "wrapt-stubs",
            "apsw/sqlite_extra_binaries")  # fmt: skip


@dataclass(frozen=True)
class Target:
    """What the function runs on."""

    python: str
    machine: str
    postgresql: bool = False

    @property
    def folder(self) -> Path:
        return BUILD / f"{self.machine}-{self.python}"

    def interpreter(self) -> str:
        """Return this Python here; raises `SystemExit` without one."""
        if (found := python_of(self.python)) is None:
            raise SystemExit(f"Install Python {self.python}: the function's modules are compiled.")
        return str(found)


def main() -> int:
    """Build it, and say how large it is; 1 when that is too large."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--python", default="3.13", help="Python of the function's runtime")
    options.add_argument("--machine", choices=PLATFORMS, default="x86_64")
    options.add_argument("--output", type=Path, default=BUILD / "api.zip")
    options.add_argument("--postgresql", action="store_true", help="Bring its client along")
    given = options.parse_args()
    target = Target(given.python, given.machine, given.postgresql)
    size, count = build(target, given.output)
    packed = given.output.stat().st_size
    print(f"{given.output}: {packed / 1e6:.1f} MB, unpacked {size / 1e6:.1f} MB in {count} files")
    if size > MOST:
        print(f"A function may have {MOST / 1e6:.0f} MB: leave more out.", file=sys.stderr)
    return int(size > MOST)


def build(target: Target, output: Path) -> tuple[int, int]:
    """Write the zip; return the bytes and the number of files in it."""
    libraries = with_libraries(target)
    own = target.folder / "own"
    shutil.rmtree(own, ignore_errors=True)
    pip("install", "--no-deps", "--no-build-isolation", "--no-compile", "--target", own, ROOT)
    trim(own)
    for record in own.glob("*.dist-info/*"):
        if record.name in {"direct_url.json", "RECORD", "REQUESTED"}:
            record.unlink()  # they tell where it was built
    compiled(target, own)
    output.parent.mkdir(parents=True, exist_ok=True)
    return pack([libraries, own], output)


def with_libraries(target: Target) -> Path:
    """Return a folder of what the lock file names, made unless it is there already."""
    wanted = requirements(LEFT_OUT if target.postgresql else LEFT_OUT | POSTGRESQL)
    code = Path(__file__).read_bytes()
    key = hashlib.sha256(wanted.encode() + code).hexdigest()[:16]
    place = target.folder / f"libraries-{key}"
    if place.exists():
        return place
    for stale in target.folder.glob("libraries-*"):
        shutil.rmtree(stale)
    fresh = target.folder / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    (target.folder / "requirements.txt").write_text(wanted)
    platforms = [
        word for name in MANYLINUX for word in ("--platform", f"{name}_{PLATFORMS[target.machine]}")
    ]
    pip(
        "install", "--no-deps", "--no-compile", "--only-binary=:all:", "--require-hashes",
        "--implementation", "cp", "--python-version", target.python, *platforms,
        "--target", fresh, "-r", target.folder / "requirements.txt",
    )  # fmt: skip
    trim(fresh)
    compiled(target, fresh)
    fresh.rename(place)
    return place


def requirements(left_out: AbstractSet[str]) -> str:
    """Return the lock file without what is left out."""
    kept = []
    for block in re.split(r"\n(?=[A-Za-z0-9])", LOCK.read_text()):
        found = MEMBER.match(block)
        if found and found[1].lower() not in left_out:
            kept.append(block.rstrip("\n"))
    return "\n".join(kept) + "\n"


def trim(folder: Path) -> None:
    """Remove what no function reads."""
    for pattern in NEEDLESS:
        for path in list(folder.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    data = folder / "botocore/data"
    for path in data.iterdir() if data.exists() else ():
        if path.is_dir() and path.name not in AWS_SERVICES:
            shutil.rmtree(path)


def compiled(target: Target, folder: Path) -> None:
    """Compile all modules, so that their bytes depend on their sources alone."""
    command = [
        target.interpreter(), "-m", "compileall", "-q", "-j", "1", "--invalidation-mode",
        "unchecked-hash", "-s", str(folder), "-p", "/var/task", str(folder),
    ]  # fmt: skip
    subprocess.run(command, check=True, env={"PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin"})


def pack(folders: list[Path], output: Path) -> tuple[int, int]:
    """Write all files of some folders into one zip, the same way each time."""
    files = sorted((name, path) for folder in folders for name, path in listed(folder))
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as made:
        for name, path in files:
            entry = zipfile.ZipInfo(name, DATE)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(entry, path.read_bytes())
    return sum(path.stat().st_size for _, path in files), len(files)


def listed(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def pip(*words: object) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input",
         *map(str, words)],
        check=True,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
