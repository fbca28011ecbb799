"""The parameters of caption, and the way from a picture to its texts."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from mediamill.adapters.providers.port import Image, Label, Question, Traits, Used
from mediamill.adapters.providers.prices import worst
from mediamill.captions import labels as labelled
from mediamill.captions.asking import caption_question
from mediamill.captions.labels import Labelling
from mediamill.captions.languages import canonical
from mediamill.captions.model import Caption as Words
from mediamill.captions.model import Style, Variant
from mediamill.captions.reading import Wanted, read
from mediamill.operations.asking import Ask, ModelOperation, Prepared
from mediamill.operations.base import Context, Outcome, Source, SourceFacts
from mediamill.operations.caption.describing import clean_copy, described
from mediamill.operations.sending import cost, only_picture, pictured, sendable

ProviderName = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Tag = Annotated[str, StringConstraints(min_length=2, max_length=20)]
LABELLING = Labelling(10, 0.7)
"""Which labels are asked for beside captions: those that `label` gives unless told otherwise."""
LABELS = "labels"
"""In the place of a variant, where they are missing."""
OWN = "own"
"""The style of captions that were written in the caller's words."""


class Caption(ModelOperation):
    """Write captions and alt-texts of an image, in several variants and languages."""

    accepts: ClassVar[tuple[str, ...]] = ("image/*",)
    chain: ClassVar[str] = "caption"

    variants: tuple[Variant, ...] = Field(
        ("concise", "creative"),
        min_length=1,
        max_length=3,
        description="concise: at most 10 words. creative: one or two sentences, at most 200 "
        "characters. alt-text: what a screen reader says, at most 125 characters, empty for "
        "decoration.",
    )
    languages: tuple[Tag, ...] = Field(
        ("en",), min_length=1, max_length=20, description="Languages as BCP 47 has them: en, pt-BR."
    )
    style: Style | None = Field(
        None, description="How concise and creative captions sound; alt-texts stay plain."
    )
    prompt: str = Field(
        "",
        max_length=2_000,
        description="How they should sound in your own words, instead of a style or beside it.",
    )
    context: str = Field(
        "",
        max_length=4_000,
        description="What the images are for, such as facts of a product; sent as data.",
    )
    use_name: bool = Field(
        False, description="Send the file's name too, where it says something about the image."
    )
    labels: bool = Field(False, description="Name what is seen too, from the same answer.")
    write_iptc: bool = Field(
        False,
        description="Also write the texts into a copy of the image (IPTC as XMP), or beside it "
        "where it is no JPEG, PNG or WebP. All other metadata is gone from the copy.",
    )
    providers: tuple[ProviderName, ...] = Field(
        (),
        max_length=8,
        description="Providers to ask, in this order; if left out those set up for captions.",
    )

    @field_validator("languages")
    @classmethod
    def _canonical(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(canonical(tag) for tag in tags))

    @field_validator("variants")
    @classmethod
    def _once(cls, variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
        return tuple(dict.fromkeys(variants))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.style or self.prompt) and self.variants == ("alt-text",):
            raise ValueError("an alt-text has no style: `style` and `prompt` are for the others")
        return self

    @property
    def asked(self) -> tuple[str, ...]:
        """Providers that the step names."""
        return self.providers

    @property
    def reads_name(self) -> bool:
        """Whether the file's name is sent."""
        return self.use_name

    def cost(self, source: SourceFacts) -> float:
        """Estimate the seconds of one core until the picture can be sent."""
        return cost(source)

    def prepare(self, source: Source, context: Context) -> Outcome:
        """Write the picture as it is sent; with `write_iptc` a copy of the file too."""
        sent = sendable(source, context)
        copy = clean_copy(source, context) if self.write_iptc else None
        return Outcome(files=(sent, copy) if copy else (sent,))

    async def answer(self, prepared: Prepared, ask: Ask, context: Context) -> Outcome:
        """Return `captions`, an entry for each variant and language that was given.

        `missing` has those that a plain captioner's words would not do for, and why, and `labels`
        where they were asked for and it gives none; `labels` what is seen. One call for each
        language.
        """
        picture = only_picture(prepared)
        captions: list[Words] = []
        labels: tuple[Label, ...] | None = None
        missing: list[dict[str, str]] = []
        for wanted in self._wanted():
            question = self._question(picture, wanted, prepared.name, tuple(captions))
            answer = await ask(f"captions-{wanted.language}", question)
            found = read(answer, wanted, captions)
            captions += found.captions
            if wanted.labelling is not None:
                labels = found.labels
            missing += [
                {"variant": variant, "language": wanted.language, "reason": why}
                for variant, why in found.missing.items()
            ]
            if wanted.labelling is not None and labels is None:
                why = f"{answer.provider} gives none beside captions; the operation “label” does"
                missing.append({"variant": LABELS, "language": "", "reason": why})
        data: dict[str, Any] = {"captions": [caption.as_data() for caption in captions]}
        if labels is not None:
            data["labels"] = [labelled.as_data(label) for label in labels]
        if missing:
            data["missing"] = missing
        if not self.write_iptc:
            return Outcome(data=data)
        file = await asyncio.to_thread(described, prepared, captions, labels or (), context)
        return Outcome((file,), data)

    def questions(self, picture: Image, name: str = "") -> Iterator[Question]:
        """Yield what is asked about a picture whose file has a name."""
        for wanted in self._wanted():
            yield self._question(picture, wanted, name, ())

    def estimate(self, facts: SourceFacts) -> Used:
        """Return what all calls use at most, if the first provider answers each."""
        uses = (worst(one, Traits(frozenset())) for one in self.questions(pictured(facts), _LONG))
        return sum(uses, Used(calls=0))

    def _wanted(self) -> Iterator[Wanted]:
        """Yield what is asked for in each language; labels once, with the first."""
        style = self.style or (OWN if self.prompt else "")
        for n, language in enumerate(self.languages):
            labelling = LABELLING if self.labels and not n else None
            yield Wanted(self.variants, language, style, labelling)

    def _question(
        self, picture: Image, wanted: Wanted, name: str, before: tuple[Words, ...]
    ) -> Question:
        return caption_question(
            picture,
            wanted,
            words=self.prompt,
            context=self.context,
            name=name if self.use_name else "",
            before=before,
        )


_LONG = "\u0001" * 255
"""A name that takes more bytes in a question than any other of a file."""
