"""Captions by file name: what a spreadsheet, a training script or a page is given."""

import csv
import html.parser
import io
import json

from hypothesis import given
from hypothesis import strategies as st

from mediamill.captions.exporting import (
    Entry,
    columns,
    csv_lines,
    image_tag,
    json_lines,
    plain_text,
)
from mediamill.captions.model import Caption

DOG = (
    Caption("creative", "en", "A dog, a ball.", provider="echo:", model="m"),
    Caption("concise", "en", "A dog", provider="echo:", model="m"),
    Caption("alt-text", "en", "", provider="other:", model="m"),
)
LABELS = ({"name": "dog", "confidence": 0.9}, {"name": "ball", "confidence": 0.8})


def table(lines: list[bytes]) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(b"".join(lines).decode(), newline=""))]


def test_a_line_for_each_file():
    entries = [Entry("a.jpg", DOG, LABELS, "approved"), Entry("b, c.jpg", DOG[:1])]
    chosen = columns(DOG)
    rows = table([*csv_lines(entries, chosen)])
    assert rows[0] == {
        "file_name": "a.jpg", "concise": "A dog", "creative": "A dog, a ball.", "alt_text": "",
        "labels": "dog; ball", "state": "approved", "provider": "echo:, other:", "model": "m",
    }  # fmt: skip
    assert rows[1]["file_name"] == "b, c.jpg"
    assert rows[1]["concise"] == ""
    lines = [json.loads(line) for line in json_lines(entries, chosen)]
    assert lines[0]["labels"] == [*LABELS]
    assert lines[0]["alt_text"] == ""
    assert "concise" not in lines[1], "there is none, which is not an empty one"


def test_languages_have_columns_of_their_own():
    both = [Caption("concise", "en", "A dog"), Caption("concise", "pt-BR", "Um cão")]
    (row,) = table([*csv_lines([Entry("a.jpg", both)], columns(both))])
    assert (row["concise_en"], row["concise_pt-BR"]) == ("A dog", "Um cão")


TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r"), max_size=30)


@given(TEXT, TEXT)
def test_any_text_comes_back_and_no_cell_is_a_formula(name: str, text: str):
    entry = Entry(name, [Caption("concise", "en", text)])
    (row,) = table([*csv_lines([entry], columns(entry.captions))])
    (line,) = json_lines([entry], columns(entry.captions))
    assert json.loads(line)["file_name"] == name
    assert json.loads(line)["concise"] == text
    for cell, whole in ((row["file_name"], name), (row["concise"], text)):
        assert cell in (whole, f"'{whole}")
        assert not cell.startswith(("=", "+", "-", "@", "\t"))


def test_a_formula_is_made_text():
    evil = "=HYPERLINK(1)"
    (_, line) = csv_lines(
        [Entry(evil, [Caption("concise", "en", "@SUM(A1)")])], [("concise", "en")]
    )
    assert line.startswith(b"'=HYPERLINK(1),'@SUM(A1),")


class Tags(html.parser.HTMLParser):
    """Notes every tag with its attributes, and every text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@given(TEXT, TEXT)
def test_whatever_is_said_an_img_is_one_img(name: str, text: str):
    found = Tags(image_tag(name, text))
    assert [tag for tag, _ in found.tags] == ["img"]
    assert found.texts == []
    assert set(found.tags[0][1]) == {"src", "alt"}
    assert found.tags[0][1]["alt"] == text


def test_an_img_of_a_decorative_picture_says_so():
    assert image_tag("a b.jpg", "") == '<img src="a%20b.jpg" alt="">'
    assert image_tag('x"onerror=".jpg', 'a "dog" <b>', 10, 20) == (
        '<img src="x%22onerror%3D%22.jpg" alt="a &quot;dog&quot; &lt;b&gt;" width="10" height="20">'
    )
    assert image_tag("javascript:alert(1)", "") == '<img src="javascript%3Aalert%281%29" alt="">'
    assert image_tag("//evil.example/a.jpg", "").startswith('<img src="evil.example')
    assert plain_text(Entry("a", DOG)) == "A dog, a ball.\nA dog"
