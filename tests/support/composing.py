"""Compose files as `docker compose` reads them: merged, and with variables put in."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PLACE = Path(__file__).resolve().parents[2] / "deploy/compose"
FILES = ("compose.yaml", "compose.scaled.yaml")
GIVEN = {"MILL_NAME": "mill.example.org"}
VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?:(:-|:\?)([^{}]*))?\}|\$")


def loaded(text: str, variables: Mapping[str, str] = GIVEN) -> dict[str, Any]:
    """Return a file's content; raises `KeyError` for a variable that has to be set and is not."""
    whole = yaml.safe_load(text)
    return {
        key: interpolated(value, variables)
        for key, value in whole.items()
        if not key.startswith("x-")
    }


def interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    """Put variables in, wherever there is text."""
    if isinstance(value, dict):
        return {key: interpolated(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [interpolated(inner, variables) for inner in value]
    if not isinstance(value, str):
        return value

    def put(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        name, how, text = found.groups()
        if name is None or how is None:
            raise KeyError(f"{found[0]} in {value}: write $$, or say what it is when it is not set")
        if how == ":?" and not variables.get(name):
            raise KeyError(text)
        return variables.get(name) or text

    return VARIABLE.sub(put, value)


def secrets_in(folder: Path) -> Path:
    """Have secrets.sh make its files in a folder; return where they lie."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "secrets.sh"
    script.write_bytes((PLACE / "secrets.sh").read_bytes())
    done = subprocess.run(
        ["sh", script],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    return folder / "secrets"
