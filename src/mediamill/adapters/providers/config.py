"""A provider as somebody set it up."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mediamill.adapters.providers.prices import Price
from mediamill.core.sourced import Sourced

SENDABLE = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")
"""What a header may say of a key (RFC 9110, 5.5): also nothing."""


@dataclass(frozen=True)
class Configured:
    """What opens a provider: where it is, whose key is used, what it bears, what it costs.

    Raises `ValueError` for numbers and keys that can be none.
    """

    name: str
    """By which it is known and told; the address where nobody gave it another."""
    address: str
    """`kind:model?parameter=value&…`, such as `bedrock:amazon.nova-lite-v1:0?region=us-east-1`."""
    base_url: str = ""
    """Of servers that are reached by HTTP, where it is not the vendor's own."""
    key: str | Sourced = field(default="", repr=False, compare=False)
    """Empty for servers that ask for none, and for AWS, whose credentials are found elsewhere."""
    region: str = ""
    concurrency: int = 16
    """Calls at a time, of all workers."""
    per_minute: int | None = None
    """Calls a minute, of all workers."""
    timeout: float = 60.0
    """Seconds that a call may take; the chain's deadline ends it sooner."""
    price: Price | None = None
    """What it costs, where the price files do not say so, or say otherwise."""
    options: Mapping[str, str] = field(default_factory=dict)
    """More parameters, as they may stand in the address."""
    models: Path | None = None
    """Folder of the models that `local:` knows by name."""
    from_settings: bool = False
    """Whether who runs the service wrote it, and may name folders of the machine."""

    def __post_init__(self) -> None:
        if self.concurrency < 1 or (self.per_minute or 1) < 1 or not 0 < self.timeout <= 3600:
            raise ValueError(
                "concurrency and calls a minute are 1 or more, a timeout is up to 3,600 seconds"
            )
        if isinstance(self.key, str) and (why := wrong_key(self.key)):
            raise ValueError(why)

    @classmethod
    def of(cls, address: str) -> "Configured":
        """Make one that is nothing but its address."""
        return cls(address.partition("?")[0] if address.startswith("echo:") else address, address)


def wrong_key(key: str) -> str:
    """Say why a key cannot be sent, without a letter of it; empty where it can."""
    return "" if SENDABLE.fullmatch(key) else "its key is one line of ASCII, no spaces at its ends"
