"""What containers of Hugging Face's pipelines answer: texts they generated, or labels with scores.

https://huggingface.co/docs/huggingface_hub/package_reference/inference_types
"""

from typing import Any

import msgspec
import pybase64

from mediamill.adapters.providers.faults import invalid
from mediamill.adapters.providers.port import Image, Kind, Label, Question
from mediamill.adapters.providers.wire import read


class Generated(msgspec.Struct):
    """A text of a picture."""

    generated_text: str


class Scored(msgspec.Struct):
    """A class of a picture, and how likely it is."""

    label: str
    score: float


def text_of(name: str, body: bytes) -> str:
    """Read `[{"generated_text": …}]`, which some wrap once more or not; raises `InvalidAnswer`."""
    shape: Any = Generated | list[Generated | list[Generated]]
    found = read(name, body, shape)
    while isinstance(found, list):
        if not found:
            raise invalid(name, "answers no text")
        found = found[0]
    return str(found.generated_text).strip()


def labels_of(name: str, body: bytes, question: Question) -> tuple[Label, ...]:
    """Read `[{"label": …, "score": …}]`, the likeliest first; raises `InvalidAnswer`."""
    found = sorted(read(name, body, list[Scored]), key=lambda one: -one.score)
    if any(not 0 <= one.score <= 1 for one in found):
        raise invalid(name, "answers scores that are none")
    labels = [Label(one.label, one.score) for one in found]
    return tuple(labels[: question.max_labels]) if question.kind is Kind.LABELS else ()


def in_json(image: Image, parameters: dict[str, Any]) -> bytes:
    """Return a picture as containers take it that read JSON."""
    data = pybase64.b64encode(image.data).decode("ascii")
    more = {"parameters": parameters} if parameters else {}
    return msgspec.json.encode({"inputs": data, **more})


def parameters_of(text: str) -> dict[str, Any]:
    """Read parameters of a model from an address; raises `ValueError`."""
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (ValueError, RecursionError):
        raise ValueError("parameters is a JSON object") from None
