"""Office documents are read as their libraries wrote them; hostile ones end in a clear error."""

import io
import struct
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time
from types import ModuleType

import pytest
from tests.support import documents as make

from mediamill.core.errors import BrokenMedia, InvalidInput, LimitExceeded
from mediamill.media.documents import sheets, slides, word
from mediamill.media.documents.gathering import gathered
from mediamill.media.documents.package import Package
from mediamill.media.documents.types import DOCX, PPTX, XLSX, document_type
from mediamill.media.probe import probe

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def read(reader: ModuleType, data: bytes, most: int = 100_000) -> str:
    return gathered(reader.lines(Package(io.BytesIO(data), "x")), most, "x")


def in_word(body: str) -> bytes:
    """A docx with this as its main part's body."""
    part = f'<w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>'
    return make.with_part(make.docx_of(), "word/document.xml", part.encode())


def test_types_are_told_from_other_zips():
    documents = {DOCX: make.docx_of("x"), XLSX: make.xlsx_of([1]), PPTX: make.pptx_of(("a", "b"))}
    for kind, data in documents.items():
        assert document_type(lambda data=data: io.BytesIO(data)) == kind
        assert probe(lambda data=data: io.BytesIO(data), "x.zip", len(data)).media_type == kind
    plain = make.with_part(zip_of({"word/document.xml": b""}), "a.txt", b"")
    assert document_type(lambda: io.BytesIO(plain)) == "application/zip"


def zip_of(parts: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for name, data in parts.items():
            made.writestr(name, data)
    return stream.getvalue()


def test_a_letter():
    import docx

    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "Mill & Sons"
    document.add_heading("Offer", 2)
    paragraph = document.add_paragraph("Dear ")
    paragraph.add_run("hidden").font.hidden = True
    paragraph.add_run("Sir,\tyours\nin two lines")
    document.add_paragraph("first", style="List Bullet")
    table = document.add_table(2, 2)
    table.cell(0, 0).text, table.cell(1, 1).text = "sum", "5 €\nnet"
    inner = table.cell(1, 0).add_table(1, 2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "in", "ner"
    stream = io.BytesIO()
    document.save(stream)
    assert read(word, stream.getvalue()).split("\n") == [
        "[header] Mill & Sons", "", "## Offer", "Dear Sir,\tyours", "in two lines", "- first",
        "| sum |  |", "| | in | ner | | 5 € net |",
    ]  # fmt: skip


def test_deleted_and_doubled_text_is_left_out():
    body = """
        <w:p><w:r><w:t>kept</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>
        <w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom>
        <w:ins><w:r><w:t> new</w:t></w:r></w:ins>
        <w:r><w:instrText>PAGE</w:instrText></w:r></w:p>
        <w:p><w:r><mc:AlternateContent xmlns:mc="urn:mc"><mc:Choice><w:txbxContent><w:p><w:r>
        <w:t>box</w:t></w:r></w:p></w:txbxContent></mc:Choice><mc:Fallback><w:p><w:r><w:t>box</w:t>
        </w:r></w:p></mc:Fallback></mc:AlternateContent></w:r></w:p>"""
    assert read(word, in_word(body)).split() == ["kept", "new", "box"]


def test_footnotes_are_told_with_their_number():
    data = in_word('<w:p><w:r><w:t>Text</w:t><w:footnoteReference w:id="2"/></w:r></w:p>')
    notes = f"""<w:footnotes xmlns:w="{W}">
        <w:footnote w:type="separator" w:id="0"><w:p/></w:footnote>
        <w:footnote w:id="2"><w:p><w:r><w:t>Note</w:t></w:r></w:p></w:footnote></w:footnotes>"""
    rels = make.part_of(data, "word/_rels/document.xml.rels").replace(
        b"</Relationships>",
        b'<Relationship Id="f" Type="x/footnotes" Target="/word/footnotes.xml"/></Relationships>',
    )
    data = make.with_part(data, "word/footnotes.xml", notes.encode())
    data = make.with_part(data, "word/_rels/document.xml.rels", rels)
    assert read(word, data) == "Text[footnote 2]\n[footnote 2] Note"


def test_a_workbook():
    import openpyxl

    book = openpyxl.Workbook()
    first = book.active
    first.title = "Sums"
    moment = datetime(2024, 2, 29, 12, 30, 15)  # noqa: DTZ001 - sheets know no zones
    first.append(["a\nb", 1.5, date(2024, 2, 29), moment, time(9, 5)])
    first.append([True, "=SUM(B1:B1)", 0.1 + 0.2, 12345678, "0012"])
    first["C4"], first["AZ5"] = "c", "far"
    first["A6"], first["A6"].number_format = 45000.25, 'dd"."mm"."yyyy [$-407]hh:mm'
    first["A7"], first["A7"].number_format = 3.5, '0.0 "days"'
    book.create_sheet("Notes").sheet_state = "hidden"
    book["Notes"].append(["x"])
    stream = io.BytesIO()
    book.save(stream)
    assert read(sheets, stream.getvalue()).split("\n") == [
        "[sheet Sums]",
        "a b\t1.5\t2024-02-29\t2024-02-29 12:30:15\t09:05:00",
        "TRUE\t=SUM(B1:B1)\t0.3\t12345678\t0012",
        "\t\tc", "\tAZ5: far", "2023-03-15 06:00:00", "3.5", "",
        "[sheet Notes, hidden]", "x", "",
    ]  # fmt: skip


def test_slides_come_in_their_order_with_notes_and_tables():
    import pptx

    deck = pptx.Presentation()
    for title in ("one", "two"):
        slide = deck.slides.add_slide(deck.slide_layouts[5])
        slide.shapes.title.text = title
        slide.shapes.add_table(1, 2, 0, 0, 9, 9).table.cell(0, 1).text = "cell"
    deck.slides[1].notes_slide.notes_text_frame.text = "say\nthis"
    order = deck.slides._sldIdLst
    order.insert(0, order[1])
    order[0].set("show", "1")
    stream = io.BytesIO()
    deck.save(stream)
    assert read(slides, stream.getvalue()).split("\n") == [
        "[slide 1]", "two", "|  | cell |", "[notes] say", "this", "",
        "[slide 2]", "one", "|  | cell |", "",
    ]  # fmt: skip


LAUGHS = (
    b"""<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><d>&b;</d>"""
)
OUTSIDE = (
    b"""<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><d>&x;</d>"""
)
REMOTE = b"""<?xml version="1.0"?><!DOCTYPE d SYSTEM "http://127.0.0.1/x.dtd"><d/>"""
DEEP = b"<d>" * 5_000 + b"</d>" * 5_000
WIDE = b"<d a='" + b"x" * (6 << 20) + b"'/>"
CUT = b"<w:document xmlns:w='x'><w:body>"
MANY = b"<d>" + b"<a/>" * 30_000 + b"</d>"
LARGE = b"<d>" + b" " * (70 << 20) + b"</d>"


@pytest.mark.parametrize(
    ("part", "error", "told"),
    [
        (LAUGHS, BrokenMedia, "document type"),
        (OUTSIDE, BrokenMedia, "document type"),
        (REMOTE, BrokenMedia, "document type"),
        (DEEP, BrokenMedia, "nested"),
        (WIDE, BrokenMedia, "tag of more than"),
        (CUT, BrokenMedia, "not well formed"),
        (b"<a:b/>", BrokenMedia, "not well formed"),
        (b"", BrokenMedia, "not well formed"),
        (LARGE, LimitExceeded, "unpacks to more than"),
    ],
    ids=["laughs", "outside", "remote", "deep", "wide", "cut", "prefix", "empty", "large"],
)
@pytest.mark.parametrize(
    ("reader", "data", "name"),
    [
        (word, make.docx_of("x"), "word/document.xml"),
        (sheets, make.xlsx_of([1]), "xl/worksheets/sheet1.xml"),
        (slides, make.pptx_of(("a", "b")), "ppt/slides/slide1.xml"),
    ],
    ids=["docx", "xlsx", "pptx"],
)
def test_hostile_parts(
    reader: ModuleType, data: bytes, name: str, part: bytes, error: type, told: str
):
    with pytest.raises(error, match=told):
        read(reader, make.with_part(data, name, part))


def test_elements_without_end_are_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mediamill.media.documents.package.MAX_EVENTS", 30_000)
    data = make.with_part(make.docx_of("x"), "word/document.xml", MANY)
    with pytest.raises(LimitExceeded, match="elements"):
        read(word, data)


def test_relations_lead_nowhere_else():
    """What is outside is not read, and no target leaves the document."""
    rels = b"""<Relationships>
        <Relationship Id="a" Type="x/header" TargetMode="External" Target="file:///etc/passwd"/>
        <Relationship Id="b" Type="x/header" Target="../../../../etc/passwd"/>
        <Relationship Id="c" Type="x/footer" Target="http://127.0.0.1/x"/></Relationships>"""
    data = make.with_part(make.docx_of("text"), "word/_rels/document.xml.rels", rels)
    assert read(word, data) == "text"
    found = Package(io.BytesIO(data), "x").relations("word/document.xml")
    assert {one.target for one in found.values()} == {"etc/passwd", "word/http:/127.0.0.1/x"}


def test_a_document_may_name_itself_as_its_part():
    one = b'<Relationship Id="a" Type="x/header" Target="document.xml"/>'
    rels = b"<Relationships>" + one + b"</Relationships>"
    data = make.with_part(make.docx_of("text"), "word/_rels/document.xml.rels", rels)
    assert read(word, data) == "[header] text\n\ntext"


def sheet(rows: str) -> bytes:
    part = f'<worksheet xmlns="{S}"><sheetData>{rows}</sheetData></worksheet>'
    return make.with_part(make.xlsx_of([1]), "xl/worksheets/sheet1.xml", part.encode())


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ('<c r="A1" t="s"><v>999999</v></c>', ""),
        ('<c r="A1" t="s"><v>-1</v></c>', ""),
        ('<c r="A1" t="s"><v>1e9</v></c>', ""),
        ('<c r="A1" s="77777"><v>5</v></c>', "5"),
        ('<c r="ZZZZ99"><v>5</v></c>', "5"),
        ('<c r="XFD1"><v>nan</v></c>', "\tXFD1: nan"),
        ('<c r="A1"><v>1e400</v></c>', "1e400"),
        ('<c r="A1"><v>abc</v></c>', "abc"),
        ('<c r="B1"><v>1</v></c><c r="A1"><v>2</v></c>', "\t12"),
        ('<c t="inlineStr"><is><t>in</t><rPh><t>yomi</t></rPh></is></c><c><v>2</v></c>', "in\t2"),
        ('<c t="e"><v>#DIV/0!</v></c>', "#DIV/0!"),
    ],
)
def test_cells_that_lie(cell: str, shown: str):
    lines = read(sheets, sheet(f"<row>{cell}</row>")).split("\n")
    assert lines == ["[sheet Sheet]", *([shown] if shown else []), ""]


def test_a_date_is_never_out_of_range():
    import openpyxl

    book = openpyxl.Workbook()
    for n, value in enumerate((-1, 2958465, 2958466, 1e300), start=1):
        cell = book.active.cell(n, 1, value)
        cell.number_format = "yyyy-mm-dd"
    stream = io.BytesIO()
    book.save(stream)
    assert read(sheets, stream.getvalue()).split("\n")[1:5] == [
        "-1", "9999-12-31", "2958466", "1e+300",
    ]  # fmt: skip


def test_reading_ends_at_the_limit():
    """Of a huge sheet no more is read than may be sent."""
    rows = "<row><c><v>1234567</v></c></row>" * 200_000
    with pytest.raises(LimitExceeded) as caught:
        read(sheets, sheet(rows), most=1_000)
    assert caught.value.details == {"limit": 1_000}
    assert len(read(sheets, sheet(rows[: 32 * 10]), most=100)) <= 100


def bomb() -> bytes:
    return make.with_part(make.docx_of("x"), "word/media/a", bytes(1 << 20))


def lying() -> bytes:
    """A docx whose main part promises more than its data can hold."""
    data = make.docx_of("x")
    at = data.find(b"word/document.xml", data.rfind(b"PK\x05\x06") - 6000)
    record = data.rfind(b"PK\x01\x02", 0, at)
    return data[: record + 24] + struct.pack("<I", 1 << 31) + data[record + 28 :]


@pytest.mark.parametrize(
    "made",
    [
        lying,
        lambda: make.docx_of("x")[:-30],
        lambda: zip_of({"[Content_Types].xml": b"", "word/document.xml": b"<x"}),
        lambda: zip_of({"[Content_Types].xml": b""}),
    ],
    ids=["lying", "cut", "no xml", "no part"],
)
def test_broken_packages(made: Callable[[], bytes]):
    with pytest.raises(InvalidInput):
        read(word, made())


def test_an_empty_part_beside_is_no_matter():
    assert read(word, bomb()) == "x"
