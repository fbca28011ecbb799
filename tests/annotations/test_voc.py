"""Pascal VOC in and out; XML that means harm is refused."""

import pytest
from tests.annotations.sets import coco, codes, read, stored, write

from mediamill.annotations import voc
from mediamill.annotations.index import FileFacts
from mediamill.annotations.voc import parse
from mediamill.core.errors import BrokenMedia

XML = """<annotation><folder>x</folder><filename>a.jpg</filename>
<size><width>64</width><height>48</height><depth>3</depth></size>
<object><name>cat</name><pose>Left</pose><truncated>1</truncated><difficult>0</difficult>
<bndbox><xmin>4</xmin><ymin>5.5</ymin><xmax>20</xmax><ymax>30</ymax></bndbox></object>
<object><name>dog &amp; co</name><bndbox><ymin>1</ymin><xmin>2</xmin><ymax>3</ymax><xmax>4</xmax>
</bndbox><polygon><x1>2</x1><y1>1</y1><x2>4</x2><y2>1</y2><x3>4</x3><y3>3</y3></polygon></object>
</annotation>"""
FILES = [FileFacts("a", "a.jpg", 64, 48)]


@pytest.mark.parametrize("place", ["a.xml", "Annotations/a.xml", "VOC/2012/Annotations/a.xml"])
def test_boxes_polygons_and_flags_are_read(tmp_path, place) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text(XML)
    (one,), index = read(tmp_path, FILES)
    assert codes(index) == {}
    first, second = one.content.annotations
    assert (first.category, first.box) == ("cat", (4, 5.5, 16, 24.5))
    assert first.extra == {"pose": "Left", "truncated": 1}
    assert (second.category, second.polygons) == ("dog & co", ((2, 1, 4, 1, 4, 3),))
    write(tmp_path / "out", "voc", [one], index)
    (again,), index = read(tmp_path / "out", FILES)
    kept = [(a.category, a.box, a.polygons) for a in again.content.annotations]
    assert kept == [(a.category, a.box, a.polygons) for a in one.content.annotations]
    assert again.content.annotations[0].extra == first.extra


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("<xmax>20</xmax>", "<xmax>2</xmax>", "wrong_box"),
        ("<xmin>4</xmin>", "", "unreadable"),
        ("<xmin>4</xmin>", "<xmin>NaN</xmin>", "unreadable"),
        ("<name>cat</name>", "", "unreadable"),
        ("<width>64</width>", "<width>48</width>", "wrong_size"),
        ("<width>64</width>", "<width>-4</width>", "unreadable"),
        ("a.jpg", "other.jpg", "missing_image"),
        ("annotation>", "notes>", "unreadable"),
        ("</annotation>", "", "unreadable"),
    ],
)
def test_what_is_wrong_is_listed(tmp_path, old, new, code) -> None:
    (tmp_path / "a.xml").write_text(XML.replace(old, new))
    _, index = read(tmp_path, FILES)
    assert (codes(index), index.errors) == ({code: 1}, 1)


LAUGHS = "<!DOCTYPE a [<!ENTITY b 'ha'>" + "".join(
    f"<!ENTITY {n} '{f'&{p};' * 10}'>" for p, n in zip("bcdefghi", "cdefghij", strict=True)
)


@pytest.mark.parametrize(
    "data",
    [f"{LAUGHS}]><annotation>&j;</annotation>", "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
     "<a>" * 900, "<a/>" * 9, "", "\0", "<a", "<a>" + "<b/>" * 2_000 + "</a>",
     "<?xml version='1.0' encoding='no-such'?><a/>", f"<a>{'x<b/>' * 20}{'x' * 10_000}</a>"],
)  # fmt: skip
def test_hostile_xml_is_refused(data, monkeypatch) -> None:
    monkeypatch.setattr(voc, "MAX_NODES", 1_000)
    with pytest.raises(BrokenMedia):
        parse(data.encode())


class Counted(list):
    """Counts how often somebody goes through it."""

    walks = 0

    def __iter__(self):
        self.walks += 1
        return super().__iter__()

    def __reversed__(self):
        self.walks += 1
        return super().__reversed__()


def test_many_corners_are_walked_through_once() -> None:
    """Looked for one by one, the 100,000 that a file may have would be 10,000,000,000 steps."""
    corners = "".join(f"<x{n}>{n}</x{n}><y{n}>1</y{n}>" for n in range(1, 101))
    node = parse(f"<polygon>{corners}<x1>9</x1></polygon>".encode())
    node.children = Counted(node.children)
    assert voc._ring(node)[:4] == (1, 1, 2, 1)
    assert node.children.walks == 1


def test_what_it_cannot_hold_is_counted(tmp_path) -> None:
    found, index = read(stored(tmp_path / "in" / "instances.json", coco()))
    losses = write(tmp_path / "out", "voc", found, index)
    assert losses.counts == {"crowd": 1, "mask": 1, "keypoints": 1}
    again, index = read(tmp_path / "out")
    assert codes(index) == {}
    boxes = {a.box for one in again for a in one.content.annotations}
    assert boxes == {(2.5, 3.25, 40, 20.5), (5, 6, 20, 30), (20, 10, 30, 20)}
