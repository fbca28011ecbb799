"""Check a template as it is saved: what can be known before its variables have values."""

from dataclasses import dataclass

import msgspec

from mediamill.core.errors import InvalidInput, NotFound
from mediamill.operations.catalogue import Catalogue
from mediamill.services.templates.placeholders import TYPES, check_name, filled, fits, names_in
from mediamill.store.repositories.jobs import INLINE_BYTES, Step
from mediamill.store.repositories.templates import Variable

MAX_STEPS, MAX_VARIABLES = 20, 50


@dataclass(frozen=True)
class Draft:
    """What a template does: steps, and what they leave open."""

    steps: tuple[Step, ...]
    variables: dict[str, Variable]


def checked(draft: Draft, catalogue: Catalogue) -> Draft:
    """Return a draft in which nothing is wrong that can be known yet.

    Raises `InvalidInput` with an error for each variable, operation or parameter that is wrong.
    """
    if len(msgspec.json.encode((draft.steps, draft.variables))) > INLINE_BYTES:
        message = f"A template has at most {INLINE_BYTES:,} bytes as JSON."
        raise InvalidInput.at("steps", message)  # before anything is written out in full
    errors = [*_wrong_variables(draft), *_unknown_names(draft)]
    if not errors:
        for place, step in enumerate(draft.steps):
            errors += _wrong_parameters(draft, place, step, catalogue)
    if errors:
        raise InvalidInput(errors[0]["message"], errors=errors[:100])
    return draft


def _wrong_variables(draft: Draft) -> list[dict[str, str]]:
    errors = []
    if len(draft.variables) > MAX_VARIABLES:
        errors.append(_at("variables", f"A template has at most {MAX_VARIABLES} variables."))
    for name, variable in draft.variables.items():
        here = f"variables.{name[:80]}"
        if not check_name(name):
            errors.append(_at(here, "A variable's name has letters, digits and _, at most 64."))
        elif variable.type not in TYPES:
            errors.append(_at(f"{here}.type", f"type is one of {', '.join(TYPES)}."))
        elif variable.default is not None and not fits(variable.default, variable.type):
            errors.append(_at(f"{here}.default", f"The default is not of type {variable.type}."))
    return errors


def _unknown_names(draft: Draft) -> list[dict[str, str]]:
    """Find placeholders that name no variable."""
    return [
        _at(f"steps.{place}.parameters.{key}", f"There is no variable {name[:80]}.")
        for place, step in enumerate(draft.steps)
        for key, value in step.parameters.items()
        for name in names_in(value)
        if name not in draft.variables
    ]


def _wrong_parameters(
    draft: Draft, place: int, step: Step, catalogue: Catalogue
) -> list[dict[str, str]]:
    """Build a step with the defaults; pass over what a value that is still open may mend."""
    values = {
        name: variable.default
        for name, variable in draft.variables.items()
        if variable.default is not None
    }
    where = f"steps.{place}.parameters"
    still_open = {
        key
        for key, value in step.parameters.items()
        if any(name not in values for name in names_in(value))
    }
    try:
        known = catalogue.get(step.operation).model_fields
    except NotFound as error:
        return [_at(f"steps.{place}.operation", error.message)]
    given = {key: value for key, value in step.parameters.items() if key not in still_open}
    unknown = {key: None for key in still_open if key not in known}  # wrong whatever the value
    wrong = catalogue.wrong(step.operation, filled(given, values, where) | unknown, where)
    still_open -= unknown.keys()
    return [
        _at(one.pointer, one.message)
        for one in wrong
        if not still_open or not (one.together or _name(one.pointer, where) in still_open)
    ]


def _name(pointer: str, where: str) -> str:
    return pointer.removeprefix(where).lstrip(".").split(".")[0]


def _at(pointer: str, message: str) -> dict[str, str]:
    return {"pointer": pointer[:200], "message": message}
