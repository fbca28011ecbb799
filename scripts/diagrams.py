"""Draw the diagrams of the documentation as SVG, into docs/images.

A diagram is boxes on a grid and arrows between them. `--check` tells which file is out of date. It
needs nothing but Python, and the pictures load nothing: fonts are the reader's.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
WIDE, HIGH = 172, 54
"""Pixels of a box."""
ACROSS, DOWN = 236, 104
"""Pixels from one box to the next."""
APART = 11
"""Pixels from an arrow to the middle of its words."""
EDGE = 16
"""Pixels around all."""
LINE = 17
"""Pixels from one line of a text to the next."""
FILLS = {"box": "#ffffff", "kept": "#e3eefc", "child": "#fdeadb", "out": "#f1f1f1"}
"""Colours: what runs, what keeps, what is believed in nothing, what is somebody else's."""


@dataclass(frozen=True)
class Box:
    """A thing: what is written in it, and where it stands."""

    text: str
    column: float
    row: float
    kind: str = "box"

    @property
    def middle(self) -> tuple[float, float]:
        """Return its middle, in pixels."""
        across = EDGE + self.column * ACROSS + WIDE / 2
        return across, EDGE + self.row * DOWN + HIGH / 2


@dataclass(frozen=True)
class Diagram:
    """Boxes by name, and arrows between names, each with its words; `-.` begins a dashed one."""

    title: str
    boxes: dict[str, Box]
    arrows: tuple[tuple[str, str, str], ...]


DIAGRAMS = {
    "architecture": Diagram(
        "Parts of Mediamill and what calls what",
        {
            "ways": Box("page, program,\ncommand line", 0, 0, "out"),
            "web": Box("web/, cli/, aws/", 1, 0),
            "services": Box("services/\nwhat a caller may do", 2, 0),
            "store": Box("store/\nrows: the truth", 3, 0.5, "kept"),
            "blobs": Box("blobs/\nbytes", 3, 1.5, "kept"),
            "bell": Box("adapters/brokers/\ndoorbells", 1, 1, "out"),
            "engine": Box("engine/\nclaim, lease, finish", 1, 2),
            "handlers": Box("handlers/\none per kind of unit", 2, 2),
            "slots": Box("engine/slots/\nchild processes", 2, 3, "child"),
            "operations": Box("operations/\nwhat to do", 1, 3, "child"),
            "media": Box("media/\ncodecs", 0, 3, "child"),
        },
        (
            ("ways", "web", ""),
            ("web", "services", ""),
            ("services", "store", ""),
            ("services", "blobs", ""),
            ("services", "bell", "-.there is work"),
            ("bell", "engine", "-."),
            ("engine", "handlers", ""),
            ("engine", "store", ""),
            ("handlers", "blobs", ""),
            ("handlers", "slots", ""),
            ("slots", "operations", ""),
            ("operations", "media", ""),
        ),
    ),
    "unit": Diagram(
        "What becomes of a unit of work",
        {
            "ready": Box("ready\ndue, in a lane", 0, 0, "kept"),
            "running": Box("running\nlease, fence n", 1.2, 0),
            "closed": Box("closed\noutcomes are there", 2.4, 0, "kept"),
            "gone": Box("its worker is gone\nthe lease runs out", 1.2, 1.2, "out"),
            "given": Box("given up\nafter many tries", 2.4, 1.2, "kept"),
        },
        (
            ("ready", "running", "claim"),
            ("running", "closed", "commit"),
            ("running", "gone", "kill"),
            ("gone", "ready", "due again"),
            ("gone", "given", ""),
        ),
    ),
    "machines": Diagram(
        "Several machines that share a store and blobs",
        {
            "people": Box("people\nand programs", 0, 1, "out"),
            "nginx": Box("nginx\nwith a certificate", 1, 1),
            "api1": Box("mediamill api", 2, 0),
            "api2": Box("mediamill api", 2, 0.8),
            "w1": Box("mediamill worker", 2, 1.6),
            "w2": Box("mediamill worker", 2, 2.4),
            "store": Box("PostgreSQL", 3.2, 0.6, "kept"),
            "blobs": Box("S3 or\na shared folder", 3.2, 1.8, "kept"),
        },
        (
            ("people", "nginx", ""),
            ("nginx", "api1", ""),
            ("nginx", "api2", ""),
            *((who, to, "") for who in ("api1", "api2", "w1", "w2") for to in ("store", "blobs")),
        ),
    ),
    "boundaries": Diagram(
        "Where trust ends: each arrow between colours is a boundary of the threat model",
        {
            "browser": Box("browser", 0, 0, "out"),
            "program": Box("program", 0, 1, "out"),
            "gateway": Box("gateway", 0, 2, "out"),
            "stream": Box("stream", 0, 3, "out"),
            "proxy": Box("reverse proxy", 1, 0.5),
            "functions": Box("functions", 1, 2),
            "ingest": Box("ingest", 1, 3),
            "api": Box("API", 2, 0.5),
            "worker": Box("worker", 2, 3),
            "store": Box("store", 3, 1, "kept"),
            "blobs": Box("blobs", 3, 2, "kept"),
            "issuer": Box("issuer", 3, 0, "out"),
            "operator": Box("operator", 4, 0.5, "out"),
            "backups": Box("backups", 4, 1.5, "kept"),
            "slot": Box("slot\ncodecs", 2, 4, "child"),
            "others": Box("providers, mail,\nreceivers, sources", 3, 4, "out"),
        },
        (
            ("browser", "proxy", ""),
            ("program", "proxy", ""),
            ("proxy", "api", ""),
            ("gateway", "functions", ""),
            ("api", "store", ""),
            ("api", "blobs", ""),
            ("functions", "store", ""),
            ("functions", "blobs", ""),
            ("stream", "ingest", ""),
            ("ingest", "store", ""),
            ("worker", "store", ""),
            ("worker", "blobs", ""),
            ("worker", "slot", ""),
            ("worker", "others", ""),
            ("api", "issuer", ""),
            ("operator", "store", ""),
            ("store", "backups", ""),
            ("blobs", "backups", ""),
        ),
    ),
}


def drawn(diagram: Diagram) -> str:
    """Draw a diagram."""
    wide = EDGE * 2 + WIDE + max(box.column for box in diagram.boxes.values()) * ACROSS
    high = EDGE * 2 + HIGH + max(box.row for box in diagram.boxes.values()) * DOWN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}"',
        f'width="{wide:.0f}" height="{high:.0f}" role="img" font-family="sans-serif"',
        'font-size="13">',
        f"<title>{escape(diagram.title)}</title>",
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"',
        'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#777"/></marker></defs>',
    ]
    for one, other, words in diagram.arrows:
        parts += arrow(diagram.boxes[one], diagram.boxes[other], words)
    for box in diagram.boxes.values():
        parts += outlined(box)
    return "\n".join([*parts, "</svg>", ""])


def arrow(one: Box, other: Box, words: str) -> Iterator[str]:
    """Draw an arrow from the edge of one box to that of the other."""
    (x1, y1), (x2, y2) = one.middle, other.middle
    dx, dy = x2 - x1, y2 - y1
    part = min(
        (WIDE / 2) / abs(dx) if dx else float("inf"), (HIGH / 2) / abs(dy) if dy else float("inf")
    )
    begin, end = (x1 + dx * part, y1 + dy * part), (x2 - dx * part, y2 - dy * part)
    dashed = ' stroke-dasharray="5 4"' if words.startswith("-.") else ""
    yield (
        f'<line x1="{begin[0]:.1f}" y1="{begin[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
        f'stroke="#777" stroke-width="1.4"{dashed} marker-end="url(#a)"/>'
    )
    if text := words.removeprefix("-."):
        length = (dx * dx + dy * dy) ** 0.5
        side = -APART if dx > 0 or dy > 0 else APART
        across = (begin[0] + end[0]) / 2 - dy / length * side * 2
        down = (begin[1] + end[1]) / 2 + dx / length * side + 3
        place = f'x="{across:.1f}" y="{down:.1f}" text-anchor="middle"'
        yield f'<text {place} fill="#777">{text}</text>'


def outlined(box: Box) -> Iterator[str]:
    """Draw a box and what is written in it."""
    across, down = box.middle
    yield (
        f'<rect x="{across - WIDE / 2:.1f}" y="{down - HIGH / 2:.1f}" width="{WIDE}" '
        f'height="{HIGH}" rx="6" fill="{FILLS[box.kind]}" stroke="#555"/>'
    )
    lines = box.text.split("\n")
    top = down - LINE * (len(lines) - 1) / 2 + 4.5
    for place, line in enumerate(lines):
        yield (
            f'<text x="{across:.1f}" y="{top + place * LINE:.1f}" text-anchor="middle" '
            f'fill="#222">{escape(line)}</text>'
        )


def main() -> int:
    """Draw all; with `--check` only tell what would change."""
    check = "--check" in sys.argv[1:]
    stale = []
    for name, diagram in DIAGRAMS.items():
        path, text = IMAGES / f"{name}.svg", drawn(diagram)
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if not check:
                path.write_text(text)
    for name in stale:
        print(f"docs/images/{name}.svg {'is out of date: make diagrams' if check else 'drawn'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
