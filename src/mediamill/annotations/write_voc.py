"""Pascal VOC's XML files: `Annotations/{name}.xml`; see `voc.py` for what corners mean."""

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

from mediamill.annotations.complete import completed
from mediamill.annotations.index import base_of
from mediamill.annotations.model import Annotation
from mediamill.annotations.voc import FLAGS
from mediamill.annotations.write import Files, Losses, Pictured


def voc_files(pictures: Iterable[Pictured], losses: Losses) -> Files:
    """Yield an XML file per picture; masks, key points and labels are lost, as are crowds."""
    for picture in pictures:
        for _ in picture.content.labels:
            losses.lost("label")
        head, dot, tail = picture.path.rpartition(".")
        stem = head if dot and "/" not in tail else picture.path
        text = "".join(f"{line}\n" for line in _lines(picture, losses))
        yield f"Annotations/{stem}.xml", [text.encode()]


def _lines(picture: Pictured, losses: Losses) -> Iterator[str]:
    content = picture.content
    yield "<annotation>"
    folder = picture.path.rpartition("/")[0]
    yield f"  <folder>{_said(folder)}</folder>"
    yield f"  <filename>{_said(base_of(picture.path))}</filename>"
    yield "  <size>"
    yield f"    <width>{content.width}</width>"
    yield f"    <height>{content.height}</height>"
    yield "    <depth>3</depth>"
    yield "  </size>"
    yield f"  <segmented>{int(any(one.polygons for one in content.annotations))}</segmented>"
    for one in content.annotations:
        yield from _object(one, losses)
    yield "</annotation>"


def _object(one: Annotation, losses: Losses) -> Iterator[str]:
    box = completed(one).box
    if one.crowd or box is None:
        losses.lost("crowd" if one.crowd else "no_box")
        return
    if one.mask is not None:
        losses.lost("mask")
    if one.keypoints:
        losses.lost("keypoints")
    yield "  <object>"
    yield f"    <name>{_said(one.category)}</name>"
    yield f"    <pose>{_said(str(one.extra.get('pose', 'Unspecified')))}</pose>"
    for flag in FLAGS:
        yield f"    <{flag}>{int(one.extra.get(flag) in (1, True, '1'))}</{flag}>"
    x, y, w, h = box
    corners = zip(("xmin", "ymin", "xmax", "ymax"), (x, y, x + w, y + h), strict=True)
    yield "    <bndbox>"
    for tag, value in corners:
        yield f"      <{tag}>{_short(value)}</{tag}>"
    yield "    </bndbox>"
    for ring in one.polygons:
        words = (
            f"<{'xy'[n % 2]}{n // 2 + 1}>{_short(value)}</{'xy'[n % 2]}{n // 2 + 1}>"
            for n, value in enumerate(ring)
        )
        yield f"    <polygon>{''.join(words)}</polygon>"
    yield "  </object>"


def _short(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _said(text: str) -> str:
    """Return a text as XML can hold it: control characters have no place there."""
    return escape("".join(letter for letter in text if letter.isprintable()))
