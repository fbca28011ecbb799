"""Endpoints of Amazon SageMaker: `sagemaker:endpoint-name?region=us-east-1&send=image`.

One call is `InvokeEndpoint`. `send` says what the endpoint's container takes:

- `image` (as it is): the picture's bytes with their type, as Hugging Face's inference toolkit does
- `json`: `{"inputs": "<base64>", "parameters": {…}}`, with `parameters` of the address
- `chat`: a request in the protocol of chat completions, as TGI and vLLM containers take them

`task` is `caption` (answers are `[{"generated_text": …}]`) or `labels` (`[{"label", "score"}]`).
`component` and `variant` name what of the endpoint is asked. Needs `sagemaker:InvokeEndpoint`.
"""

import time
from dataclasses import replace
from typing import Any, ClassVar

from mediamill.adapters.providers import completions
from mediamill.adapters.providers.address import Address
from mediamill.adapters.providers.cloud import OPTIONS, Cloud, called, drained, told
from mediamill.adapters.providers.completions import Completions
from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.faults import declined, within
from mediamill.adapters.providers.generated import in_json, labels_of, parameters_of, text_of
from mediamill.adapters.providers.port import (
    Answer,
    Deadline,
    Kind,
    Question,
    Traits,
    Used,
)
from mediamill.adapters.providers.wire import Reply

TRAITS = Traits(
    kinds=frozenset({Kind.CAPTION}),
    long_side=1024,
    output_tokens=512,
    multilingual=False,
    instructed=False,
)
KINDS = {"caption": frozenset({Kind.CAPTION}), "labels": frozenset({Kind.LABELS})}
NAMED = {"component": "InferenceComponentName", "variant": "TargetVariant"}


class SageMaker:
    """Asks an endpoint."""

    options: ClassVar[frozenset[str]] = (
        OPTIONS | completions.OPTIONS | NAMED.keys() | {"send", "task", "parameters"}
    )

    def __init__(self, configured: Configured, address: Address, cloud: Cloud) -> None:
        address.need_model("endpoint-name")
        self.name, self.model = configured.name, address.model
        self._send = address.choice("send", "image", "json", "chat")
        task = address.choice("task", *KINDS)
        self._chat = Completions.of(self.name, address)
        known = self._chat.traits if self._send == "chat" else replace(TRAITS, kinds=KINDS[task])
        self.traits = address.traits(known)
        self._parameters = parameters_of(address.options.get("parameters", "{}"))
        self._named = {
            member: address.options[option]
            for option, member in NAMED.items()
            if option in address.options
        }
        self._cloud, self._timeout = cloud, configured.timeout

    @classmethod
    def open(cls, configured: Configured, address: Address) -> "SageMaker":
        """Make it; raises `ValueError`."""
        return cls(configured, address, Cloud(configured, address, "sagemaker-runtime"))

    async def ask(self, question: Question, deadline: Deadline) -> Answer:
        """Ask once."""
        request = self.request(question)
        began = time.monotonic()
        async with within(self.name, deadline, self._timeout):
            with told(self.name):
                client = await self._cloud.client()
                found = await called(client.invoke_endpoint(**request))
                stream = found["Body"].raw_stream
                try:
                    body = await drained(stream.content)
                finally:
                    stream.close()
        return self._answer(question, found, body, time.monotonic() - began)

    async def close(self) -> None:
        """Close its connections."""
        await self._cloud.close()

    def request(self, question: Question) -> dict[str, Any]:
        """Return the members of a request; raises `QuestionRefused`."""
        images = question.images
        if self._send != "chat" and not images:
            raise declined(self.name, "is asked about pictures, and there is none")
        type_ = "application/json"
        if self._send == "image":
            body, type_ = images[0].data, images[0].media_type
        elif self._send == "json":
            body = in_json(images[0], self._parameters)
        else:
            body = self._chat.body(question)
        return {
            "EndpointName": self.model,
            "Body": body,
            "ContentType": type_,
            "Accept": "application/json",
            **self._named,
        }

    def _answer(self, question: Question, found: Any, body: bytes, seconds: float) -> Answer:
        request = found.get("ResponseMetadata", {}).get("RequestId", "")
        if self._send == "chat":
            answer = self._chat.answer(question, Reply({}, body))
            return replace(answer, used=replace(answer.used, seconds=seconds), request=request)
        labelling = Kind.LABELS in self.traits.kinds
        return Answer(
            self.name,
            self.model,
            "" if labelling else text_of(self.name, body),
            labels_of(self.name, body, question) if labelling else (),
            Used(images=1, seconds=seconds),
            request=request,
        )


plugin = SageMaker
