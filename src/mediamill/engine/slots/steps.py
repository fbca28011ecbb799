"""What a child can be asked to do with an item; each function is named in `KINDS`."""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from mediamill.core.errors import ConfigurationError, InvalidInput
from mediamill.engine.slots.calls import Begin
from mediamill.operations.base import Context, MediaOperation, Operation, Outcome, Source

Build = Callable[[str, dict[str, Any]], Operation]
Work = Callable[[Source, Context], Outcome]


def resolve(name: str) -> Any:
    """Import what `module:attribute` names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def run_steps(begin: Begin, build: Build) -> Work:
    """Build the call's step once for all its items.

    Raises `NotFound` for its name, `InvalidInput` for its parameters or for more than one step.
    """
    if len(begin.steps) != 1:
        raise InvalidInput(f"A slot runs one step a call, not {len(begin.steps)}.")
    (name, parameters), *_ = begin.steps
    operation = build(name, parameters)
    if not isinstance(operation, MediaOperation):
        raise ConfigurationError(f"{name} is not an operation that runs in a slot.")
    return operation.run


def probe_items(begin: Begin, build: Build) -> Work:
    """Find out what items are; the facts are the outcome's data."""
    return partial(_probe, resolve(PROBE))


def _probe(probe: Callable[..., Any], source: Source, context: Context) -> Outcome:
    facts = probe(source.open, source.name, source.size)
    return Outcome(data=msgspec.to_builtins(facts))


PROBE = "mediamill.media.probe:probe"
KINDS: dict[str, Callable[[Begin, Build], Work]] = {"run": run_steps, "probe": probe_items}
