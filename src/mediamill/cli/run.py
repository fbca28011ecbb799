"""`mediamill run OPERATION PATHS… -o OUT`: an operation over local files, without a server."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mediamill.cli.terminal.parameters import options, parameters
from mediamill.operations.base import Operation
from mediamill.operations.catalogue import OPERATIONS

if TYPE_CHECKING:
    from mediamill.cli.local.marking import Marking
    from mediamill.cli.terminal.inputs import Input


class Operations(click.Group):
    """One command per operation, made from its parameters."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(OPERATIONS.names())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return command_of(cmd_name, OPERATIONS.get(cmd_name))


@click.group(cls=Operations)
def run() -> None:
    """Run an operation on local files, without a server.

    PATHS may be folders, whose folders are kept. -o FOLDER writes files, -o NAME.zip one archive.
    One process per core works; a file that fails is reported and the others go on, and the exit
    code is then 1.
    """


def command_of(name: str, kind: type[Operation]) -> click.Command:
    """Make the command of one operation."""
    schema = kind.model_json_schema()
    accepted = ", ".join(kind.accepts) or "any file"
    summary = (kind.__doc__ or name).strip()
    return click.Command(
        name,
        callback=lambda **typed: _start(name, kind, schema, typed),
        params=[*_own_options(), *options(schema)],
        help=f"{summary}\n\nTakes {accepted}.",
        short_help=summary.splitlines()[0],
    )


def _own_options() -> list[click.Parameter]:
    """Make the arguments and options that every operation has; their names cannot be parameters."""
    return [
        click.Argument(
            ["cli_paths"], nargs=-1, required=True, metavar="PATHS…", type=click.Path(exists=True)
        ),
        click.Option(
            ["-o", "--output", "cli_output"], required=True, metavar="OUT",
            help="Folder for the files, or name.zip for one archive.",
        ),
        click.Option(["--overwrite", "cli_overwrite"], is_flag=True, help="Replace what exists."),
        click.Option(["--json", "cli_json"], is_flag=True, help="Print one JSON line per input."),
        click.Option(
            ["--processes", "cli_processes"], type=click.IntRange(1, 256),
            help="How many processes work; default: one per core.",
        ),
        click.Option(
            ["--seed", "cli_seed"], type=click.IntRange(0, 2**63 - 1), default=0,
            show_default=True, help="Seed of everything that is drawn.",
        ),
        click.Option(
            ["--annotations", "cli_annotations"], metavar="SET", type=click.Path(exists=True),
            help="COCO, YOLO or VOC of the inputs: OUT becomes a set in the same format.",
        ),
        click.Option(
            ["--skip-invalid", "cli_skip_invalid"], is_flag=True,
            help="Leave out annotations that are wrong, instead of ending.",
        ),
    ]  # fmt: skip


def _start(name: str, kind: type[Operation], schema: dict[str, Any], typed: dict[str, Any]) -> None:
    """Check what was typed, then run; leave with 1 when some inputs failed."""
    from mediamill.cli.local.execution import Plan, run_plan
    from mediamill.cli.local.targets import target_of
    from mediamill.cli.terminal.failures import SOME_FAILED, Failure
    from mediamill.cli.terminal.inputs import gather
    from mediamill.operations.asking import ModelOperation

    chosen = parameters(schema, typed)
    operation = OPERATIONS.build(name, chosen, where="")
    inputs = gather(typed["cli_paths"])
    target = target_of(typed["cli_output"], overwrite=typed["cli_overwrite"])
    missing = [path for path in operation.references if not Path(path).is_file()]
    if missing:
        raise Failure(f"There is no file {missing[0]} to compare with.", "Name a local file.")
    marking = _marking(typed, inputs)
    if marking is not None:
        target.lay_out(marking.layout)
    plan = Plan(
        name,
        operation.model_dump(mode="json"),
        kind.accepts,
        kind.fans_out,
        inputs,
        typed["cli_processes"],
        seed=typed["cli_seed"],
        surveys=operation.surveys,
        applies=operation.applies,
        references=operation.references,
        partners=operation.partners,
        annotations=marking.contents if marking else {},
        splits=marking.splits if marking else {},
        marking=marking,
        asks=operation if isinstance(operation, ModelOperation) else None,
    )
    if run_plan(plan, target, as_json=typed["cli_json"]):
        click.get_current_context().exit(SOME_FAILED)


def _marking(typed: dict[str, Any], inputs: "Sequence[Input]") -> "Marking | None":
    """Read the annotations of the inputs, where there are some; raises `Failure` for wrong ones."""
    if typed["cli_annotations"] is None:
        return None
    from mediamill.cli.local.marking import read_marks

    return read_marks(
        Path(typed["cli_annotations"]), inputs, skip_invalid=typed["cli_skip_invalid"]
    )
