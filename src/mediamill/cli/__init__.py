"""The command line: `mediamill COMMAND …`, one file per command group, each imported when used."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with one of the codes of `cli/failures.py`."""
    from mediamill.cli.root import root
    from mediamill.cli.running import run_command

    sys.exit(run_command(root, sys.argv[1:] if arguments is None else arguments))
