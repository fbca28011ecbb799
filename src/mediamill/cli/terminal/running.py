"""Run a click command and turn however it ends into an exit code and a sentence on stderr."""

import os
import sys
import traceback
from collections.abc import Sequence

import click

from mediamill.cli.terminal.failures import DEFECT, DONE, INTERRUPTED, USAGE
from mediamill.core.errors import MediamillError


def run_command(command: click.Command, arguments: Sequence[str]) -> int:
    """Run a command with its arguments and return the exit code."""
    try:
        code = command.main(list(arguments), prog_name="mediamill", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except click.ClickException as failure:
        failure.show()
        return failure.exit_code
    except MediamillError as error:
        click.echo(f"Error: {error.message}", err=True)
        return USAGE if error.status < 500 or error.code == "configuration" else DEFECT
    except BrokenPipeError:
        _silence_stdout()
        return DONE
    except Exception as error:  # the last resort: whatever it is, say what to do
        return _report_defect(error)
    return code if isinstance(code, int) else DONE


def _silence_stdout() -> None:
    """Point stdout away from the pipe that was closed, so that the exit flush cannot fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report_defect(error: Exception) -> int:
    click.echo("".join(traceback.format_exception(error)), err=True)
    message = f"This is a defect of Mediamill: {error!r}. Please report it with the lines above."
    click.echo(message, err=True)
    return DEFECT
