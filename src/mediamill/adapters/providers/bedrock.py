"""Models on Amazon Bedrock, through Converse: Anthropic, Nova, Llama, Mistral and others.

    bedrock:amazon.nova-lite-v1:0?region=us-east-1
    bedrock:eu.anthropic.claude-haiku-4-5-20251001-v1:0

The model is a name, an inference profile's name, or an ARN; `family=anthropic.claude-haiku-4-5`
says what is behind a profile of one's own. Parameters: `region`, `endpoint`; `structured=output`,
`tool` or `words`, how it is held to a schema; `fields`, a JSON object that goes to the model as
`additionalModelRequestFields`. Needs `bedrock:InvokeModel` for the model, and for all models that
an inference profile leads to.

With `batch=s3://bucket/prefix` and `role=arn:aws:iam::…:role/…` many questions are asked at once,
for half the price (`batching.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from mediamill.adapters.providers import batching
from mediamill.adapters.providers.address import Address
from mediamill.adapters.providers.batching import LEAST, BatchJobs
from mediamill.adapters.providers.cloud import OPTIONS, Cloud, called, told
from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.converse import Converse
from mediamill.adapters.providers.families import STRUCTURED, able, family_of
from mediamill.adapters.providers.faults import within
from mediamill.adapters.providers.port import Answer, Deadline, Question


class Bedrock:
    """Asks a model on Bedrock."""

    options: ClassVar[frozenset[str]] = (
        OPTIONS | batching.OPTIONS | {"family", "structured", "fields"}
    )

    def __init__(self, configured: Configured, talk: Converse, cloud: Cloud) -> None:
        self.name, self.model, self.traits = talk.name, talk.model, talk.traits
        self._talk, self._cloud, self._timeout = talk, cloud, configured.timeout

    @classmethod
    def open(cls, configured: Configured, address: Address) -> "Bedrock":
        """Make it; raises `ValueError`."""
        talk = talking(configured, address)
        cloud = Cloud(configured, address, "bedrock-runtime")
        if "batch" in address.options:
            return BatchedBedrock(configured, talk, cloud, BatchJobs.of(configured, address, talk))
        return cls(configured, talk, cloud)

    async def ask(self, question: Question, deadline: Deadline) -> Answer:
        """Ask once."""
        async with within(self.name, deadline, self._timeout):
            with told(self.name):
                client = await self._cloud.client()
                found = await called(
                    client.converse(modelId=self.model, **self._talk.request(question))
                )
        request = found.pop("ResponseMetadata", {}).get("RequestId", "")
        return self._talk.answer(found, request, begun=question.begun, images=len(question.images))

    async def close(self) -> None:
        """Close its connections."""
        await self._cloud.close()


class BatchedBedrock(Bedrock):
    """Asks a model on Bedrock, also many questions at once (`Batches`)."""

    least: ClassVar[int] = LEAST

    def __init__(
        self, configured: Configured, talk: Converse, cloud: Cloud, jobs: BatchJobs
    ) -> None:
        super().__init__(configured, talk, cloud)
        self._jobs = jobs

    async def submit(self, questions: Sequence[tuple[str, Question]], key: str) -> str:
        """Hand in questions; return the job's ARN."""
        return await self._jobs.submit(questions, key)

    async def collect(self, batch: str) -> Mapping[str, Answer | str] | None:
        """Return what there is of a job that ended."""
        return await self._jobs.collect(batch)

    async def stop(self, batch: str) -> None:
        """Stop a job, unless it is over."""
        await self._jobs.stop(batch)

    async def close(self) -> None:
        """Close its connections."""
        await super().close()
        await self._jobs.close()


def talking(configured: Configured, address: Address) -> Converse:
    """Return how the address's model is asked; raises `ValueError`."""
    address.need_model("amazon.nova-lite-v1:0")
    family = family_of(address.options.get("family", address.model))
    ways = (family.structured, *(way for way in STRUCTURED if way != family.structured))
    structured = next(way for way in STRUCTURED if way == address.choice("structured", *ways))
    return Converse(
        configured.name,
        address.model,
        family,
        able(address.traits(family.traits)),
        structured,
        _fields(address.options.get("fields", "{}")),
    )


def _fields(text: str) -> Mapping[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (ValueError, RecursionError):
        raise ValueError("fields is a JSON object") from None


plugin = Bedrock
