"""Read the text of a pptx: slides in their order, with tables, diagrams and speaker's notes.

Element names are those of ECMA-376, part 1, 19 and 21.
"""

from collections.abc import Iterator

from mediamill.media.documents.package import Package
from mediamill.media.documents.types import PPTX
from mediamill.media.documents.word import paragraphs
from mediamill.media.documents.xml import Start

_HIDDEN = frozenset({"0", "false"})


def lines(package: Package) -> Iterator[str]:
    """Yield the lines of all slides, each under its number; hidden ones say so."""
    main = package.main(PPTX)
    relations = package.relations(main)
    order = [
        relations[event.attributes["r:id"]].target
        for event in package.events(main)
        if isinstance(event, Start)
        and event.tag == "sldId"
        and event.attributes.get("r:id") in relations
    ]
    for number, part in enumerate(order, start=1):
        yield from _slide(package, part, number)


def _slide(package: Package, part: str, number: int) -> Iterator[str]:
    hidden = any(
        event.attributes.get("show") in _HIDDEN
        for event in package.events(part)
        if isinstance(event, Start) and event.tag == "sld"
    )
    yield f"[slide {number}{', hidden' if hidden else ''}]"
    yield from filter(str.strip, paragraphs(package.events(part)))
    for diagram in package.related(part, "diagramData"):
        yield from filter(str.strip, paragraphs(package.events(diagram)))
    for notes in package.related(part, "notesSlide"):
        told = [line for line in paragraphs(package.events(notes)) if line.strip()]
        # the notes page repeats the slide's number in a field of its own
        told = [line for line in told if line.strip() != str(number)]
        if told:
            yield "[notes] " + "\n".join(told)
    yield ""
