"""Forms made of schemas."""

from typing import Literal

from pydantic import BaseModel, Field

from mediamill.operations.catalogue import OPERATIONS
from mediamill.web.pages.forms import forms, inputs


class Sample(BaseModel):
    mode: Literal["fps", "all"] = Field("all", description="Which.")
    fps: float = Field(1.0, gt=0, le=30, description="Frames per second (fps).")
    width: int | None = Field(None, ge=1, description="Pixels (at most).")
    exact: bool = False
    at: tuple[float, ...] = ()


def test_controls_of_a_schema():
    mode, fps, width, exact, at = inputs(Sample.model_json_schema())
    assert (mode.kind, mode.choices, mode.shown, mode.main) == (
        "choice",
        ("fps", "all"),
        "all",
        True,
    )
    assert (fps.kind, fps.when, fps.help, fps.shown) == (
        "number", ("mode", "fps"), "Frames per second.", "1",
    )  # fmt: skip
    assert (fps.low, fps.high, fps.range) == (0, 30, "above 0, to 30")
    assert (width.kind, width.default, width.when, width.main) == ("integer", None, None, False)
    assert width.help == "Pixels (at most)."
    assert (exact.kind, at.kind) == ("boolean", "list")


def test_without_ties_the_first_three_show():
    class Plain(BaseModel):
        a: int = 1
        b: int = 2
        c: int = 3
        d: int = 4

    assert [control.main for control in inputs(Plain.model_json_schema())] == [True] * 3 + [False]


def test_forms_of_all_operations_say_what_they_take_and_give():
    told = {one.operation.name: one for one in forms(OPERATIONS)}
    assert {name: (one.takes, one.gives) for name, one in told.items()}.items() >= {
        "extract-frames": (("video",), "frames"),
        "thumbnail": (("image", "video"), "image"),
        "prompt": (("document", "image"), "texts"),
        "health-check": (("image",), "report"),
    }.items()
    assert told["extract-frames"].label == "Extract frames"
    assert [*told["extract-frames"].more] == ["part", "picture"]
    assert [one.name for one in told["extract-frames"].more["part"]] == [
        "start", "end", "max_frames",
    ]  # fmt: skip
    assert (told["prompt"].asks, told["convert"].asks) == (True, False)
    needed = {(name, one.needed) for name in told for one in told[name].inputs if one.needed}
    assert needed == {("augment", ("methods",)), ("prompt", ("prompt", "system"))}
    assert (told["augment"].draws, told["preprocess"].varies) == (True, True)


def test_a_list_is_written_with_commas():
    class Plain(BaseModel):
        languages: tuple[str, ...] = ("en", "pt-BR")

    (control,) = inputs(Plain.model_json_schema())
    assert control.written == "en, pt-BR"
