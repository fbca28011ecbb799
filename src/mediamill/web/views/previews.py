"""Previews as they look outside."""

from typing import Any

from pydantic import Field

from mediamill.services.previews import Shown
from mediamill.web.parsing import Body
from mediamill.web.views.common import View


class PreviewRequest(Body):
    """The operation's parameters, and the image to show them on."""

    file: str = Field(max_length=100, examples=["file_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    parameters: dict[str, Any] = Field({}, examples=[{"methods": ["rotate"], "rotate": [-10, 10]}])
    seed: int = Field(0, ge=0, lt=1 << 63, description="For what is drawn beside the parameter.")
    whole: bool = Field(
        False, description="Show one picture of all of it, and none of single parameters."
    )


class ShownView(View):
    parameter: str = Field(
        description="What is varied; empty for the image as it is, and as all of it makes it.",
        examples=["rotate"],
    )
    place: str = Field(description="`before`, `after`, or of the range `low`, `middle`, `high`.")
    value: float | None = Field(description="What the parameter is there.", examples=[-20])
    width: int
    height: int
    image: str = Field(description="JPEG as a data URL.")


class PreviewView(View):
    """The first picture is the image as it is."""

    data: list[ShownView]


def preview_view(shown: tuple[Shown, ...]) -> PreviewView:
    return PreviewView(
        data=[
            ShownView(
                parameter=one.parameter,
                place=one.place,
                value=one.value,
                width=one.width,
                height=one.height,
                image=one.url,
            )
            for one in shown
        ]
    )
