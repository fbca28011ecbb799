"""What is said of a picture: captions by variant and language, and labels."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, get_args

Variant = Literal["concise", "creative", "alt-text"]
Style = Literal["funny", "poetic", "social", "aesthetic"]

VARIANTS: tuple[Variant, ...] = get_args(Variant)


@dataclass(frozen=True)
class Caption:
    """One text about a picture, and who gave it.

    The text of an alt-text is empty where the picture is decorative: screen readers pass over it.
    """

    variant: Variant
    language: str
    """As BCP 47 has it."""
    text: str
    style: str = ""
    provider: str = ""
    model: str = ""
    plain: bool = False
    """From a model that takes no instruction: the same text may serve as several variants."""

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read what `as_data` gave; what a later version added is left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})
