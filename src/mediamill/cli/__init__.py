"""The command line: `mediamill COMMAND …`, one file per command group, each imported when used.

What commands do is in the packages beside them: `local` works on files of this machine, `remote`
talks to a server, `transfer` moves bytes, `service` is the service itself, and `terminal` is what
they all share.
"""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with one of the codes of `cli/terminal/failures.py`."""
    from mediamill.cli.root import root
    from mediamill.cli.terminal.running import run_command

    sys.exit(run_command(root, sys.argv[1:] if arguments is None else arguments))
