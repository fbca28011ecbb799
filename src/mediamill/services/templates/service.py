"""Templates as their owner sees them: saved, changed with every version kept, and filled in."""

import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from mediamill.core.access import Principal, Right
from mediamill.core.acts import note
from mediamill.core.errors import ConditionFailed, Conflict, InvalidInput, NotFound
from mediamill.core.ids import is_id, new_id
from mediamill.operations.catalogue import Catalogue
from mediamill.services.access import Access
from mediamill.services.repeats.attempts import made_before
from mediamill.services.templates.drafts import Draft, checked
from mediamill.services.templates.placeholders import filled, names_in, settle
from mediamill.store.port import Absent, Action, Delete, Equals, Page, Put
from mediamill.store.repositories.erasures import forget_former
from mediamill.store.repositories.jobs import Step
from mediamill.store.repositories.templates import (
    Template,
    TemplateName,
    Templates,
    TemplateVersion,
    Variable,
    version_of,
)

log = structlog.get_logger(__name__)

MAX_WRITTEN = 512_000
"""Bytes that the values of variables come to, as JSON, wherever a template's steps name them."""

Steps = tuple[tuple[str, dict[str, Any]], ...]


@dataclass
class TemplateService:
    """What a caller may do with templates."""

    access: Access
    templates: Templates
    catalogue: Catalogue

    async def create(
        self, principal: Principal, name: str, draft: Draft, description: str = ""
    ) -> Template:
        """Save a template under a name that its owner has not used yet.

        Raises `Conflict` for the name, and what `drafts.checked` raises.
        """
        if made := await made_before(self.templates.store, principal, Template, "tmpl"):
            return made
        checked(draft, self.catalogue)
        now = await self.templates.store.now()
        template = Template(
            id=new_id("tmpl"),
            owner=principal.user,
            listed=principal.user,
            name=_name(name),
            description=description,
            steps=draft.steps,
            variables=draft.variables,
            created=now,
            changed=now,
        )
        await self._commit(
            template.name,
            Put(_named(template), when=(Absent(),)),
            Put(template, when=(Absent(),)),
            Put(version_of(template)),
        )
        log.info("template saved", action="template_saved", **template.log_context())
        return template

    async def list(self, principal: Principal, after: str | None, limit: int) -> Page[Template]:
        """List the caller's templates, newest first."""
        return await self.templates.of_owner(principal.user, after, limit)

    async def get(
        self, principal: Principal, reference: str, right: Right = Right.VIEW
    ) -> Template:
        """Return the template of an id, or of a name that the caller gave; raises `NotFound`."""
        found: str | None = reference
        if not is_id(reference, "tmpl"):
            found = await self.templates.called(principal.user, _normal(reference))
        if found is None:
            raise NotFound(f"There is no template {reference[:200]}.")
        return await self.access.load(principal, Template, found, right)

    async def versions(
        self, principal: Principal, reference: str, after: str | None, limit: int
    ) -> Page[TemplateVersion]:
        """List what a template was in each version, newest first."""
        template = await self.get(principal, reference)
        return await self.templates.versions(template.id, after, limit)

    async def change(
        self,
        principal: Principal,
        reference: str,
        *,
        name: str | None = None,
        description: str | None = None,
        steps: tuple[Step, ...] | None = None,
        variables: dict[str, Variable] | None = None,
    ) -> Template:
        """Change a template, which makes its next version; None leaves a field as it is.

        Raises `Conflict` for a name in use, or when somebody else changed it at the same moment.
        """
        before = await self.get(principal, reference, Right.EDIT)
        after = before.evolve(
            name=before.name if name is None else _name(name),
            description=before.description if description is None else description,
            steps=before.steps if steps is None else steps,
            variables=before.variables if variables is None else variables,
        )
        if steps is not None or variables is not None:
            checked(Draft(after.steps, after.variables), self.catalogue)
        if after == before:
            return before
        now = await self.templates.store.now()
        after = after.evolve(version=before.version + 1, changed=now)
        await self._commit(
            after.name,
            *_renaming(before, after),
            Put(after, when=(Equals("version", before.version),)),
            Put(version_of(after)),
        )
        log.info("template changed", action="template_changed", **after.log_context())
        return after

    async def delete(self, principal: Principal, reference: str) -> None:
        """Remove a template with its versions; jobs that were made from it keep their steps."""
        while True:
            template = await self.get(principal, reference, Right.OWN)
            await self.templates.forget_shares(template.id)
            await self.templates.forget_versions(template.id)
            await forget_former(self.templates.store, template.id)
            guard = (Equals("version", template.version),)
            with suppress(ConditionFailed):  # it was changed meanwhile: begin again
                await self.templates.store.transact(
                    Delete(Template, (template.id,), guard),
                    Delete(TemplateName, _named(template).key_values()),
                )
                note("template_deleted", template.id, owner=template.owner)
                return

    async def apply(
        self, principal: Principal, reference: str, variables: Mapping[str, Any]
    ) -> tuple[Template, Steps]:
        """Return a template and its steps with the variables' values in place.

        Raises `InvalidInput` for a template that is not there and for each wrong variable.
        """
        try:
            template = await self.get(principal, reference)
        except NotFound as error:
            raise InvalidInput.at("template", error.message) from None
        values = settle(template.variables, variables)
        _check_size(template, values)
        steps = tuple(
            (step.operation, filled(step.parameters, values, f"steps.{place}.parameters"))
            for place, step in enumerate(template.steps)
        )
        return template, steps

    async def _commit(self, name: str, *actions: Action) -> None:
        """Write a template whose name may be taken, and which may have changed."""
        try:
            await self.templates.store.transact(*actions)
        except ConditionFailed as error:
            if (
                error.action == 0
                and isinstance(actions[0], Put)
                and isinstance(actions[0].record, TemplateName)
            ):
                message = f"You have a template called “{name}” already."
                raise Conflict.at("name", message) from None
            raise Conflict("The template was changed at the same moment: look again.") from None


def _check_size(template: Template, values: Mapping[str, Any]) -> None:
    """Raise `InvalidInput` for more text than steps may have; each place of a value counts."""
    sizes = {name: len(msgspec.json.encode(value)) for name, value in values.items()}
    written = sum(
        sizes.get(name, 0) for step in template.steps for name in names_in(step.parameters)
    )
    if written > MAX_WRITTEN:
        message = f"The variables come to more than {MAX_WRITTEN:,} bytes in the template's steps."
        raise InvalidInput.at("variables", message)


def _renaming(before: Template, after: Template) -> tuple[Action, ...]:
    old, new = _named(before), _named(after)
    if old == new:
        return ()
    return Put(new, when=(Absent(),)), Delete(TemplateName, old.key_values())


def _named(template: Template) -> TemplateName:
    name = template.name.casefold()
    return TemplateName(owner=template.owner, name=name, template=template.id)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def _name(text: str) -> str:
    """Return a name in NFC; raises `InvalidInput` for one that is empty or looks like an id."""
    name = _normal(text)
    if not 1 <= len(name) <= 100 or name.startswith("tmpl_") or "/" in name:
        message = "A template's name has 1 to 100 characters, no /, and does not begin with tmpl_."
        raise InvalidInput.at("name", message)
    return name


def pointed(error: InvalidInput, template: Template) -> InvalidInput:
    """Return an error about steps as one about the variables that they were filled with."""
    errors = [_pointed(dict(one), template) for one in error.details.get("errors", ())]
    return type(error)(error.message, **{**error.details, "errors": errors})


def _pointed(error: dict[str, str], template: Template) -> dict[str, str]:
    parts = error.get("pointer", "").split(".")
    if len(parts) < 4 or parts[0] != "steps" or not parts[1].isdigit():
        return error
    step = template.steps[int(parts[1])]
    names = [*dict.fromkeys(names_in(step.parameters.get(parts[3])))]
    return {**error, "pointer": f"variables.{names[0]}"} if len(names) == 1 else error
