"""Forms made of schemas."""

from typing import Literal

from pydantic import BaseModel, Field

from mediamill.web.pages.forms import inputs


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
