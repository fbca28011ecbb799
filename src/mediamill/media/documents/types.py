"""Tell office documents from other zips, and say which documents are read here."""

import re
from collections.abc import Callable, Iterable
from typing import BinaryIO

from mediamill.core.errors import InvalidInput
from mediamill.media.archive.read import read_members
from mediamill.media.sniff import HEAD, ZIP, sniff

_OFFICE = "application/vnd.openxmlformats-officedocument"
DOCX = f"{_OFFICE}.wordprocessingml.document"
XLSX = f"{_OFFICE}.spreadsheetml.sheet"
PPTX = f"{_OFFICE}.presentationml.presentation"
OFFICE = frozenset({DOCX, XLSX, PPTX})
ZIPPED = OFFICE | {ZIP}
"""Types that are zips, whose members can be listed and read."""

MAIN_PARTS = {
    DOCX: re.compile(r"word/document\d*\.xml", re.IGNORECASE),
    XLSX: re.compile(r"xl/workbook\d*\.xml", re.IGNORECASE),
    PPTX: re.compile(r"ppt/presentation\d*\.xml", re.IGNORECASE),
}
"""Where each keeps its main part. ECMA-376, part 2, leaves the name free; programs do not."""
_LIST = "[content_types].xml"
"""The part that every package has (ECMA-376, part 2, 7.2)."""

OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""What a compound file begins with: Office 97–2003, or an encrypted document ([MS-CFB], 2.2)."""


def office_type(names: Iterable[str]) -> str | None:
    """Return which office document a zip of these members is; None where it is none.

    Documents with macros count as those without: nobody here runs them.
    """
    members = [*names]
    if not any(name.lower() == _LIST for name in members):
        return None
    return next(
        (kind for kind, main in MAIN_PARTS.items() if any(map(main.fullmatch, members))), None
    )


def document_type(source: Callable[[], BinaryIO]) -> str:
    """Return the media type of a file by its content, office documents told from other zips."""
    with source() as stream:
        media_type = sniff(stream.read(HEAD))
    if media_type != ZIP:
        return media_type
    try:
        with source() as stream:
            return office_type(member.name for member in read_members(stream)) or ZIP
    except InvalidInput:
        return ZIP
