"""Providers of model calls and the chains that operations ask; administrators only."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field, SecretStr

from mediamill.web.parsing import PROBLEM, Body, StrictRoute
from mediamill.web.security import Caller, Mill
from mediamill.web.views.common import Listed, listed
from mediamill.web.views.models import (
    ChainView,
    ProviderView,
    TrialView,
    chain_view,
    provider_view,
    trial_view,
)

router = APIRouter(prefix="/v1", tags=["models"], responses=PROBLEM, route_class=StrictRoute)

Name = Annotated[str, Path(max_length=300, examples=["fast"])]
Operation = Annotated[str, Path(max_length=50, examples=["caption"])]
Text = Annotated[str, Field(max_length=500)]
Key = Annotated[
    SecretStr,
    Field(max_length=4_000, description="Sealed as it comes in, and never shown."),
]
Rate = Annotated[float, Field(ge=0, le=1_000_000)]


class PriceBody(Body):
    """Dollars per million tokens, per picture, call and second; `batch` is a factor."""

    input: Rate = 0
    output: Rate = 0
    image: Rate = 0
    call: Rate = 0
    second: Rate = 0
    batch: Rate = 1


class ProviderPatch(Body):
    address: Text | None = Field(None, examples=["openai:gpt-4o-mini"])
    base_url: Text | None = Field(
        None, description="Of a server other than the vendor’s; one of the local network may be."
    )
    key: Key | None = None
    region: Annotated[str, Field(max_length=50)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="Calls at a time, of all workers."
    )
    per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="Calls a minute, of all workers; null for no limit."
    )
    timeout: Annotated[float, Field(gt=0, le=3_600)] | None = Field(
        None, description="Seconds that a call may take."
    )
    price: PriceBody | None = Field(
        None, description="Instead of what the price files say; null: as they do."
    )
    options: Annotated[dict[Annotated[str, Field(max_length=50)], Text], Field(max_length=30)] | (
        None
    ) = Field(None, description="More parameters of the address.", examples=[{"images": "1"}])

    def fields(self) -> tuple[dict[str, Any], str | None]:
        """Return what was given, and the key; null stands where it means something."""
        given: dict[str, Any] = self.model_dump(exclude_unset=True, exclude={"key", "name"})
        found = {
            name: value
            for name, value in given.items()
            if value is not None or name in ("per_minute", "price")
        }
        if found.get("price") is not None:
            found["price"] = {name: str(value) for name, value in found["price"].items()}
        return found, None if self.key is None else self.key.get_secret_value()


class ProviderBody(ProviderPatch):
    name: Annotated[str, Field(min_length=1, max_length=64)] = Field(examples=["fast"])
    address: Text = Field(examples=["openai:gpt-4o-mini"])


class TrialBody(Body):
    file: Annotated[str, Field(max_length=100)] | None = Field(
        None, description="A file of yours, whose thumbnail it is asked about; else the sample."
    )


class ChainBody(Body):
    providers: list[Text] = Field(
        max_length=20,
        description="Names or addresses, in order; empty: what the settings say.",
        examples=[["fast", "local:vit-gpt2"]],
    )


@router.get("/providers")
async def list_providers(caller: Caller, mill: Mill) -> Listed[ProviderView]:
    """List every provider that is set up or stands in a chain, and how it does; asks none."""
    found = await mill.models.providers.list(caller)
    return listed([provider_view(one) for one in found], None)


@router.post("/providers", status_code=201)
async def add_provider(
    body: ProviderBody, caller: Caller, mill: Mill, response: Response
) -> ProviderView:
    """Set up a provider."""
    fields, key = body.fields()
    state = await mill.models.providers.add(caller, body.name, fields, key or "")
    response.headers["Location"] = f"/v1/providers/{state.name}"
    return provider_view(state)


@router.post("/providers/{name:path}/test")
async def test_provider(name: Name, body: TrialBody, caller: Caller, mill: Mill) -> TrialView:
    """Ask a provider about one picture, within half a minute; the call is paid for."""
    return trial_view(await mill.models.trials.run(caller, name, body.file))


@router.post("/providers/{name:path}/wake")
async def wake_provider(name: Name, caller: Caller, mill: Mill) -> ProviderView:
    """End the rest of a provider that kept failing: it is asked again at once."""
    return provider_view(await mill.models.providers.wake(caller, name))


@router.get("/providers/{name:path}")
async def get_provider(name: Name, caller: Caller, mill: Mill) -> ProviderView:
    """Show a provider."""
    return provider_view(await mill.models.providers.get(caller, name))


@router.patch("/providers/{name:path}")
async def change_provider(
    name: Name, body: ProviderPatch, caller: Caller, mill: Mill
) -> ProviderView:
    """Change a provider; what is not given stays.

    Whoever changes address, base URL, region or options gives the key anew.
    """
    fields, key = body.fields()
    return provider_view(await mill.models.providers.change(caller, name, fields, key))


@router.delete("/providers/{name:path}", status_code=204)
async def remove_provider(name: Name, caller: Caller, mill: Mill) -> None:
    """Remove a provider and its key; 409 while it is in a chain."""
    await mill.models.providers.remove(caller, name)


@router.get("/chains")
async def list_chains(caller: Caller, mill: Mill) -> Listed[ChainView]:
    """List whom each operation asks."""
    return listed([chain_view(one) for one in await mill.models.providers.chains(caller)], None)


@router.get("/chains/{operation}")
async def get_chain(operation: Operation, caller: Caller, mill: Mill) -> ChainView:
    """Show whom an operation asks."""
    return chain_view(await mill.models.providers.chain(caller, operation))


@router.put("/chains/{operation}")
async def set_chain(operation: Operation, body: ChainBody, caller: Caller, mill: Mill) -> ChainView:
    """Set whom an operation asks, in order; jobs that were accepted keep theirs."""
    return chain_view(await mill.models.providers.set_chain(caller, operation, body.providers))
