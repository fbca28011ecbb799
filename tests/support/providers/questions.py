"""Questions, and pictures that are asked about."""

from functools import cache
from io import BytesIO

from PIL import Image as Pillow

from mediamill.adapters.providers.port import Image, Kind, Question, Text

SCHEMA = {
    "type": "object",
    "properties": {"concise": {"type": "string"}, "count": {"type": "integer"}},
    "required": ["concise", "count"],
    "additionalProperties": False,
}


@cache
def picture(width: int = 64, height: int = 48, kind: str = "jpeg") -> Image:
    """Return a picture as it is sent."""
    made = BytesIO()
    Pillow.linear_gradient("L").resize((width, height)).convert("RGB").save(made, kind)
    return Image(made.getvalue(), f"image/{kind}", width, height, name=f"a.{kind}")


def caption(instruction: str = "Say what is in it.", **more: object) -> Question:
    return Question(Kind.CAPTION, (picture(),), instruction, **more)  # type: ignore[arg-type]


def prompt(text: str = "Some text.", **more: object) -> Question:
    given = {"instruction": "Sum it up.", "system": "Be brief.", **more}
    return Question(Kind.TEXT, (Text(text, "a.txt"),), **given)  # type: ignore[arg-type]


def labels(**more: object) -> Question:
    return Question(Kind.LABELS, (picture(),), **more)  # type: ignore[arg-type]
