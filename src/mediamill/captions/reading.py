"""Read what a model answered that was asked for captions or labels, and judge it.

One that follows instructions answers a JSON document. A plain captioner says one thing of the
picture, in English, which serves as each variant for which it will do.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mediamill.adapters.providers.port import Answer, Label
from mediamill.captions.labels import Labelling
from mediamill.captions.languages import primary
from mediamill.captions.model import Caption, Variant
from mediamill.captions.rules import objection
from mediamill.captions.wording import tidied
from mediamill.core.errors import InvalidAnswer

PLAIN_LANGUAGE = "en"
"""What plain captioners were trained to write."""
LONGEST_DOCUMENT = 100_000
"""Characters of an answer: captions and a hundred labels have far fewer."""
TELLING_WORDS = 5
"""A text of so many words is not the same in two languages."""
_STYLED = frozenset({"concise", "creative"})


@dataclass(frozen=True)
class Wanted:
    """What one question asks for."""

    variants: tuple[Variant, ...]
    language: str
    style: str = ""
    """Of concise and creative captions; an alt-text has none."""
    labelling: Labelling | None = None
    """Which labels, where they are asked for too."""

    def style_of(self, variant: Variant) -> str:
        """Return the style in which a variant is written."""
        return self.style if variant in _STYLED else ""


@dataclass(frozen=True)
class Read:
    """What an answer comes to; `missing` says why it lacks a variant."""

    captions: tuple[Caption, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[Label, ...] | None = None
    """None where none were asked for, or who answered gives none."""


def key(variant: Variant) -> str:
    """Return the name of a variant in a document."""
    return variant.replace("-", "_")


def read(answer: Answer, wanted: Wanted, before: Iterable[Caption] = ()) -> Read:
    """Return the captions of an answer; raises `InvalidAnswer` where they will not do.

    `before` are those that were given in other languages.
    """
    if answer.plain:
        return _plain(answer, wanted)
    found = document(answer)
    texts = {}
    for variant in wanted.variants:
        text = found.get(key(variant), found.get(variant))
        if not isinstance(text, str):
            raise refused(answer, f"it has no {variant}")
        texts[variant] = tidied(text)
    captions = _captions(answer, wanted, texts)
    for caption in captions:
        if why := objection(caption.variant, caption.text, wanted.language):
            raise refused(answer, f"{caption.variant} ({wanted.language}): {why}")
    if _untranslated(captions, before):
        raise refused(answer, f"it is not in {wanted.language}: it was given in another language")
    return Read(captions, labels=_labels(found, answer, wanted.labelling))


def document(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of an answer, also out of a fence or with words around it.

    Raises `InvalidAnswer`.
    """
    text = answer.text
    if len(text) > LONGEST_DOCUMENT:
        raise refused(answer, f"it has {len(text):,} characters, {LONGEST_DOCUMENT:,} at most")
    for part in (text, text[text.find("{") : text.rfind("}") + 1]):
        try:
            found = json.loads(part)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    cut = " It was cut off." if answer.finish == "length" else ""
    raise refused(answer, f"it is no JSON object.{cut}".rstrip("."))


def refused(answer: Answer, why: str) -> InvalidAnswer:
    """Return the error that says why an answer will not do; no text of it is told."""
    message = f"{answer.provider} gave an answer that will not do: {why}."
    return InvalidAnswer(message, provider=answer.provider)


def _plain(answer: Answer, wanted: Wanted) -> Read:
    """Have one text serve as each variant for which it will do, one at least."""
    if primary(wanted.language) != PLAIN_LANGUAGE:
        raise refused(answer, f"it is in English, not in {wanted.language}")
    text = tidied(answer.text)
    if not text:
        raise refused(answer, "it is empty")
    why = {variant: objection(variant, text, wanted.language) for variant in wanted.variants}
    good = {variant: text for variant in wanted.variants if not why[variant]}
    if not good:
        raise refused(answer, "; ".join(f"{variant}: {each}" for variant, each in why.items()))
    missing: dict[str, str] = {variant: each for variant, each in why.items() if each}
    return Read(_captions(answer, wanted, good), missing)


def _captions(answer: Answer, wanted: Wanted, texts: Mapping[Variant, str]) -> tuple[Caption, ...]:
    return tuple(
        Caption(
            variant,
            wanted.language,
            text,
            "" if answer.plain else wanted.style_of(variant),
            answer.provider,
            answer.model,
            answer.plain,
        )
        for variant, text in texts.items()
    )


def _untranslated(captions: Iterable[Caption], before: Iterable[Caption]) -> bool:
    """Tell whether a longer text was given word for word in another language before."""
    known = {(each.text, each.variant): primary(each.language) for each in before}
    return any(
        len(each.text.split()) >= TELLING_WORDS
        and known.get((each.text, each.variant), primary(each.language)) != primary(each.language)
        for each in captions
    )


def _labels(
    found: Mapping[str, Any], answer: Answer, labelling: Labelling | None
) -> tuple[Label, ...] | None:
    if labelling is None:
        return None
    try:
        return labelling.read(found)
    except ValueError as error:
        raise refused(answer, str(error)) from None
