"""Look up what is known against the libraries that we lock, in the database of osv.dev.

    python scripts/check_advisories.py [FILE …]        requirements/*.txt if none is named

A library of `runtime.txt` and `backends.txt` with an advisory ends it with 1, and so does one that
only develops. `ALLOWED` says which advisory does not concern us, why, and until when we believe it.
Without an answer from the database it says so and ends with 0, with 2 if `--must` is given.
"""

import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATABASE = "https://api.osv.dev"
SECONDS = 20
AT_ONCE = 500
"""Questions in one request; the database takes a thousand."""

ALLOWED: dict[str, tuple[str, date]] = {}
"""Advisory → why it does not concern us, and the day from which that is looked at again."""

PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)


def main(words: list[str], database: str = DATABASE) -> int:
    """Check the files named."""
    names = [word for word in words if not word.startswith("-")]
    files = [Path(name) for name in names] or sorted((ROOT / "requirements").glob("*.txt"))
    pins = sorted({pin for file in files for pin in pinned(file.read_text())})
    try:
        found = dict(known(pins, database))
        told = [line for pin, ids in found.items() for line in _lines(pin, ids, database)]
    except (OSError, ValueError, KeyError) as error:  # URLError is an OSError
        print(f"NOT CHECKED: {database} does not answer ({error}).")
        return 2 if "--must" in words else 0
    for line in told:
        print(line)
    print(f"{len(told)} advisories against {len(pins)} locked libraries.")
    return 1 if told else 0


def pinned(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and version of every library that a lock file names."""
    for name, version in PIN.findall(text):
        yield re.sub(r"[-_.]+", "-", name).lower(), version


def known(pins: list[tuple[str, str]], database: str) -> Iterator[tuple[tuple[str, str], set[str]]]:
    """Yield the libraries with advisories, and these; raises `OSError`."""
    for start in range(0, len(pins), AT_ONCE):
        some = pins[start : start + AT_ONCE]
        queries = [_query(*pin) for pin in some]
        answers = _asked(f"{database}/v1/querybatch", {"queries": queries})["results"]
        for pin, answer in zip(some, answers, strict=True):
            if ids := {one["id"] for one in (answer or {}).get("vulns", ())}:
                yield pin, ids


def _lines(pin: tuple[str, str], ids: Iterable[str], database: str) -> Iterator[str]:
    today = datetime.now(UTC).date()
    for one in sorted(ids):
        advisory = _asked(f"{database}/v1/vulns/{one}")
        allowed = [ALLOWED[name] for name in (one, *advisory.get("aliases", ())) if name in ALLOWED]
        if not any(today < until for _, until in allowed):
            yield f"{pin[0]} {pin[1]}: {one} {advisory.get('summary', '')}".rstrip()


def _query(name: str, version: str) -> Mapping[str, Any]:
    return {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}


def _asked(url: str, body: Mapping[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers)  # noqa: S310 - the address is ours
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - likewise
        return json.load(answer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
