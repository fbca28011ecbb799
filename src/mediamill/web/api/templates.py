"""Templates: steps with variables, under a name, with every version, shared with users or all."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field, JsonValue

from mediamill.app import App
from mediamill.core.access import Principal
from mediamill.services.templates.drafts import MAX_STEPS, MAX_VARIABLES, Draft
from mediamill.store.repositories.jobs import Step
from mediamill.store.repositories.templates import Template, Variable
from mediamill.web.parsing import PROBLEM, After, Body, Limit, StrictRoute, cursor
from mediamill.web.security import Caller, Mill
from mediamill.web.submitting import StepBody
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.plans import (
    TemplateShareView,
    TemplateVersionView,
    TemplateView,
    share_view,
    template_view,
    version_view,
)

router = APIRouter(
    prefix="/v1/templates", tags=["templates"], responses=PROBLEM, route_class=StrictRoute
)

Reference = Annotated[str, Path(max_length=100, description="Id or name of a template.")]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Description = Annotated[str, Field(max_length=2_000)]


class VariableBody(Body):
    type: Literal["string", "integer", "number", "boolean", "list", "object", "any"] = "any"
    required: bool | None = Field(None, description="Left out: yes, unless there is a default.")
    default: JsonValue = None
    description: str = Field("", max_length=500)

    def variable(self) -> Variable:
        required = self.default is None if self.required is None else self.required
        return Variable(
            type=self.type, required=required, default=self.default, description=self.description
        )


Steps = Annotated[list[StepBody], Field(min_length=1, max_length=MAX_STEPS)]
Variables = Annotated[dict[str, VariableBody], Field(max_length=MAX_VARIABLES)]


class TemplateBody(Body):
    name: Name
    description: Description = ""
    steps: Steps = Field(description='Parameters may hold "${variable}"; "$${" stays "${".')
    variables: Variables = Field(default_factory=dict)


class TemplatePatch(Body):
    name: Name | None = None
    description: Description | None = None
    steps: Steps | None = None
    variables: Variables | None = None


class TemplateShareBody(Body):
    user: str = Field(
        min_length=1,
        max_length=320,
        description="Their e-mail address or id, or `everybody` for all who have an account.",
    )
    role: Literal["viewer", "editor"]


Guest = Annotated[str, Path(max_length=100, description="Id of a user, or everybody.")]


async def view(mill: App, caller: Principal, template: Template) -> TemplateView:
    """Show a template with what the caller is to it."""
    (shown,) = await mill.template_sharing.shown(caller, template)
    return template_view(shown)


def steps_of(bodies: list[StepBody]) -> tuple[Step, ...]:
    return tuple(Step(operation=s.operation, parameters=dict(s.parameters)) for s in bodies)


def variables_of(bodies: dict[str, VariableBody]) -> dict[str, Variable]:
    return {name: body.variable() for name, body in bodies.items()}


@router.post("", status_code=201)
async def create_template(
    body: TemplateBody, caller: Caller, mill: Mill, response: Response
) -> TemplateView:
    """Save a template under a new name; its steps are checked as far as they can be."""
    made = Draft(steps_of(body.steps), variables_of(body.variables))
    template = await mill.templates.create(caller, body.name, made, body.description)
    response.headers["Location"] = f"/v1/templates/{template.id}"
    return await view(mill, caller, template)


@router.get("")
async def list_templates(
    caller: Caller,
    mill: Mill,
    state: Annotated[
        Literal["shared", "everybody"] | None,
        Query(description="Those of others shared with the caller instead, or with everybody."),
    ] = None,
    operation: Annotated[
        str, Query(max_length=100, description="Only those that have such a step.")
    ] = "",
    after: After = None,
    limit: Limit = 20,
) -> Listed[TemplateView]:
    """List the caller's templates, newest first; with a filter a page may hold few."""
    sharing = mill.template_sharing
    lists = {"shared": sharing.with_me, "everybody": sharing.with_everybody}
    with cursor(after):
        page = await lists.get(state or "", mill.templates.list)(caller, after, limit)
    wanted = [row for row in page.rows if not operation or _has(row, operation)]
    shown = await sharing.shown(caller, *wanted)
    return listed([template_view(one) for one in shown], page.after)


def _has(template: Template, operation: str) -> bool:
    return any(step.operation == operation for step in template.steps)


@router.get("/{template}")
async def get_template(template: Reference, caller: Caller, mill: Mill) -> TemplateView:
    """Show a template as it is now."""
    return await view(mill, caller, await mill.templates.get(caller, template))


@router.patch("/{template}")
async def change_template(
    template: Reference, body: TemplatePatch, caller: Caller, mill: Mill
) -> TemplateView:
    """Change a template, which makes its next version; what is not given stays."""
    changed = await mill.templates.change(
        caller,
        template,
        name=body.name,
        description=body.description,
        steps=None if body.steps is None else steps_of(body.steps),
        variables=None if body.variables is None else variables_of(body.variables),
    )
    return await view(mill, caller, changed)


@router.delete("/{template}", status_code=204)
async def delete_template(template: Reference, caller: Caller, mill: Mill) -> None:
    """Remove a template with its versions; jobs made from it keep their steps."""
    await mill.templates.delete(caller, template)


@router.get("/{template}/versions")
async def list_template_versions(
    template: Reference, caller: Caller, mill: Mill, after: After = None, limit: Limit = 20
) -> Listed[TemplateVersionView]:
    """List what a template was, newest version first."""
    with cursor(after):
        page = await mill.templates.versions(caller, template, after, limit)
    return listed([version_view(version) for version in page.rows], page.after)


@router.get("/{template}/shares")
async def list_template_shares(
    template: Reference, caller: Caller, mill: Mill, after: After = None, limit: Limit = 20
) -> Listed[TemplateShareView]:
    """List with whom a template of one's own is shared."""
    found = await mill.templates.get(caller, template)
    with cursor(after):
        page = await mill.template_sharing.list(caller, found.id, after, limit)
    return listed([share_view(guest) for guest in page.rows], page.after)


@router.post("/{template}/shares", status_code=201)
async def share_template(
    template: Reference, body: TemplateShareBody, caller: Caller, mill: Mill
) -> TemplateShareView:
    """Share a template as viewer or editor, or change somebody's role; it works at once."""
    found = await mill.templates.get(caller, template)
    return share_view(await mill.template_sharing.share(caller, found.id, body.user, body.role))


@router.delete("/{template}/shares/{guest}", status_code=204)
async def revoke_template_share(
    template: Reference, guest: Guest, caller: Caller, mill: Mill
) -> None:
    """Take a share back, or leave a template of somebody else; it works at once."""
    found = await mill.templates.get(caller, template)
    await mill.template_sharing.revoke(caller, found.id, guest)
