"""Read the text of a PDF page by page, and draw pages, by PDFium (Apache 2.0 and BSD).

PDFium as pypdfium2 brings it has no JavaScript and opens neither other files nor addresses.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pypdfium2 as pdfium
from pypdfium2 import raw

from mediamill.core.errors import BrokenMedia, InvalidInput, LimitExceeded
from mediamill.media.documents.gathering import too_long
from mediamill.media.image.picture import Picture

MAX_BYTES = 256 << 20
MAX_SCALE = 300 / 72
"""Pixels for each point: a small page is not drawn larger than printers would."""
_MARKS = str.maketrans({"\r": None, "\x00": None, "\ufffe": "\x02"})
"""PDFium marks a hyphen at the end of a line with one of two characters (`FPDFText_GetText`)."""


@dataclass(frozen=True)
class PageText:
    """What a page says; `number` from 1. `drawn` tells of lines, pictures or filled-in fields."""

    number: int
    text: str
    drawn: bool
    fields: bool


class Document:
    """An open PDF."""

    def __init__(self, opened: pdfium.PdfDocument, name: str) -> None:
        self._opened, self._name = opened, name

    def __len__(self) -> int:
        return len(self._opened)

    def text(self, number: int, most: int) -> PageText:
        """Return the text of a page; raises `LimitExceeded` for over `most` bytes of it."""
        with self._page(number) as page:
            letters = page.get_textpage()
            try:
                if letters.count_chars() > most:
                    raise too_long(self._name, most)
                text = letters.get_text_bounded().translate(_MARKS).replace("\x02\n", "")
            finally:
                letters.close()
            fields = _has_fields(page)
            drawn = fields or raw.FPDFPage_CountObjects(page) > 0
            return PageText(number, text.replace("\x02", "-").strip(), drawn, fields)

    def draw(self, number: int, long_side: int) -> Picture:
        """Return a page as it is shown, on white, its longer side of `long_side` pixels at most."""
        with self._page(number) as page:
            width, height = page.get_size()
            if not (width > 0 and height > 0):
                raise BrokenMedia(f"{self._name}: page {number} has no size.")
            scale = min(MAX_SCALE, (long_side - 1) / max(width, height))
            bitmap = page.render(scale=scale, rev_byteorder=True, limit_image_cache=True)
            try:
                return Picture(bitmap.to_numpy()[:, :, :3].copy())
            finally:
                bitmap.close()

    @contextmanager
    def _page(self, number: int) -> Iterator[pdfium.PdfPage]:
        try:
            page = self._opened[number - 1]
        except pdfium.PdfiumError:
            raise BrokenMedia(f"{self._name}: page {number} cannot be read.") from None
        try:
            yield page
        except pdfium.PdfiumError as error:
            message = f"{self._name}: page {number} cannot be read: {error}"
            raise BrokenMedia(message) from None
        finally:
            page.close()


@contextmanager
def opened(data: bytes, name: str) -> Iterator[Document]:
    """Open a PDF; raises `BrokenMedia`, `LimitExceeded`, `InvalidInput` where it has a password."""
    if len(data) > MAX_BYTES:
        message = f"{name} has {len(data):,} bytes, a PDF may have {MAX_BYTES:,}."
        raise LimitExceeded(message, limit=MAX_BYTES, size=len(data))
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            raise InvalidInput(f"{name} is locked by a password. Save it without.") from None
        raise BrokenMedia(f"{name} cannot be read as a PDF.") from None
    try:
        if document.get_formtype() != raw.FORMTYPE_NONE:
            document.init_forms()  # before a page is opened: what is filled in is then drawn
        yield Document(document, name)
    finally:
        document.close()


def _has_fields(page: pdfium.PdfPage) -> bool:
    """Tell whether a page has fields of a form, whose contents are no text of the page."""
    for place in range(min(raw.FPDFPage_GetAnnotCount(page), 1000)):
        annotation = raw.FPDFPage_GetAnnot(page, place)
        if not annotation:
            continue
        kind = raw.FPDFAnnot_GetSubtype(annotation)
        raw.FPDFPage_CloseAnnot(annotation)
        if kind == raw.FPDF_ANNOT_WIDGET:
            return True
    return False
