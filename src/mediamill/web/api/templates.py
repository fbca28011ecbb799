"""Templates: steps with variables, under a name, with every version."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from pydantic import Field, JsonValue

from mediamill.services.templates.drafts import MAX_STEPS, MAX_VARIABLES, Draft
from mediamill.store.repositories.jobs import Step
from mediamill.store.repositories.templates import Variable
from mediamill.web.parsing import PROBLEM, After, Body, Limit, StrictRoute, cursor
from mediamill.web.security import Caller, Mill
from mediamill.web.submitting import StepBody
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.plans import (
    TemplateVersionView,
    TemplateView,
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
    return template_view(template)


@router.get("")
async def list_templates(
    caller: Caller, mill: Mill, after: After = None, limit: Limit = 20
) -> Listed[TemplateView]:
    """List the caller's templates, newest first."""
    with cursor(after):
        page = await mill.templates.list(caller, after, limit)
    return listed([template_view(template) for template in page.rows], page.after)


@router.get("/{template}")
async def get_template(template: Reference, caller: Caller, mill: Mill) -> TemplateView:
    """Show a template as it is now."""
    return template_view(await mill.templates.get(caller, template))


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
    return template_view(changed)


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
