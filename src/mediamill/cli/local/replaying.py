"""Make outputs of `mediamill run` again by the lines of their manifest, and compare.

A line is of one input, or of a whole set: then it has `inputs`, which are measured again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from mediamill.cli.local.execution import measured, pool_for
from mediamill.cli.local.outcomes import Done, Reporter
from mediamill.cli.local.surveying import Part, Survey, digest_of
from mediamill.cli.local.targets import MANIFEST, data_text
from mediamill.cli.local.working import Plan, Working
from mediamill.cli.terminal.failures import Failure
from mediamill.cli.terminal.inputs import Input
from mediamill.cli.terminal.spelling import meant
from mediamill.cli.transfer.saving import unfinished
from mediamill.core.errors import MediamillError
from mediamill.engine.libraries import LATER, libraries
from mediamill.operations.base import Placement
from mediamill.operations.catalogue import OPERATIONS

Line = Mapping[str, Any]
ANSWERED = "a model answers otherwise each time: run it again instead"
UNTOLD = "an earlier version wrote its line, without what it was made of: run it again instead"


@dataclass(frozen=True)
class Verdict:
    """What came of one output: whether it has the same bytes, and what differs where not."""

    name: str
    same: bool
    psnr: float | None = None
    """Peak signal-to-noise ratio against what is there, dB; None where it cannot be told."""
    libraries: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Versions, and what the processor can do, that differ: then and now."""
    error: str = ""


def lines_of(path: Path, name: str | None) -> tuple[Path, list[Line]]:
    """Return the folder of a manifest and its lines, the last of each output; or those of a name.

    Raises `Failure` for what is no manifest, and where nothing is meant.
    """
    path = path / MANIFEST if path.is_dir() else path
    try:
        lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines() if line]
        if any("file" in line or "file" in line["input"] for line in lines):
            message = f"{path} is of a server: of a job's download, or of an export."
            raise Failure(message, "Name the id of a result, which the server makes again.")
        meant = [line for line in lines if name is None or name in names_of(line)]
        last = {names_of(line): line for line in meant if names_of(line)}
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}.") from None
    except (msgspec.DecodeError, KeyError, TypeError):
        message = f"{path} is no manifest of outputs."
        raise Failure(message, "Name the manifest.jsonl that a run wrote.") from None
    if not last:
        raise Failure(f"{path} names no output {name}." if name else f"{path} names no outputs.")
    return path.parent, [*last.values()]


def names_of(line: Line) -> tuple[str, ...]:
    """Return what the outputs of a line are called."""
    data = (line["data_file"],) if "data_file" in line else ()
    return (*(file["path"] for file in line["files"]), *data)


async def replayed(folder: Path, lines: Sequence[Line], scratch_in: Path) -> list[Verdict]:
    """Make the outputs of lines again; return what came of each."""
    verdicts: list[Verdict] = []
    with unfinished(scratch_in) as scratch, Reporter(len(lines), as_json=False) as reporter:
        scratch.mkdir()
        plans = [_plan(line) for line in lines]
        async with pool_for(max(plans, key=lambda plan: len(plan.inputs)), scratch) as pool:
            for line, plan in zip(lines, plans, strict=True):
                working = Working(plan, reporter, pool, scratch)
                done = await _done(working, line)
                verdicts += await asyncio.to_thread(_verdicts, folder, line, done)
    return verdicts


async def _done(working: Working, line: Line) -> Done:
    """Make the outputs of a line again, or say why not."""
    done = Done(Input(Path(line["input"]["name"])))
    operation = OPERATIONS.get(working.plan.operation)
    if operation.placement is Placement.MODEL:
        return done.failing("answered", ANSWERED)
    if why := await asyncio.to_thread(_changed, line):
        return done.failing("changed", why)
    if "inputs" in line:
        return await _reported(working, line, done)
    if not working.plan.applies:
        return done.failing("untold", UNTOLD)
    return await working.done(0, working.plan.inputs[0])


async def _reported(working: Working, line: Line, done: Done) -> Done:
    """Measure a set again, and reduce that."""
    parts = [
        Part(one["item"], item, one["called"], one.get("reference", False))
        for one, item in zip(line["inputs"], working.plan.inputs, strict=True)
    ]
    with Survey(working, parts) as survey:
        await measured(survey)
        try:
            return replace(done, made=await survey.reduced())
        except MediamillError as error:
            return done.failing(error.code, error.message)


def _plan(line: Line) -> Plan:
    """Return the plan that a line tells of; raises `Failure` for an operation that is not here."""
    step = line["steps"][0]
    try:
        operation = OPERATIONS.build(step["operation"], step["parameters"], where="")
    except MediamillError as error:
        raise Failure(f"This version cannot make it again: {error.message}") from None
    partners, inputs = line.get("partners", ()), _inputs(line)
    marked = {meant(one["path"]): one.get("annotations") for one in (*partners, *inputs)}
    return Plan(
        step["operation"],
        step["parameters"],
        operation.accepts,
        operation.fans_out,
        [Input(meant(one["path"])) for one in inputs],
        seed=line.get("seed", 0),
        applies=operation.applies,
        agreed={0: step["agreed"]} if "agreed" in step else {},
        annotations={one: msgspec.json.encode(marks) for one, marks in marked.items() if marks},
        splits={meant(one["path"]): one.get("split", "") for one in inputs},
        fixed={meant(one["path"]): one["sha256"] for one in partners},
    )


def _inputs(line: Line) -> Sequence[Line]:
    """Return what the outputs of a line were made of."""
    return line["inputs"] if "inputs" in line else [line["input"]]


def _changed(line: Line) -> str:
    """Say of what an output was made that is not as it was; empty where all is."""
    for one in (*_inputs(line), *line.get("partners", ())):
        found = digest_of(meant(one["path"]))
        if found != one.get("sha256", ""):
            return f"{one['path']} {'has changed since' if found else 'cannot be read any more'}"
    return ""


def _verdicts(folder: Path, line: Line, done: Done) -> list[Verdict]:
    if done.made is None:
        return [Verdict(name, same=False, error=done.error) for name in names_of(line)]
    found = []
    for n, file in enumerate(line["files"]):
        if n >= len(done.made.files):
            found.append(Verdict(file["path"], same=False, error="it was not made again"))
            continue
        output = done.made.files[n]
        verdict = Verdict(file["path"], same=output.sha256 == file["sha256"])
        if not verdict.same:
            likeness = _likeness(folder / PurePosixPath(file["path"]), output.path)
            differing = differences(line.get("libraries", {}), libraries())
            verdict = replace(verdict, psnr=likeness, libraries=differing)
        output.path.unlink()
        found.append(verdict)
    if "data_file" in line:
        same = data_text(line["data"]) == data_text(done.made.data or {})
        versions = {} if same else differences(line.get("libraries", {}), libraries())
        found.append(Verdict(line["data_file"], same=same, libraries=versions))
    return found


def differences(then: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return what differs between two sets of versions, by name; what one lacks is `none`.

    Nothing is told of what the older of them did not note, as an earlier version.
    """
    unknown = LATER - then.keys()
    names = sorted({*then, *now} - unknown)
    known = {name: (then.get(name, "none"), now.get(name, "none")) for name in names}
    return {name: pair for name, pair in known.items() if pair[0] != pair[1]}


def _likeness(there: Path, made: Path) -> float | None:
    """Compare an image with the one that is there; None where that cannot be done."""
    try:
        return likeness(there.read_bytes(), made.read_bytes())
    except OSError:
        return None


def likeness(one: bytes, other: bytes) -> float | None:
    """Return the PSNR of two images in dB; None for what are no images of one size."""
    from mediamill.media.image.numbers.likeness import psnr

    try:
        return psnr(one, other)
    except MediamillError:
        return None
