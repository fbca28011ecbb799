"""Labels by Amazon Rekognition: `rekognition:?region=us-east-1`.

One call is `DetectLabels` with the picture's bytes
(https://docs.aws.amazon.com/rekognition/latest/dg/labels-detect-labels-image.html). Needs
`rekognition:DetectLabels`.
"""

import time
from typing import Any, ClassVar

import msgspec

from mediamill.adapters.providers.address import Address
from mediamill.adapters.providers.chat import named
from mediamill.adapters.providers.cloud import OPTIONS, Cloud, called, told
from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.faults import declined, invalid, within
from mediamill.adapters.providers.port import (
    Answer,
    Box,
    Deadline,
    Kind,
    Label,
    Question,
    Traits,
    Used,
)

TRAITS = Traits(
    kinds=frozenset({Kind.LABELS}),
    long_side=4096,
    image_bytes=5 << 20,
    multilingual=False,
    instructed=False,
)


class BoundingBox(msgspec.Struct, rename="pascal"):
    """A rectangle, in parts of the picture's sides."""

    left: float
    top: float
    width: float
    height: float


class Instance(msgspec.Struct, rename="pascal"):
    """Where something is."""

    bounding_box: BoundingBox | None = None


class Parent(msgspec.Struct, rename="pascal"):
    name: str


class Found(msgspec.Struct, rename="pascal"):
    """A label; its confidence is in per cent."""

    name: str
    confidence: float
    instances: list[Instance] = []
    parents: list[Parent] = []

    def label(self) -> Label:
        boxes = (instance.bounding_box for instance in self.instances)
        return Label(
            self.name,
            self.confidence / 100,
            tuple(Box(box.left, box.top, box.width, box.height) for box in boxes if box),
            tuple(parent.name for parent in self.parents),
        )


class Reply(msgspec.Struct, rename="pascal"):
    labels: list[Found]
    label_model_version: str = ""


class Rekognition:
    """Asks Rekognition for labels."""

    options: ClassVar[frozenset[str]] = OPTIONS

    def __init__(self, configured: Configured, address: Address, cloud: Cloud) -> None:
        self.name, self.model = configured.name, "DetectLabels"
        self.traits = address.traits(TRAITS)
        self._cloud, self._timeout = cloud, configured.timeout

    @classmethod
    def open(cls, configured: Configured, address: Address) -> "Rekognition":
        """Make it; raises `ValueError`."""
        if address.model:
            raise ValueError("write rekognition: without a model")
        return cls(configured, address, Cloud(configured, address, "rekognition"))

    async def ask(self, question: Question, deadline: Deadline) -> Answer:
        """Ask once."""
        if not question.images:
            raise declined(self.name, "labels pictures, and there is none")
        began = time.monotonic()
        async with within(self.name, deadline, self._timeout):
            with told(self.name):
                client = await self._cloud.client()
                asked = client.detect_labels(
                    Image={"Bytes": question.images[0].data},
                    MaxLabels=question.max_labels,
                    MinConfidence=100 * question.min_confidence,
                )
                found = await called(asked)
        return self._answer(found, time.monotonic() - began)

    async def close(self) -> None:
        """Close its connections."""
        await self._cloud.close()

    def _answer(self, found: Any, seconds: float) -> Answer:
        request = found.pop("ResponseMetadata", {}).get("RequestId", "")
        try:
            reply = msgspec.convert(found, Reply)
        except msgspec.ValidationError as error:
            why = f"answers what its protocol does not say: {error}"
            raise invalid(self.name, why) from None
        return Answer(
            self.name,
            named(f"{self.model} {reply.label_model_version}".strip()),
            labels=tuple(one.label() for one in reply.labels),
            used=Used(images=1, seconds=seconds),
            request=request,
        )


plugin = Rekognition
