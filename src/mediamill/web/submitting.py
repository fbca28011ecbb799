"""What a request for a job holds: steps, a template with its variables, or a prompt; and inputs."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue, WithJsonSchema

from mediamill.engine.gathering.members import MAX_PATTERN, MAX_PATTERNS
from mediamill.services.jobs.inputs import MAX_FILES, Named
from mediamill.services.jobs.requests import MAX_STEPS, MOST_BUDGET, JobRequest
from mediamill.web.parsing import Body, shown

Id = Annotated[str, Field(max_length=100)]
Pattern = Annotated[str, Field(min_length=1, max_length=MAX_PATTERN)]


LONGEST_PROMPT = 100_000


def _prompt(value: JsonValue) -> JsonValue:
    if isinstance(value, str) and len(value) > LONGEST_PROMPT:
        raise ValueError(f"has at most {LONGEST_PROMPT:,} characters")
    if not isinstance(value, str | dict):
        raise ValueError("is text, or an object with the parameters of the operation prompt")
    return value


Prompt = Annotated[
    JsonValue,
    AfterValidator(_prompt),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "maxLength": LONGEST_PROMPT}, {"type": "object"}]}
    ),
]


class StepBody(Body):
    operation: str = Field(max_length=100, examples=["extract-frames"])
    parameters: dict[str, JsonValue] = Field(default_factory=dict, examples=[{"fps": 1}])


class NotifyBody(Body):
    email: bool | None = Field(
        None, description="Whether you get a mail at its end; else as you want it for all jobs."
    )


class JobBody(Body):
    model_config = shown(
        files=["file_…"],
        steps=[{"operation": "extract-frames", "parameters": {"every": 2}}],
    )

    files: list[str] | None = Field(
        None, min_length=1, max_length=MAX_FILES, description="Ids of files and of results."
    )
    project: Id | None = Field(None, description="All files of this project.")
    archive: Id | None = Field(None, description="The members of this zip, without unpacking it.")
    members: list[Pattern] | None = Field(
        None,
        max_length=MAX_PATTERNS,
        description="Which members of the archive, by name. `*` stands for any text, in up to 20 "
        "of them; `?` for one character, `[ab]` for one of several, where no member is called so.",
        examples=[["train/*.jpg"]],
    )
    manifest: Id | None = Field(
        None, description="An uploaded text that lists inputs, one a line; up to a million."
    )
    subset: Literal["original", "preprocessed", "augmented"] | None = Field(
        None, description="Of the project only files in this subset."
    )
    split: Literal["train", "validation", "test", ""] | None = Field(
        None, description="Of the project only files in this split; empty: in none."
    )
    output_project: Id | None = Field(
        None, description="The result files join this project, with split and annotations."
    )
    steps: list[StepBody] | None = Field(None, min_length=1, max_length=MAX_STEPS)
    template: Annotated[str, Field(max_length=100)] | None = Field(
        None, description="Id or name of a template, instead of steps."
    )
    variables: dict[str, JsonValue] = Field(
        default_factory=dict, max_length=100, description="Values of the template's variables."
    )
    prompt: Prompt | None = Field(
        None,
        description="What is asked about the files, instead of steps: text, or the parameters of "
        "the operation `prompt`.",
        examples=["What is this about?", {"prompt": "List all dates.", "temperature": 0}],
    )
    group: bool | None = Field(
        None, description="Ask the prompt once about all files together, not about each."
    )
    name: str = Field("", max_length=200)
    klass: Literal["interactive", "bulk"] | None = Field(
        None, alias="class", description="Chosen by the size of the work if left out."
    )
    seed: int | None = Field(None, ge=0, lt=2**63, description="Random draws come from it.")
    budget: float | None = Field(
        None,
        ge=0,
        le=MOST_BUDGET,
        description="The most that its model calls may cost, in US dollars.",
        examples=[2.5],
    )
    batch: bool = Field(
        False,
        description="Let models answer within hours, for less, where the first of a chain takes "
        "batches (Bedrock).",
    )
    reuse: bool = Field(
        True, description="Take over what an earlier job of yours made of the same bytes."
    )
    notify: NotifyBody = Field(NotifyBody(), description="Who is told when it has ended.")

    def request(self) -> JobRequest:
        """Return it as the service reads it."""
        named = Named(
            files=None if self.files is None else tuple(self.files),
            project=self.project,
            archive=self.archive,
            members=tuple(self.members or ()),
            manifest=self.manifest,
            subset=self.subset,
            split=self.split,
        )
        return JobRequest(
            named=named,
            steps=tuple((step.operation, dict(step.parameters)) for step in self.steps or ()),
            name=self.name,
            klass=self.klass,
            seed=self.seed,
            budget=self.budget,
            batch=self.batch,
            reuse=self.reuse,
            mail=self.notify.email,
            template=self.template,
            variables=self.variables,
            prompt=self.prompt if isinstance(self.prompt, str | dict) else None,
            group=self.group,
            output_project=self.output_project,
        )
