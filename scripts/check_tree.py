"""Look for what may not be in the tree: secrets, registry addresses, paths of one machine.

Nor may scripts of our pages make HTML or programs of text. It also holds two rules that import
contracts cannot: only `core/settings.py` reads the environment, and no module is longer than 350
lines. Prints what it finds; exits with 1 if anything.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 350
MAX_BYTES = 1_000_000
READS_ENVIRONMENT = {
    "src/mediamill/core/settings.py",
    "src/mediamill/engine/slots/launch.py",  # what the interpreter itself needs in a child
}
"""Modules of the package that may read the environment."""

GENERATED = {"src/mediamill/client/models.py"}
"""Modules that a script writes from what is checked itself: they may be longer."""

SECRETS = {
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----",
    "an AWS key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "an AWS secret": r"(?i)aws_?secret_?(?:access_?)?key\W{1,5}[A-Za-z0-9/+]{40}\b",
    "a token of a code host": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,}"
    r"|glpat-[A-Za-z0-9_-]{20})\b",
    "a token of a package registry": r"\b(?:pypi-AgE[A-Za-z0-9_-]{50,}|npm_[A-Za-z0-9]{36})\b",
    "a token of a model provider": r"\b(?:sk-[A-Za-z0-9_-]{32,}|hf_[A-Za-z0-9]{30,})\b",
    "a key of Google's": r"\bAIza[A-Za-z0-9_-]{35}\b",
    "a token of a chat or payment service": r"\b(?:xox[abprs]-[A-Za-z0-9-]{20,}"
    r"|[rs]k_live_[A-Za-z0-9]{20,}|SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})\b",
    "a signed token": r"\beyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{20,}",
    "a webhook secret": r"\bwhsec_[A-Za-z0-9+/]{32,}",
    "a token of Mediamill": r"\bmm[stl]_[A-Za-z0-9_-]{43}\b",
    # names of RFC 2606 are nobody's
    "a password in an address": r"\b[a-z+]+://[^/\s:@?{<$…]+:[^/\s:@?{<$…]{3,}"
    r"@(?![a-z0-9.-]*\bexample(?:\.(?:com|net|org))?\b)[a-z0-9.-]+\.[a-z]{2,}",
}
"""What each pattern stands for, and the pattern. `check_history.py` looks for them too."""

RULES = {
    **SECRETS,
    "a registry address": r"(?:index-url|find-links|extra-index|registry\+http"
    r"|\"resolved\": *\"http|registry = \"http)",
    "a path of one machine": "|".join(
        rf"{re.escape(str(folder))}/" for folder in {ROOT.parent, Path.home()} - {Path("/")}
    )
    or r"(?!)",
}

SINKS = {
    "text that becomes HTML": r"\b(?:innerHTML|outerHTML)\s*\+?=(?!=)"
    r"|\b(?:insertAdjacentHTML|createContextualFragment|document\.write(?:ln)?)\(",
    "text that becomes a program": r"\b(?:eval|Function)\(|\bset(?:Timeout|Interval)\(\s*[\"'`]"
    r"|\bjavascript:",
}
"""What scripts and templates of our pages have no use for."""

ALLOWED = {
    # a part of a page, which the server has escaped
    ("src/mediamill/web/static/api.js", "text that becomes HTML"),
    ("scripts/check_tree.py", "a registry address"),
    ("CONTRIBUTING.md", "a registry address"),
}


def main() -> int:
    """Check every file that git tracks or would track."""
    found = [problem for path in _files() for problem in _problems(path)]
    for problem in found:
        print(problem)
    print(f"{len(found)} problems in the tree." if found else "The tree is clean.")
    return 1 if found else 0


def _files() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    names = {name for name in listed.decode().split("\0") if name}
    return sorted(name for name in names if (ROOT / name).is_file())


def _problems(name: str) -> Iterator[str]:
    path = ROOT / name
    data = path.read_bytes()
    if len(data) > MAX_BYTES:
        yield f"{name}: has {len(data):,} bytes; large files do not belong here"
    if b"\0" in data[:8000]:
        return
    text = data.decode(errors="replace")
    yield from _matches(name, text)
    if name.startswith("src/") and name.endswith(".py"):
        yield from _module_problems(name, text)


def _matches(name: str, text: str) -> Iterator[str]:
    pages = name.startswith("src/mediamill/web/") and name.endswith((".js", ".html"))
    for what, pattern in (RULES | SINKS if pages else RULES).items():
        if (name, what) in ALLOWED:
            continue
        for match in re.finditer(pattern, text):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{name}:{line}: {what}: {match.group()[:8]}…"


def _module_problems(name: str, text: str) -> Iterator[str]:
    lines = text.count("\n")
    if lines > MAX_LINES and name not in GENERATED:
        yield f"{name}: has {lines} lines, more than {MAX_LINES}: is there a second noun inside?"
    if name in READS_ENVIRONMENT:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}:
            yield f"{name}:{node.lineno}: reads the environment; only core/settings.py may"


if __name__ == "__main__":
    sys.exit(main())
