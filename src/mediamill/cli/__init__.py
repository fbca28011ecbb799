"""The command line: `mediamill COMMAND …`, one file per command group, each imported when used.

What commands do is in the packages beside them: `local` works on files of this machine, `remote`
talks to a server, `transfer` moves bytes, `service` is the service itself, and `terminal` is what
they all share.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with one of the codes of `cli/terminal/failures.py`."""
    from mediamill.cli.root import root
    from mediamill.cli.terminal.running import run_command

    code = run_command(root, sys.argv[1:] if arguments is None else arguments)
    if "obstore" in sys.modules:
        _leave(code)
    sys.exit(code)


def _leave(code: int) -> NoReturn:
    """End at once, without taking the interpreter down.

    The threads of obstore's runtime outlive its last call; one that wakes while the interpreter
    is taken down aborts the process, and a command that had done its work would seem to have failed
    (https://github.com/PyO3/pyo3-async-runtimes/issues/40).
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # whoever read it has gone
            stream.flush()
    os._exit(code)
