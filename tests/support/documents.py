"""Documents for tests: PDFs written by hand, office documents as their libraries write them.

Those libraries are imported where they are needed: half a second in each process of the tests.
"""

import io
import zipfile
import zlib
from collections.abc import Sequence

HELVETICA = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def pdf(*pages: str, size: tuple[float, float] = (612, 792), extra: str = "") -> bytes:
    """Write a PDF whose pages show a text each (Latin-1); an empty one shows nothing.

    `extra` goes into the catalogue.
    """
    contents = [_shown(text) if text else b"" for text in pages]
    return pdf_of(contents, size, extra)


def pdf_of(
    contents: Sequence[bytes], size: tuple[float, float] = (612, 792), extra: str = "",
    annotations: Sequence[str] = (),
) -> bytes:  # fmt: skip
    """Write a PDF of pages with these content streams, and annotations on each."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(contents)))
    bodies = [
        f"<< /Type /Catalog /Pages 2 0 R {extra} >>".encode(),
        f"<< /Type /Pages /Kids [{kids}] /Count {len(contents)} >>".encode(),
        HELVETICA.encode(),
    ]
    marks = " ".join(annotations)
    for n, content in enumerate(contents):
        box = f"[0 0 {size[0]} {size[1]}]"
        page = f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Contents {5 + 2 * n} 0 R "
        page += f"/Resources << /Font << /F1 3 0 R >> >> /Annots [{marks}] >>"
        data = zlib.compress(content)
        stream = f"<< /Length {len(data)} /Filter /FlateDecode >>\nstream\n".encode()
        bodies += [page.encode(), stream + data + b"\nendstream"]
    return _written(bodies)


def _written(bodies: Sequence[bytes]) -> bytes:
    out, places = b"%PDF-1.7\n", []
    for number, body in enumerate(bodies, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(bodies) + 1
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (count, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, table) + trailer


def _shown(text: str) -> bytes:
    lines = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").split("\n")
    told = " T* ".join(f"({line}) Tj" for line in lines)
    return f"BT /F1 12 Tf 14 TL 72 720 Td {told} ET".encode("cp1252")


BOX = b"0.8 0.1 0.1 rg 100 100 300 300 re f"
"""The content of a page that shows a red box and no text."""


def docx_of(*paragraphs: str) -> bytes:
    """Write a docx."""
    import docx

    document = docx.Document()
    for text in paragraphs:
        document.add_paragraph(text)
    return _saved(document)


def xlsx_of(*rows: Sequence[object], sheet: str = "Sheet") -> bytes:
    """Write an xlsx of one sheet."""
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    return _saved(book)


def pptx_of(*slides: tuple[str, str]) -> bytes:
    """Write a pptx of slides with a title and a text."""
    import pptx

    deck = pptx.Presentation()
    for title, text in slides:
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, text
    return _saved(deck)


def _saved(document: object) -> bytes:
    stream = io.BytesIO()
    document.save(stream)  # type: ignore[attr-defined]  # all three have it, and no base in common
    return stream.getvalue()


def with_part(data: bytes, part: str, content: bytes) -> bytes:
    """Return an office document with a part replaced or added."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w", 8) as new:
        for name in old.namelist():
            if name != part:
                new.writestr(name, old.read(name))
        new.writestr(part, content)
    return made.getvalue()


def part_of(data: bytes, part: str) -> bytes:
    """Return a part of an office document."""
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        return found.read(part)
