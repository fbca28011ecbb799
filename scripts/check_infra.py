"""Judge AWS's templates: cfn-lint by AWS's own schemas, checkov by rules of safety.

What of checkov's rules does not fit is an exception in the resource's `Metadata`, with its reason.
Here checkov sees the templates without these, so that what it finds and what is excepted can be
compared: it is an error where a rule is broken without an exception, and where an exception stands
that nothing breaks any more. checkov asks nobody: its rules come with it.

Exits with 1 if anything is wrong.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (ROOT / "infra/aws", ROOT / "deploy/cloudwatch")
BESIDE = Path(sys.executable).parent
CHECKOV = BESIDE.parent / "judges-infra/bin/checkov"
LEAST = 30
"""Letters of a reason."""
PASSED_OVER = ("W3002",)  # nested templates are named by their files, as `package` wants them
SKIP = re.compile(r"^ {10}- id: (\S+)\n {12}comment: (.*)$", re.MULTILINE)
METADATA = re.compile(r"^ {4}Metadata:\n {6}checkov:\n(?: {8,}.*\n)+", re.MULTILINE)
RESOURCE = re.compile(r"^ {2}(\w+):\n {4}Type: ([\w:]+)\n(?:(?!^ {0,2}\S).*\n)*", re.MULTILINE)


class Finding(NamedTuple):
    """A rule and who breaks it."""

    file: str
    resource: str
    rule: str


def main() -> int:
    """Judge all templates."""
    files = [path for folder in FOLDERS for path in sorted(folder.glob("*.y*ml"))]
    wrong = [*_linted(files), *judged({path.name: path.read_text() for path in files})]
    for line in wrong:
        print(line)
    print(f"{len(wrong)} things are wrong in the templates." if wrong else
          f"{len(files)} templates are as cfn-lint and checkov want them.")  # fmt: skip
    return 1 if wrong else 0


def _linted(files: list[Path]) -> Iterator[str]:
    command = [BESIDE / "cfn-lint", "--format", "parseable"]
    for rule in PASSED_OVER:
        command += ["--ignore-checks", rule]
    ran = subprocess.run([*command, "--", *files], check=False, capture_output=True, text=True)
    yield from (line.removeprefix(f"{ROOT}/") for line in ran.stdout.splitlines())
    if ran.returncode and not ran.stdout:
        yield f"cfn-lint failed: {ran.stderr}"


def judged(texts: dict[str, str]) -> Iterator[str]:
    """Yield what is wrong in templates of some names: rules, exceptions and reasons."""
    excepted = {found: why for name, text in texts.items() for found, why in exceptions(name, text)}
    for one, why in excepted.items():
        if len(why) < LEAST:
            yield f"{one.file}: {one.resource} says too little of why not {one.rule}: {why}"
    found = broken({name: METADATA.sub("", text) for name, text in texts.items()})
    for one in sorted(found.keys() - excepted.keys()):
        yield f"{one.file}: {one.resource} breaks {one.rule}: {found[one]}"
    for one in sorted(excepted.keys() - found.keys()):
        yield f"{one.file}: {one.resource} does not break {one.rule}; drop the exception"


def exceptions(name: str, text: str) -> Iterator[tuple[Finding, str]]:
    """Yield the exceptions in a template, with their reasons."""
    for resource in RESOURCE.finditer(text):
        for rule, why in SKIP.findall(resource.group()):
            yield Finding(name, f"{resource[2]}.{resource[1]}", rule), why


def broken(texts: dict[str, str]) -> dict[Finding, str]:
    """Return what checkov finds, and what it says; raises `SystemExit` where it cannot run."""
    if not CHECKOV.exists():
        sys.exit("checkov is missing: make .venv/.judges-infra")
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            Path(folder, name).with_suffix(".yaml").write_text(text)
        command = [CHECKOV, "--directory", folder, "--framework", "cloudformation"]
        command += ["--skip-download", "--output", "json", "--compact"]
        ran = subprocess.run(command, check=False, capture_output=True, text=True)
    try:
        said = json.loads(ran.stdout)
        results, summary = said["results"], said["summary"]
    except (ValueError, LookupError, TypeError):
        sys.exit(f"checkov failed: {ran.stdout}{ran.stderr}")
    if summary["parsing_errors"] or not summary["passed"]:
        sys.exit(f"checkov could not read {results['parsing_errors']}")
    named = {Path(name).stem: name for name in texts}
    return {
        Finding(named[Path(one["file_path"]).stem], one["resource"], one["check_id"]):
        one["check_name"] for one in results["failed_checks"]
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
