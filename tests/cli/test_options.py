"""Options made of schemas, lazily imported commands, and exit codes."""

import click
import pytest
from click.testing import CliRunner

from mediamill.cli.root import COMMANDS, root
from mediamill.cli.terminal.parameters import options, parameters
from mediamill.cli.terminal.running import run_command
from mediamill.core.errors import ConfigurationError, MediamillError, NotFound

SCHEMA = {
    "$defs": {"Fit": {"enum": ["fit", "crop"], "type": "string"}},
    "properties": {
        "count": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
        "every": {"type": "number", "exclusiveMinimum": 0, "default": 1.0},
        "fit": {"$ref": "#/$defs/Fit", "default": "fit"},
        "keep_original": {"type": "boolean", "default": True},
        "width": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "default": None},
        "at": {"type": "array", "items": {"anyOf": [{"type": "number"}, {"type": "string"}]}},
        "methods": {"type": "array", "items": {"type": "string"}},
        "bits": {"enum": [1, 2, 8], "type": "integer"},
        "ranges": {"type": "object"},
    },
}


def parse(*arguments: str) -> dict:
    """Return the parameters that a command line of SCHEMA gives."""
    found = {}
    command = click.Command(
        "it",
        params=options(SCHEMA),
        callback=lambda **typed: found.update(parameters(SCHEMA, typed)),
    )
    result = CliRunner().invoke(command, list(arguments))
    if result.exit_code:
        raise ValueError(result.output)
    return found


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {}),
        (["--count", "4"], {"count": 4}),
        (["--every", "0.5"], {"every": 0.5}),
        (["--fit", "crop"], {"fit": "crop"}),
        (["--no-keep-original"], {"keep_original": False}),
        (["--width", "64"], {"width": 64}),
        (["--at", "1, 2.5,50%"], {"at": [1, 2.5, "50%"]}),
        (["--methods", "rotate,01"], {"methods": ["rotate", "01"]}),
        (["--bits", "8"], {"bits": 8}),
        (["--ranges", "rotate=0.8, hue=1"], {"ranges": {"rotate": 0.8, "hue": 1}}),
        (["--ranges", '{"rotate": [-5, 5]}'], {"ranges": {"rotate": [-5, 5]}}),
    ],
)
def test_parameters_are_read_as_their_schema_says(arguments: list[str], expected: dict):
    assert parse(*arguments) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ["--count", "0"],
        ["--count", "10"],
        ["--every", "0"],
        ["--fit", "stretch"],
        ["--width", "0"],
        ["--bits", "3"],
        ["--ranges", "{"],
        ["--no-such", "1"],
    ],
)
def test_values_outside_of_the_schema_are_refused(arguments: list[str]):
    with pytest.raises(ValueError, match=arguments[0]):
        parse(*arguments)


def test_help_shows_descriptions_defaults_and_ranges():
    result = CliRunner().invoke(root, ["run", "extract-frames", "--help"])
    text = " ".join(result.output.split())
    assert "--quality INTEGER RANGE Quality of JPEG and WebP. Default: 85. [1<=x<=100]" in text
    assert "--max-frames" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_the_listed_summary_is_the_command_s_own(name: str):
    command = root.get_command(click.Context(root), name)
    assert command is not None
    summary = (command.help or "").split("\n\n")[0].replace("\n", " ")
    assert summary.rstrip(".").startswith(COMMANDS[name][1].rstrip(".").split(";")[0])


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (NotFound("There is no such thing."), 2, "Error: There is no such thing."),
        (ConfigurationError("MEDIAMILL_X is wrong."), 2, "Error: MEDIAMILL_X is wrong."),
        (MediamillError("Odd."), 5, "Error: Odd."),
        (RuntimeError("surprise"), 5, "defect of Mediamill"),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (click.UsageError("Not so."), 2, "Not so."),
    ],
)
def test_every_end_has_its_code(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
):
    @click.command()
    def failing() -> None:
        raise error

    assert run_command(failing, []) == code
    assert said in capsys.readouterr().err


def test_what_a_command_exits_with_is_the_code():
    @click.command()
    @click.pass_context
    def leaving(ctx: click.Context) -> None:
        ctx.exit(1)

    assert run_command(leaving, []) == 1
