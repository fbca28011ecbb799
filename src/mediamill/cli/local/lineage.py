"""Lines of `manifest.jsonl`: how each output was made, so that it can be made again."""

from collections.abc import Sequence
from typing import Any

import msgspec

from mediamill.cli.local.surveying import Part
from mediamill.cli.local.targets import Made
from mediamill.cli.local.working import Plan
from mediamill.cli.terminal.inputs import Input
from mediamill.cli.terminal.spelling import spelled
from mediamill.engine.libraries import libraries

_encode = msgspec.json.Encoder(enc_hook=str).encode


def line_of(plan: Plan, item: Input, made: Made, names: Sequence[str]) -> bytes:
    """Describe one input and what it became, as a job's manifest does; `names` are its outputs'."""
    of = {
        "path": spelled(item.path.resolve()), "name": item.name, **made.source,
        **_known(plan, item),
    }  # fmt: skip
    line = {"input": of, **_made(plan, made, names)}
    if made.partners:
        line["partners"] = [
            {"path": spelled(path.resolve()), "sha256": sha256,
             **_marked(plan.annotations.get(path, b""))}
            for path, sha256 in made.partners.items()
        ]  # fmt: skip
    return _encode(line)


def report_line(plan: Plan, parts: Sequence[Part], made: Made, names: Sequence[str]) -> bytes:
    """Describe a set and the report of it: its `inputs` in their order, with their `item` there.

    An input without `sha256` could not be read.
    """
    inputs = [
        {
            "item": part.item, "path": spelled(part.input.path.absolute()), "called": part.called,
            **({"sha256": part.sha256} if part.sha256 else {}),
            **({"reference": True} if part.reference else {}),
            **_known(plan, part.input),
        }
        for part in parts
    ]  # fmt: skip
    of = {"name": plan.operation}
    return _encode({"input": of, "inputs": inputs, **_made(plan, made, names)})


def _made(plan: Plan, made: Made, names: Sequence[str]) -> dict[str, Any]:
    """Return what was made, and how."""
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
        "outcome": "succeeded",
        "steps": [step],
        "seed": plan.seed,
        "libraries": libraries(),
        "files": files,
    }
    if made.data is not None:
        line["data"] = made.data
        line["data_file"] = names[len(files)]
    if made.report:
        line["report"] = made.report
    return line


def _known(plan: Plan, item: Input) -> dict[str, Any]:
    """Return what a set of annotations says of an input: what is marked on it, and its split."""
    split = plan.splits.get(item.path, "")
    return {
        **_marked(plan.annotations.get(item.path, b"")),
        **({"split": split} if split else {}),
    }


def _marked(annotations: bytes) -> dict[str, Any]:
    return {"annotations": msgspec.Raw(annotations)} if annotations else {}
