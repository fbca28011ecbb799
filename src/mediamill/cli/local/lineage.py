"""Lines of `manifest.jsonl`: how each output was made, so that it can be made again."""

from collections.abc import Sequence
from typing import Any

import msgspec

from mediamill.cli.local.targets import Made
from mediamill.cli.local.working import Plan
from mediamill.cli.terminal.inputs import Input
from mediamill.engine.libraries import libraries

_encode = msgspec.json.Encoder(enc_hook=str).encode


def line_of(plan: Plan, item: Input, made: Made, names: Sequence[str]) -> bytes:
    """Describe one input and what it became, as a job's manifest does; `names` are its outputs'."""
    step: dict[str, Any] = {"operation": plan.operation, "parameters": dict(plan.parameters)}
    if plan.agreed:
        step["agreed"] = plan.agreed[0]
    files = [
        {
            "path": name,
            "media_type": output.media_type,
            "size": output.size,
            "sha256": output.sha256,
            **output.info,
            **_marked(output.annotations),
        }
        for output, name in zip(made.files, names, strict=False)
    ]
    line: dict[str, Any] = {
        "input": {
            "path": str(item.path.resolve()), "name": item.path.name, **made.source,
            **_marked(plan.annotations.get(item.path, b"")), **_split(plan, item),
        },
        "outcome": "succeeded",
        "steps": [step],
        "seed": plan.seed,
        "libraries": libraries(),
        "files": files,
    }  # fmt: skip
    if made.partners:
        line["partners"] = [
            {"path": str(path.resolve()), "sha256": sha256,
             **_marked(plan.annotations.get(path, b""))}
            for path, sha256 in made.partners.items()
        ]  # fmt: skip
    if made.data is not None:
        line["data"] = made.data
    if made.report:
        line["report"] = made.report
    return _encode(line)


def _split(plan: Plan, item: Input) -> dict[str, str]:
    split = plan.splits.get(item.path, "")
    return {"split": split} if split else {}


def _marked(annotations: bytes) -> dict[str, Any]:
    return {"annotations": msgspec.Raw(annotations)} if annotations else {}
