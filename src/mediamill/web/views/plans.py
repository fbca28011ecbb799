"""Plans of jobs and templates as they look outside."""

from typing import Any, Literal

from pydantic import Field

from mediamill.core.clock import rfc3339
from mediamill.services.jobs.plans import Plan
from mediamill.services.jobs.prices import StepPrice
from mediamill.services.templates.sharing import Guest, Shown
from mediamill.store.repositories.templates import EVERYBODY, TemplateVersion, Variable
from mediamill.web.views.common import Count, Dollars, FieldError, Time, View, dollars
from mediamill.web.views.jobs import StepView
from mediamill.web.views.quotas import ShortView, short_view

Surety = Literal["exact", "at_most", "about"]
SURE = (
    "Whether the number is exact, if files are what their headers say; at most so many; or about."
)


class AskView(View):
    """What a step that asks models would come to."""

    step: Count = Field(description="Its place among the steps, from 0.")
    operation: str = Field(examples=["caption"])
    providers: list[str] = Field(description="Whom it asks, in order.")
    inputs: Count | None = Field(
        description="How many inputs it will have, such as frames; null where that cannot be told."
    )
    inputs_are: Surety | None = Field(description=SURE)
    calls: Count | None = Field(
        description="For so many inputs, if the first provider answers well at once; null where "
        "their number is."
    )
    input_tokens: Count = Field(description="Of these calls, roughly.")
    output_tokens: Count = Field(description="Of these calls, roughly.")
    expected: Dollars | None = Field(
        description="From what such calls cost you this month, where there were enough; else with "
        "the price of the first provider. Null where no price is known."
    )
    at_most: Dollars | None = Field(
        description="If every provider is asked everything and paid for it, with all repeats, "
        "repairs and continuations, and no text has more tokens than bytes. Null "
        "where a price is not known."
    )
    by_experience: bool = Field(description="Whether `expected` comes from calls of this month.")


class PlanView(View):
    """What a job would be; nothing is stored."""

    dry_run: bool = True
    items: Count
    at_least: bool = Field(description="There may be more inputs than were looked at.")
    bytes: Count
    core_seconds: float = Field(ge=0, description="Estimated seconds of one core.")
    units: Count = Field(description="Pieces of work of the first stage.")
    outputs: Count | None = Field(
        description="Pictures, documents or answers that come of it, frames of a video one by one; "
        "null where that cannot be told."
    )
    outputs_are: Surety | None = Field(description=SURE)
    reused: Count | None = Field(
        description="Inputs done before by a job of yours; null where that is not told."
    )
    klass: str = Field(serialization_alias="class", examples=["interactive", "bulk"])
    stages: Count
    kinds: list[str] = Field(
        description="What each stage does: run, or measure and reduce of the whole set.",
        examples=[["measure", "reduce", "run"]],
    )
    steps: list[StepView] = Field(description="With every parameter resolved.")
    misfits: list[FieldError] = Field(description="Inputs that would fail, the first hundred.")
    asks: list[AskView] = Field(description="What the steps that ask models would come to.")
    budget: Dollars | None = Field(description="What they may cost; null for no limit.")
    exceeded: list[ShortView] = Field(
        description="Limits of yours that it would meet now: it would be refused with 429, or cut "
        "short where its inputs are listed in the background."
    )


def plan_view(plan: Plan) -> PlanView:
    return PlanView(
        items=plan.items,
        at_least=plan.at_least,
        bytes=plan.bytes,
        core_seconds=plan.seconds,
        units=plan.units,
        outputs=plan.outputs.count if plan.outputs else None,
        outputs_are=plan.outputs.sure.value if plan.outputs else None,
        reused=plan.reused,
        klass=plan.job.klass,
        stages=plan.job.stages,
        kinds=[*plan.kinds],
        steps=[StepView(operation=s.operation, parameters=s.parameters) for s in plan.job.steps],
        misfits=[FieldError(**misfit) for misfit in plan.misfits],
        asks=[ask_view(one) for one in plan.asks],
        budget=dollars(plan.job.budget),
        exceeded=[short_view(one) for one in plan.exceeded],
    )


def ask_view(one: StepPrice) -> AskView:
    return AskView(
        step=one.place,
        operation=one.operation,
        providers=[*one.providers],
        inputs=one.inputs.count if one.inputs else None,
        inputs_are=one.inputs.sure.value if one.inputs else None,
        calls=one.calls,
        input_tokens=one.input_tokens,
        output_tokens=one.output_tokens,
        expected=dollars(one.expected),
        at_most=dollars(one.at_most),
        by_experience=one.by_experience,
    )


class VariableView(View):
    type: str = Field(examples=["number"])
    required: bool
    default: Any
    description: str


class TemplateView(View):
    id: str = Field(examples=["tmpl_01KAHRQPV0V3E3M2X5E2C8T2QG"])
    name: str
    description: str
    role: str = Field(examples=["owner", "editor", "viewer"], description="The caller's own.")
    by: str = Field(description="What its owner is called.")
    version: Count
    steps: list[StepView]
    variables: dict[str, VariableView]
    created_at: Time
    changed_at: Time
    links: dict[str, str]


class TemplateVersionView(View):
    version: Count
    description: str
    steps: list[StepView]
    variables: dict[str, VariableView]
    created_at: Time


class TemplateShareView(View):
    user: str = Field(description="Id of a user, or everybody.", examples=["everybody"])
    email: str
    name: str
    role: str = Field(examples=["viewer", "editor"])
    created_at: Time


def share_view(guest: Guest) -> TemplateShareView:
    share, user = guest
    return TemplateShareView(
        user=share.user,
        email=user.email if user else "",
        name=EVERYBODY if user is None else user.name,
        role=share.role,
        created_at=rfc3339(share.created),
    )


def template_view(shown: Shown) -> TemplateView:
    template = shown.template
    here = f"/v1/templates/{template.id}"
    return TemplateView(
        id=template.id,
        name=template.name,
        description=template.description,
        role=shown.role,
        by=shown.by,
        version=template.version,
        steps=[StepView(operation=s.operation, parameters=s.parameters) for s in template.steps],
        variables=_variables(template.variables),
        created_at=rfc3339(template.created),
        changed_at=rfc3339(template.changed),
        links={"self": here, "versions": f"{here}/versions"},
    )


def version_view(version: TemplateVersion) -> TemplateVersionView:
    return TemplateVersionView(
        version=version.version,
        description=version.description,
        steps=[StepView(operation=s.operation, parameters=s.parameters) for s in version.steps],
        variables=_variables(version.variables),
        created_at=rfc3339(version.created),
    )


def _variables(variables: dict[str, Variable]) -> dict[str, VariableView]:
    return {
        name: VariableView(
            type=one.type, required=one.required, default=one.default, description=one.description
        )
        for name, one in variables.items()
    }
