"""Pascal VOC in and out: an XML file per image with boxes, and polygons as Roboflow adds them.

Corners are as most programs write them today (labelImg, CVAT, Roboflow, Datumaro): `xmin` is the
left of the box, `xmax` its right, both measured from the corner of the picture; not the pixel
counts from 1 of the first challenges (http://host.robots.ox.ac.uk/pascal/VOC/voc2012/).
"""

from collections.abc import Callable, Iterator
from typing import Any
from xml.parsers import expat

from mediamill.annotations.index import Image, Index, base_of
from mediamill.annotations.model import Annotation, Category
from mediamill.annotations.tree import Tree, listed_splits, names_of, split_of, text
from mediamill.annotations.values import name, parsed, size
from mediamill.core.errors import BrokenMedia, InvalidInput

MAX_DEPTH = 16
MAX_NODES = 200_000
MAX_WORDS = 10_000
"""Characters of the text of an element."""
FLAGS = ("truncated", "difficult", "occluded")


class Node:
    """An element: its name, its text, what is in it."""

    def __init__(self, tag: str) -> None:
        self.tag, self.text = tag, ""
        self.children: list[Node] = []

    def child(self, tag: str) -> "Node | None":
        """Return the first element of a name in it."""
        return next((node for node in self.children if node.tag == tag), None)

    def said(self, tag: str) -> str:
        """Return the text of the first element of a name in it, empty where there is none."""
        found = self.child(tag)
        return found.text.strip() if found else ""

    def all(self, tag: str) -> Iterator["Node"]:
        """Yield the elements of a name in it."""
        return (node for node in self.children if node.tag == tag)


def parse(data: bytes) -> Node:
    """Return the outermost element; raises `BrokenMedia` for what is no plain XML.

    A document type is refused, and with it entities, which may be made to grow without end.
    """
    top = Node("")
    path, count = [top], 0

    def begin(tag: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(path) > MAX_DEPTH or count > MAX_NODES:
            raise BrokenMedia("The XML is nested too deep, or has too many elements.")
        node = Node(tag)
        path[-1].children.append(node)
        path.append(node)

    def end(tag: str) -> None:
        path.pop()

    def say(words: str) -> None:
        if len(path[-1].text) + len(words) > MAX_WORDS:
            raise BrokenMedia(f"An element of the XML has more than {MAX_WORDS:,} characters.")
        path[-1].text += words

    def refuse(*_: Any) -> None:
        raise BrokenMedia("The XML has a document type; annotations need none.")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = say, refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise BrokenMedia(f"This is no XML: {error}.") from None
    return top.children[0]


def read(tree: Tree, index: Index, progress: Callable[[float], None]) -> None:
    """Read every XML file of a tree into an index; what is wrong is listed there."""
    paths = sorted(path for path in tree.sizes if path.lower().endswith(".xml"))
    names: dict[str, int] = {}
    reading = _Reading(tree, index, names)
    for done, path in enumerate(paths):
        try:
            reading.file(path)
        except InvalidInput as error:
            index.find("error", "unreadable", error.message, path)
        progress(done / len(paths))


class _Reading:
    def __init__(self, tree: Tree, index: Index, names: dict[str, int]) -> None:
        self._tree, self._index, self._names, self._count = tree, index, names, 0
        self._splits = listed_splits(tree)

    def file(self, path: str) -> None:
        """Read one image's file; raises `InvalidInput` where nothing of it can be used."""
        root = parse(text(self._tree, path))
        if root.tag != "annotation":
            raise InvalidInput("This XML is no annotation: its outermost element has another name.")
        extent = root.child("size") or Node("size")
        image = Image(
            path,
            self._image(path, root.said("filename")),
            _pixels(extent.said("width"), "The width"),
            _pixels(extent.said("height"), "The height"),
            self._splits.get(names_of(path)[1]) or split_of(path, named=False),
        )
        if not self._index.add_image(image, path):
            return
        for place, node in enumerate(root.all("object"), start=1):
            at = f"{path} object {place}"
            try:
                self._object(path, node, at)
            except InvalidInput as error:
                self._index.find("error", "unreadable", error.message, at)

    def _image(self, path: str, said: str) -> str:
        """Return the image's path: as the file says, beside it, or as the XML file is named."""
        folder = path.rpartition("/")[0]
        if said:
            base = base_of(name(said, "The filename"))
            return f"{folder}/{base}".lstrip("/")
        found = self._index.candidates(path, by_stem=True)
        return found[0].path if len(found) == 1 else path

    def _object(self, path: str, node: Node, at: str) -> None:
        label = name(node.said("name"), "The object’s name")
        if label not in self._names:
            self._names[label] = len(self._names) + 1
            number = self._names[label]
            self._index.add_category(number, Category(number, label), at)
        self._count += 1
        corners = node.child("bndbox")
        box = None
        if corners is not None:
            words = [corners.said(tag) for tag in ("xmin", "ymin", "xmax", "ymax")]
            left, top, right, bottom = parsed(words, "The bndbox")
            box = (left, top, right - left, bottom - top)
        rings = tuple(_ring(polygon) for polygon in node.all("polygon"))
        one = Annotation(self._count, "", box, rings, extra=_extra(node))
        self._index.add(path, self._names[label], one, at)


def _ring(node: Node) -> tuple[float, ...]:
    """Return `<x1>`, `<y1>`, `<x2>` … as a ring."""
    words: list[str] = []
    said = {child.tag: child.text.strip() for child in reversed(node.children)}  # the first counts
    while (x := said.get(f"x{len(words) // 2 + 1}")) and (y := said.get(f"y{len(words) // 2 + 1}")):
        words += (x, y)
    return parsed(words, "A polygon")


def _extra(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {"pose": pose} if (pose := node.said("pose")[:100]) else {}
    return found | {flag: 1 for flag in FLAGS if node.said(flag) in ("1", "true")}


def _pixels(words: str, what: str) -> int:
    return size(parsed([words], what)[0], what) if words else 0
