"""Find the JSON document in what a model said."""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

_SIGNS, _LEAST = ("`", "~"), 3
"""What fences are made of, and how much of it."""
_OPENING = re.compile(r"[{\[]")
_ATTEMPTS = 20
"""Places in a text where a document may begin that are tried, and fences that nothing closes."""


class NoJson(ValueError):
    """A text without a JSON document."""


def json_in(text: str) -> Any:
    """Return the JSON document that a text is, or else has in a fence or between other words.

    Strictly RFC 8259: no NaN, no names twice. Raises `NoJson`.
    """
    try:
        return _parsed(text)
    except NoJson as error:
        first = error
    for fenced in _fenced(text):
        try:
            return _parsed(fenced)
        except NoJson:
            continue
    for attempt, found in enumerate(_OPENING.finditer(text)):
        if attempt == _ATTEMPTS:
            break
        try:
            return _decoder().raw_decode(text, found.start())[0]
        except (ValueError, RecursionError):
            continue
    raise first


def _fenced(text: str) -> Iterator[str]:
    """Return what stands in fences, in order (CommonMark, 4.5); read line by line, whatever it is.

    A pattern would look for the end of each fence anew, which an answer can make take hours.
    """
    lines, at, unclosed = text.split("\n"), 0, 0
    while at < len(lines) and unclosed < _ATTEMPTS:
        mark, at = _mark(lines[at]), at + 1
        if not mark:
            continue
        ends = (n for n in range(at, len(lines)) if lines[n].lstrip(" \t").startswith(mark))
        end = next(ends, None)
        if end is None:
            unclosed += 1
            continue
        yield "\n".join(lines[at:end])
        at = end + 1


def _mark(line: str) -> str:
    """Return the row of signs with which a line opens a fence; empty where it opens none."""
    line = line.lstrip(" \t")
    rest = line.lstrip(line[:1]) if line[:1] in _SIGNS else line
    mark = line[: len(line) - len(rest)]
    return mark if len(mark) >= _LEAST and "`" not in rest else ""


def _parsed(text: str) -> Any:
    try:
        return _decoder().decode(text.strip("\ufeff \t\r\n"))
    except json.JSONDecodeError as error:
        raise NoJson(f"no JSON: {error.msg}, line {error.lineno}, column {error.colno}") from None
    except ValueError as error:
        raise NoJson(str(error)) from None
    except RecursionError:
        raise NoJson("no JSON that can be read: it is nested too deep") from None


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=_once)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"no JSON: {name} is no number there")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("no JSON to rely on: an object has a name twice")
    return found


def written(value: Any) -> bytes:
    """Return a value as a JSON file: UTF-8, two spaces, a line end."""
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    return text.encode(errors="backslashreplace")  # half a surrogate pair becomes its \\u escape
