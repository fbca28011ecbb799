"""Captions by file name, as CSV, JSON lines, text, and `<img>`.

A line is one file. `file_name` is what an image folder of Hugging Face datasets expects in its
`metadata.csv` or `metadata.jsonl`; each other column is a variant, with its language where there
are several.
"""

import csv
import html
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from mediamill.captions.model import VARIANTS, Caption, Variant
from mediamill.captions.reading import key

Column = tuple[Variant, str]
"""A variant in a language."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TAIL = ("labels", "state", "provider", "model")


@dataclass(frozen=True)
class Entry:
    """What is said of one file, as it stands now: edited by hand or not."""

    file: str
    captions: Sequence[Caption] = ()
    labels: Sequence[Mapping[str, Any]] = ()
    """As `labels.as_data` gives them."""
    state: str = ""
    """What a review said: `approved`, `edited`, `rejected`; empty where there was none."""


def columns(captions: Iterable[Caption]) -> tuple[Column, ...]:
    """Return the columns that captions need: variants in their order, languages as they come."""
    languages = dict[str, None]()
    variants = set[Variant]()
    for caption in captions:
        languages[caption.language] = None
        variants.add(caption.variant)
    return tuple((one, tag) for tag in languages for one in VARIANTS if one in variants)


def csv_lines(entries: Iterable[Entry], chosen: Sequence[Column]) -> Iterator[bytes]:
    """Yield a table with a header (RFC 4180, UTF-8); a line for each entry.

    A text that a spreadsheet would run as a formula begins with an apostrophe.
    """
    names = [*_names(chosen).values()]
    yield _line(["file_name", *names, *_TAIL])
    for entry in entries:
        row = _row(entry, chosen)
        labels = "; ".join(str(label["name"]) for label in entry.labels)
        tail = [labels, *(row[name] for name in _TAIL[1:])]
        yield _line([entry.file, *(row.get(name, "") for name in names), *tail])


def json_lines(entries: Iterable[Entry], chosen: Sequence[Column]) -> Iterator[bytes]:
    """Yield an object for each entry, a line each; a caption that there is not is left out."""
    for entry in entries:
        row = {"file_name": entry.file, **_row(entry, chosen), "labels": [*entry.labels]}
        yield json.dumps(row, ensure_ascii=False).encode(errors="replace") + b"\n"


def plain_text(entry: Entry) -> str:
    """Return the captions to be copied, one a line."""
    return "\n".join(caption.text for caption in entry.captions if caption.text)


def image_tag(file: str, alt: str, width: int = 0, height: int = 0) -> str:
    """Return `<img>` to be copied into a page; `alt=""` marks a decorative picture."""
    size = f' width="{width}" height="{height}"' if width and height else ""
    src, text = (html.escape(each, quote=True) for each in (_address(file), alt))
    return f'<img src="{src}" alt="{text}"{size}>'


def _address(file: str) -> str:
    """Return a name as a relative address, in which a colon begins nothing."""
    return quote(file.encode(errors="replace"), safe="/").lstrip("/")


def _names(chosen: Sequence[Column]) -> dict[Column, str]:
    """Return what columns are called."""
    several = len({language for _, language in chosen}) > 1
    return {
        column: f"{key(column[0])}_{column[1]}" if several else key(column[0]) for column in chosen
    }


def _row(entry: Entry, chosen: Sequence[Column]) -> dict[str, str]:
    found = {(each.variant, each.language): each.text for each in entry.captions}
    texts = {name: found[column] for column, name in _names(chosen).items() if column in found}
    return {
        **texts,
        "state": entry.state,
        "provider": _joined(each.provider for each in entry.captions),
        "model": _joined(each.model for each in entry.captions),
    }


def _joined(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(filter(None, names)))


def _line(cells: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(
        f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells
    )
    return text.getvalue().encode(errors="replace")
