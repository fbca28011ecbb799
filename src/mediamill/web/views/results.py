"""Items and results of jobs as they look outside."""

from typing import Any

import msgspec
from pydantic import Field

from mediamill.services.jobs.items import ItemView as ItemRecord
from mediamill.services.models.ledger import ItemMoney
from mediamill.store.repositories.results import Result
from mediamill.web.views.common import Count, View
from mediamill.web.views.spending import ItemMoneyView, item_money_view


class ResultFileView(View):
    id: str
    name: str
    media_type: str
    size: Count
    sha256: str
    info: dict[str, Any]
    annotations: dict[str, Any] | None = Field(
        None, description="What is marked on it, while that is small; else see its project."
    )
    url: str


class ResultView(View):
    """What one item became."""

    stage: Count = Field(0, description="Of the job's stages the one it is an input of.")
    item: int
    input: str = Field(description="Id of the input file.")
    name: str = Field(description="Name of the input.")
    path: str = Field(description="Of a member of an archive, its path there.")
    outcome: str = Field(examples=["succeeded", "failed", "reused"])
    files: list[ResultFileView]
    data: dict[str, Any] | None
    report: dict[str, Any]
    code: str
    error: str
    seconds: float = Field(
        description="How long it ran; 0 for what was taken over or done in parts, or did not run."
    )


def result_view(result: Result) -> ResultView:
    return ResultView(
        stage=result.stage,
        item=result.item,
        input=result.input,
        name=result.name,
        path=result.path,
        outcome=result.outcome,
        files=_result_files(result),
        data=result.data,
        report=result.report,
        code=result.code,
        error=result.error,
        seconds=result.seconds,
    )


def _result_files(result: Result) -> list[ResultFileView]:
    return [
        ResultFileView(
            id=result.file_id(n),
            name=file.name,
            media_type=file.media_type,
            size=file.size,
            sha256=file.sha256,
            info=file.info,
            annotations=msgspec.json.decode(file.annotations) if file.annotations else None,
            url=f"/v1/files/{result.file_id(n)}/content",
        )
        for n, file in result.outputs
    ]


class ItemView(View):
    """An input of a job and its outcome so far."""

    stage: int = Field(description="The job's stage that it came to; failed, where that was.")
    index: int = Field(description="Its place among the inputs of that stage.")
    file: str
    name: str
    path: str = Field(description="Of a member of an archive, its path there.")
    state: str = Field(
        examples=["pending", "succeeded", "failed", "reused", "cancelled", "expired"]
    )
    code: str
    error: str
    retryable: bool
    seconds: float = Field(
        description="How long it ran; 0 for what was taken over or done in parts, or did not run."
    )
    outputs: list[ResultFileView]
    spending: ItemMoneyView | None = Field(
        None, description="What its model calls cost; null for a job that asks no models."
    )


def item_view(item: ItemRecord, money: ItemMoney | None = None) -> ItemView:
    result = item.result
    return ItemView(
        stage=item.stage,
        index=item.index,
        file=item.file,
        name=item.name,
        path=item.path,
        state=item.state,
        code=result.code if result else "",
        error=result.error if result else "",
        retryable=result.retryable if result else False,
        seconds=result.seconds if result else 0.0,
        outputs=_result_files(result) if result else [],
        spending=item_money_view(money),
    )
