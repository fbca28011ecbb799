"""A job's prompt said in short: text, or the parameters of the operation, instead of steps.

    {"files": [...], "prompt": "What is this?"}
    {"files": [...], "prompt": {"prompt": "List the dates.", "temperature": 0}, "group": true}

Errors are then about the fields of the prompt.
"""

from collections.abc import Mapping
from typing import Any

from mediamill.core.errors import InvalidInput

OPERATION = "prompt"
_STEP = "steps.0"

Prompt = str | Mapping[str, Any]


def parameters_of(prompt: Prompt, group: bool | None = None) -> dict[str, Any]:
    """Return the operation's parameters; `group` is its own, said beside the prompt.

    Raises `InvalidInput` where it is said twice, and otherwise.
    """
    found: dict[str, Any] = {"prompt": prompt} if isinstance(prompt, str) else dict(prompt)
    if group is None:
        return found
    if found.setdefault("group", group) != group:
        raise InvalidInput.at("group", "group is said twice, and not the same.")
    return found


def pointed(error: InvalidInput, prompt: Prompt) -> InvalidInput:
    """Return an error about the step that a prompt became as one about the prompt."""
    errors = [_pointed(dict(one), prompt) for one in error.details.get("errors", ())]
    return type(error)(error.message, **{**error.details, "errors": errors})


def _pointed(error: dict[str, str], prompt: Prompt) -> dict[str, str]:
    pointer = error.get("pointer", "")
    if pointer != "steps" and not pointer.startswith(_STEP):
        return error
    rest = pointer.removeprefix(f"{_STEP}.parameters").strip(".")
    if rest == "group" and "group" not in (prompt if isinstance(prompt, Mapping) else ()):
        return {**error, "pointer": "group"}
    whole = isinstance(prompt, str) or not pointer.startswith(f"{_STEP}.parameters.")
    return {**error, "pointer": OPERATION if whole else f"{OPERATION}.{rest}"}
