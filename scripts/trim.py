"""Take out of an installation what a service never reads: `python scripts/trim.py FOLDER`.

Tests, headers and type stubs of libraries, parts of Arrow that nobody here calls, botocore's
descriptions of the services that nobody here speaks to, and bytecode, which is made anew. Prints
how much that was. `deploy/docker/Dockerfile` runs it while an image is built.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

SERVICES = frozenset({
    "bedrock-runtime", "dynamodb", "kms", "rekognition", "s3", "sagemaker-runtime",
    "secretsmanager", "ses", "sesv2", "signin", "sns", "sqs", "ssm", "sso", "sso-oidc", "sts",
})  # fmt: skip
"""AWS's services that adapters speak to, and those through which one signs in."""
NEEDLESS = (
    "**/__pycache__", "**/*.pyi", "**/*.pyx", "**/*.pxd", "**/*.pxi", "**/*.a", "**/*.h",
    "**/*.hpp", "**/tests", "*/test", "*/include", "pyarrow/src", "pyarrow/libarrow_flight*",
    "pyarrow/libarrow_python_flight*", "pyarrow/_flight*", "pyarrow/_substrait*",
    "pyarrow/libarrow_s3*", "pyarrow/_s3fs*",
    "apsw/sqlite_extra_binaries", "onnxruntime/transformers", "onnxruntime/quantization",
    "onnxruntime/tools",
)  # fmt: skip
"""Patterns below `site-packages`."""


def main(arguments: list[str]) -> int:
    """Trim the installation below a folder; 2 when there is none."""
    packages = [*Path(arguments[0]).glob("lib/python3*/site-packages")] if arguments else []
    if not packages:
        print(f"usage: python {sys.argv[0]} FOLDER_OF_A_VIRTUAL_ENVIRONMENT", file=sys.stderr)
        return 2
    for place in packages:
        before = size(place)
        for path in {*needless(place)}:
            remove(path)
        print(f"{place}: {before / 1e6:.0f} MB, now {size(place) / 1e6:.0f} MB")
    return 0


def needless(packages: Path) -> Iterator[Path]:
    """Yield what nobody reads; never anything of Mediamill's own but bytecode."""
    own = packages / "mediamill"
    for pattern in NEEDLESS:
        for path in packages.glob(pattern):
            if path.name == "__pycache__" or not path.is_relative_to(own):
                yield path
    for description in packages.glob("botocore/data/*/"):
        if description.name not in SERVICES:
            yield description


def remove(path: Path) -> None:
    """Delete a file, or a folder with all in it; what went with another is no matter."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
