"""Hugging Face's inference: its providers, and endpoints of one's own.

    huggingface:Salesforce/blip-image-captioning-large
    huggingface:google/vit-base-patch16-224?task=image-classification
    huggingface:Qwen/Qwen2.5-VL-7B-Instruct?task=chat
    huggingface:mine?base_url=https://x.endpoints.huggingface.cloud

Pictures go as they are, a chat in the protocol of chat completions, the key as a bearer
(https://huggingface.co/docs/inference-providers). A model that is being loaded (503 with
`estimated_time`) counts as one that is busy for so long. With `base_url` that very address is
asked, and `/v1/chat/completions` below it for a chat.
"""

import time
from dataclasses import replace
from typing import Any, ClassVar

import msgspec

from mediamill.adapters.providers import completions
from mediamill.adapters.providers.address import Address
from mediamill.adapters.providers.completions import PATH, Completions
from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.faults import declined, limited, within
from mediamill.adapters.providers.generated import labels_of, text_of
from mediamill.adapters.providers.port import (
    Answer,
    Deadline,
    Kind,
    Question,
    Traits,
    Used,
)
from mediamill.adapters.providers.wire import OPTIONS, Wire
from mediamill.core.errors import MediamillError

BASE_URL = "https://router.huggingface.co"
PIPELINES = "/hf-inference/models/"
TRAITS = Traits(
    kinds=frozenset({Kind.CAPTION}),
    long_side=1024,
    output_tokens=512,
    multilingual=False,
    instructed=False,
)
KINDS = {
    "image-to-text": frozenset({Kind.CAPTION}),
    "image-classification": frozenset({Kind.LABELS}),
    "chat": frozenset(Kind),
}


class HuggingFace:
    """Asks a model that Hugging Face serves, or its software."""

    options: ClassVar[frozenset[str]] = OPTIONS | completions.OPTIONS | {"task"}

    def __init__(self, configured: Configured, address: Address, wire: Wire) -> None:
        address.need_model("Salesforce/blip-image-captioning-large")
        self.name, self.model = configured.name, address.model
        self._task = address.choice("task", *KINDS)
        self._chat = Completions.of(self.name, address)
        known = replace(TRAITS, kinds=KINDS[self._task])
        self.traits = self._chat.traits if self._task == "chat" else address.traits(known)
        own = "base_url" in address.options
        pipeline = "" if own else f"{PIPELINES}{self.model}"
        self._path = f"/v1{PATH}" if self._task == "chat" else pipeline
        self._wire, self._timeout = wire, configured.timeout

    @classmethod
    def open(cls, configured: Configured, address: Address) -> "HuggingFace":
        """Make it; raises `ValueError`."""
        return cls(configured, address, Wire(configured, address, BASE_URL))

    async def ask(self, question: Question, deadline: Deadline) -> Answer:
        """Ask once."""
        if self._task == "chat":
            body, type_ = self._chat.body(question), "application/json"
        elif question.images:
            body, type_ = question.images[0].data, question.images[0].media_type
        else:
            raise declined(self.name, "is asked about pictures, and there is none")
        began = time.monotonic()
        async with within(self.name, deadline, self._timeout):
            headers = {"Content-Type": type_}
            reply = await self._wire.post(self._path, body, headers, self._loading)
        seconds = time.monotonic() - began
        if self._task == "chat":
            answer = self._chat.answer(question, reply)
            return replace(answer, used=replace(answer.used, seconds=seconds))
        labelling = self._task == "image-classification"
        return Answer(
            self.name,
            self.model,
            "" if labelling else text_of(self.name, reply.body),
            labels_of(self.name, reply.body, question) if labelling else (),
            Used(images=1, seconds=seconds),
            request=reply.headers.get("x-request-id", ""),
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._wire.close()

    def _loading(self, status: int, body: bytes) -> MediamillError | None:
        """Return the error of a model that is being loaded."""
        try:
            found: Any = msgspec.json.decode(body) if status == 503 else None
        except (ValueError, RecursionError):
            return None
        left = found.get("estimated_time") if isinstance(found, dict) else None
        if isinstance(left, bool) or not isinstance(left, int | float) or not 0 <= left <= 3600:
            return None
        return limited(self.name, float(left), f"loads its model for {left:.0f} s")


plugin = HuggingFace
