"""`sample`: fill a project with small pictures of shapes in different places, and what is in them.

They are made here, so that nothing has to be shipped or fetched; always the same ones. For the
health check to find there is a picture that is another one stored again, and one out of focus.
"""

import asyncio
import hashlib
import math
from dataclasses import dataclass
from typing import Any

from mediamill.annotations.model import Annotation, Category, ImageAnnotations
from mediamill.handlers.datasets.bringing import AT_ONCE, Bringing, Taking, id_of
from mediamill.handlers.datasets.task import Plain, Work
from mediamill.store.repositories.annotation_bringing import bring
from mediamill.store.repositories.annotations import Annotations
from mediamill.store.repositories.projects import member

COUNT, WIDTH, HEIGHT = 24, 256, 192
CELL = 96
"""Pixels of each side of the room that a shape has."""
AGAIN, BLURRED = {21: 3}, 14
"""Which picture is another one, stored again, and which one is out of focus."""
QUALITY, WORSE = 85, 35
SHAPES = ("circle", "square", "triangle", "star")
COLOURS = ("#d1495b", "#2e8b57", "#3066be", "#e1aa46")
TIPS = ("top", "right", "lower right", "lower left", "left")
CATEGORIES = (
    *(Category(n, SHAPES[n - 1], colour=COLOURS[n - 1]) for n in (1, 2, 3)),
    Category(4, "star", colour=COLOURS[3], keypoints=TIPS, pairs=((1, 4), (2, 3))),
)


@dataclass(frozen=True)
class Shape:
    """A shape in a picture: its kind, the corner of its box, and how wide and high that is."""

    kind: int
    x: int
    y: int
    size: int

    def corners(self) -> list[tuple[float, float]]:
        """Return its outline, in pixels; a star begins at its top."""
        if self.kind == 0:
            return [self._at(n / 32, 1) for n in range(32)]
        if self.kind == 3:
            tips = [self._at(n / 10, 0.5 if n % 2 else 1) for n in range(10)]
            return [(float(round(x)), float(round(y))) for x, y in tips]
        x, y, far = self.x, self.y, self.size
        if self.kind == 1:
            return [(x, y), (x + far, y), (x + far, y + far), (x, y + far)]
        return [(x + far / 2, y), (x + far, y + far), (x, y + far)]

    def _at(self, turn: float, part: float) -> tuple[float, float]:
        """Return a place around the middle, by turns from the top and parts of the radius."""
        half, angle = self.size / 2, 2 * math.pi * turn
        away = half * part
        return self.x + half + away * math.sin(angle), self.y + half - away * math.cos(angle)

    def annotation(self, number: int) -> Annotation:
        """Return what is known of it: a box; of triangles and stars outlines, of stars tips."""
        corners = [(round(x, 2), round(y, 2)) for x, y in self.corners()]
        across, down = [x for x, _ in corners], [y for _, y in corners]
        box = (min(across), min(down), max(across) - min(across), max(down) - min(down))
        ring = tuple(value for corner in corners for value in corner) if self.kind > 1 else ()
        tips = tuple(value for corner in corners[::2] for value in (*corner, 2.0))
        return Annotation(
            number,
            SHAPES[self.kind],
            tuple(round(value, 2) for value in box),  # type: ignore[arg-type]  # four of them
            polygons=(ring,) if ring else (),
            keypoints=tips if self.kind == 3 else (),
        )


def shapes_of(number: int) -> list[Shape]:
    """Return the one to three shapes of a picture, in cells of their own."""
    lots = hashlib.sha256(f"sample {number}".encode()).digest()
    found = []
    for n in range(1 + lots[0] % 3):
        kind, size = (number + n) % len(SHAPES), 44 + lots[4 * n + 1] % 44
        cell = (lots[1] + n) % 4
        x, y = cell % 2 * WIDTH // 2, cell // 2 * CELL
        across, down = WIDTH // 2 - size - 3, CELL - size - 3
        left, top = x + 2 + lots[4 * n + 2] % across, y + 2 + lots[4 * n + 3] % down
        found.append(Shape(kind, left, top, size))
    return found


def picture(number: int) -> tuple[bytes, ImageAnnotations]:
    """Return a picture as JPEG, and what is in it."""
    from mediamill.media.image import scenes  # needs numpy, which only workers have

    shown = AGAIN.get(number, number)
    levels, shapes = scenes.place(shown), shapes_of(shown)
    for shape in shapes:
        ink = tuple(bytes.fromhex(COLOURS[shape.kind][1:]))
        scenes.outline(shape.corners(), levels, ink)
    if number == BLURRED:
        levels = scenes.blurred(levels)
    data = scenes.encoded(levels, QUALITY if shown == number else WORSE)
    known = tuple(one.annotation(n) for n, one in enumerate(shapes, 1))
    return data, ImageAnnotations(WIDTH, HEIGHT, known)


@dataclass
class SampleMembers(Plain):
    """Fills sample projects."""

    annotations: Annotations
    taking: Taking

    async def run(self, work: Work) -> dict[str, Any]:
        task = work.task
        made = await asyncio.to_thread(lambda: [picture(n) for n in range(COUNT)])
        contents: dict[str, ImageAnnotations] = {}
        for start in range(0, COUNT, AT_ONCE):
            coming = []
            for n, (data, content) in enumerate(made[start : start + AT_ONCE], start):
                row = member(work.project.id, id_of(task, n), task.created)
                coming.append(Bringing(row.file, f"shapes_{n:02}.jpg", data, row))
                contents[row.file] = content
            for error in await self.taking.take(task.user, coming):
                if error is not None:
                    raise error
            await work.show(start + len(coming), COUNT)
        await bring(
            self.annotations, task.project, contents, CATEGORIES, user=task.user, over=False
        )
        return {"taken": COUNT, "total": COUNT}
