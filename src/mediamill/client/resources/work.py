"""What jobs are made of: operations, templates, and the models that are asked."""

from collections.abc import Mapping
from typing import Any, Unpack

from mediamill.client import routes
from mediamill.client.calling import Flow, Rows
from mediamill.client.models import (
    ChainView,
    OperationView,
    ProviderView,
    StepView,
    TemplateBody,
    TemplatePatch,
    TemplateShareView,
    TemplateVersionView,
    TemplateView,
)  # fmt: skip
from mediamill.client.resources.base import D, Resource, only, operation, sequence


class Operations(Resource[D]):
    """`client.operations`: what can be done to a file."""

    @sequence
    def list(self) -> Rows[OperationView]:
        """Go through all operations."""
        return self.calls.unpaged(self.calls.one(routes.list_operations))

    @operation
    def get(self, name: str) -> Flow[OperationView]:
        """Read an operation with the JSON Schema of its parameters."""
        return self.calls.one(routes.get_operation, name=name)

    @operation
    def check(self, name: str, parameters: Mapping[str, Any]) -> Flow[StepView]:
        """Check parameters; return them with all defaults. Raises `InvalidInput`."""
        body = {"parameters": dict(parameters)}
        return self.calls.one(routes.check_parameters, json=body, name=name)


class Templates(Resource[D]):
    """`client.templates`: steps with variables, kept under a name. A name or an id names one."""

    @operation
    def create(self, **template: Unpack[TemplateBody]) -> Flow[TemplateView]:
        """Keep steps under a name."""
        return self.calls.one(routes.create_template, json=template)

    @operation
    def get(self, template: str) -> Flow[TemplateView]:
        """Read a template."""
        return self.calls.one(routes.get_template, template=template)

    @sequence
    def list(self, *, state: str | None = None, operation: str | None = None) -> Rows[TemplateView]:
        """Go through your templates; with `state` those `shared` with you, or `everybody`’s."""
        return self.calls.rows(routes.list_templates, only(state=state, operation=operation))

    @operation
    def change(self, template: str, **changes: Unpack[TemplatePatch]) -> Flow[TemplateView]:
        """Change what is given; new steps make a new version."""
        return self.calls.one(routes.change_template, json=changes, template=template)

    @operation
    def delete(self, template: str) -> Flow[None]:
        """Delete a template; jobs that were made of it stay."""
        return self.calls.one(routes.delete_template, template=template)

    @sequence
    def versions(self, template: str) -> Rows[TemplateVersionView]:
        """Go through the versions of a template."""
        return self.calls.rows(routes.list_template_versions, template=template)

    @operation
    def share(self, template: str, user: str) -> Flow[TemplateShareView]:
        """Share a template with a user, by address or id."""
        return self.calls.one(routes.share_template, json={"user": user}, template=template)


class Models(Resource[D]):
    """`client.models`: whom jobs ask."""

    @sequence
    def providers(self) -> Rows[ProviderView]:
        """Go through the providers that are set up."""
        return self.calls.unpaged(self.calls.one(routes.list_providers))

    @sequence
    def chains(self) -> Rows[ChainView]:
        """Go through the operations that ask, each with whom it asks in turn."""
        return self.calls.unpaged(self.calls.one(routes.list_chains))
