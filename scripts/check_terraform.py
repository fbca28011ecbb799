"""Check `infra/terraform`: its format, its sources, the real provider's opinion, and checkov's.

`terraform` is looked for on PATH, the provider for AWS in the folder that TERRAFORM_PLUGINS names
(`.ci/run` finds it): nothing is downloaded. What is not there is skipped, with a word, unless
TERRAFORM_PLUGINS is set: then `terraform` and the provider have to be there. The folder is copied
first, so that `terraform init` leaves nothing in the tree.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import terraform_sources

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "infra/terraform"
CHECKOV = ROOT / ".venv/judges-infra/bin/checkov"
LEAST_REASON = 12
"""Letters of a reason: less says nothing."""
LONGEST = 1800
"""Seconds that a command may take: one that waits for an answer ends too."""


def main() -> int:
    """Print what is wrong: 1 if anything is."""
    problems = [*stale(), *unreasoned(FOLDER)]
    if program() is None:
        problems += _missing("terraform is not here: format and provider were not asked.")
    else:
        problems += unformatted(FOLDER)
        problems += (
            rejected(FOLDER)
            if plugins()
            else _missing("TERRAFORM_PLUGINS names no provider: nothing was validated by it.")
        )
    problems += unsafe(FOLDER) if CHECKOV.exists() else _missing(f"{CHECKOV} is not here.")
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems in infra/terraform." if problems else "Terraform is clean.")
    return int(bool(problems))


def program() -> str | None:
    """Return where `terraform` is, if it is here."""
    return shutil.which("terraform")


def plugins() -> str | None:
    """Return the folder of providers, if this machine was searched for one."""
    return os.environ.get("TERRAFORM_PLUGINS") or None


def _missing(what: str) -> list[str]:
    if plugins():
        return [what]
    print(f"Skipped: {what}")
    return []


def environment() -> dict[str, str]:
    """Return our variables without what a machine tells Terraform beside: files, logs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    return {**kept, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}


def terraform(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it in a folder; its answer is the caller's to judge."""
    return subprocess.run(
        ["terraform", *words], check=False, cwd=folder, env=environment(), capture_output=True,
        text=True, timeout=LONGEST,
    )  # fmt: skip


@contextmanager
def copied(folder: Path = FOLDER) -> Iterator[Path]:
    """Yield a copy of the folder, which goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="terraform-") as place:
        copy = Path(place) / "terraform"
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
        yield copy


def initialised(folder: Path) -> None:
    """Prepare a folder for the other commands; raises `SystemExit` with what was said."""
    done = terraform(folder, "init", "-no-color", "-input=false", f"-plugin-dir={plugins()}")
    if done.returncode:
        told = (
            f"{plugins()} does not have the provider that versions ask for, for this processor:\n"
        )
        raise SystemExit(told + done.stdout + done.stderr)


def stale() -> Iterator[str]:
    """Yield the files of sources that are not what the templates say."""
    for path, text in terraform_sources.written().items():
        if not path.exists() or path.read_text() != text:
            yield f"{path.relative_to(ROOT)}: run scripts/terraform_sources.py."


def unreasoned(folder: Path) -> Iterator[str]:
    """Yield exceptions from checkov's rules that do not say why, or stand elsewhere."""
    for check, resource, reason in exceptions(folder):
        if len(reason) < LEAST_REASON:
            yield f"exceptions.toml: {check} of {resource} has no reason."
    for path in sorted(folder.rglob("*.tf")):
        if "checkov:skip" in path.read_text():
            yield f"{path.name}: exceptions stand in exceptions.toml."


def unformatted(folder: Path) -> Iterator[str]:
    """Yield the files that `terraform fmt` would change."""
    done = terraform(folder, "fmt", "-check", "-recursive", "-no-color")
    if done.returncode:
        yield f"terraform fmt: {done.stdout.split()} {done.stderr}"


def rejected(folder: Path) -> Iterator[str]:
    """Yield what the provider says against the root and the examples."""
    with copied(folder) as copy:
        for place in (copy, *sorted((copy / "examples").iterdir())):
            initialised(place)
            told = json.loads(terraform(place, "validate", "-json").stdout)
            for one in told["diagnostics"]:
                where = one.get("range", {})
                line = where.get("start", {}).get("line")
                yield f"{place.name}: {where.get('filename')}:{line}: {one['summary']}: " + str(
                    one.get("detail")
                )


def unsafe(folder: Path) -> Iterator[str]:
    """Yield what checkov finds beside the exceptions, and those that nothing needs any more."""
    named = {(check, name): reason for check, name, reason in exceptions(folder)}
    found = {
        (one["check_id"], one["resource"].removeprefix("module.mill.").removeprefix("module.")): one
        for one in judged(folder)
    }
    for (check, resource), one in found.items():
        if (check, resource.replace("module.", "")) not in named:
            lines = "-".join(map(str, one["file_line_range"]))
            yield f"{one['file_path']}:{lines}: {check} {one['check_name']} ({resource})"
    there = {(check, resource.replace("module.", "")) for check, resource in found}
    for check, resource in named.keys() - there:
        yield f"exceptions.toml: nothing needs the exception {check} of {resource} any more."


def exceptions(folder: Path) -> list[tuple[str, str, str]]:
    """Return what is excused: the check, the resource and why."""
    told = tomllib.loads((folder / "exceptions.toml").read_text())["exception"]
    return [(one["check"], name, one["reason"]) for one in told for name in one["resources"]]


def judged(folder: Path) -> list[dict[str, Any]]:
    """Return what checkov finds wrong; raises `SystemExit` with what was said instead."""
    command = [
        str(CHECKOV), "--directory", str(folder), "--framework", "terraform", "--output", "json",
        "--quiet", "--compact", "--skip-download", "--download-external-modules", "false",
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        raise SystemExit(done.stdout + done.stderr) from None
    return list(found["results"]["failed_checks"])


if __name__ == "__main__":
    sys.exit(main())
