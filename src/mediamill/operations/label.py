"""label: names for what is in a picture, with confidences, and where it is if that is known.

Providers that label answer as they do: boxes, wider names. Models that follow instructions are
asked for a document; how sure they say they are is their own word for it.
"""

from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from mediamill.adapters.providers.port import Image, Kind, Question, Traits, Used
from mediamill.adapters.providers.prices import worst
from mediamill.captions.asking import label_question, labels_of
from mediamill.captions.labels import Labelling, as_data
from mediamill.operations.asking import Ask, ModelOperation, Prepared
from mediamill.operations.base import Context, Outcome, Source, SourceFacts
from mediamill.operations.sending import cost, only_picture, pictured, sendable

ProviderName = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class Label(ModelOperation):
    """Name what is in an image: objects, scenes and activities, with confidences."""

    accepts: ClassVar[tuple[str, ...]] = ("image/*",)
    chain: ClassVar[str] = "label"

    max_labels: int = Field(10, ge=1, le=100, description="Most labels of an image; the surest.")
    min_confidence: float = Field(
        0.7, ge=0, le=1, description="Leave out what the model is less sure of."
    )
    providers: tuple[ProviderName, ...] = Field(
        (),
        max_length=8,
        description="Providers to ask, in this order; if left out those set up for labels.",
    )

    @property
    def asked(self) -> tuple[str, ...]:
        """Providers that the step names."""
        return self.providers

    @property
    def labelling(self) -> Labelling:
        """Which labels are kept."""
        return Labelling(self.max_labels, self.min_confidence)

    def cost(self, source: SourceFacts) -> float:
        """Estimate the seconds of one core until the picture can be sent."""
        return cost(source)

    def prepare(self, source: Source, context: Context) -> Outcome:
        """Write the picture as it is sent."""
        return Outcome(files=(sendable(source, context),))

    def question(self, picture: Image) -> Question:
        """Return what is asked about a picture."""
        return label_question(picture, self.labelling)

    async def answer(self, prepared: Prepared, ask: Ask, context: Context) -> Outcome:
        """Return the labels, the surest first, and who gave them; there may be none."""
        question = self.question(only_picture(prepared))
        if Kind.LABELS not in ask.traits.kinds:
            question = replace(question, kind=Kind.TEXT)
        answer = await ask("labels", question)
        labels = [as_data(label) for label in labels_of(answer, self.labelling)]
        return Outcome(data={"labels": labels, "provider": answer.provider, "model": answer.model})

    def estimate(self, facts: SourceFacts) -> Used:
        """Return what the one call uses at most."""
        return worst(self.question(pictured(facts)), Traits(frozenset()))


plugin = Label
