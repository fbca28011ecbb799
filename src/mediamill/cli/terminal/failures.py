"""What a command can end with, besides success.

| code | meaning |
|---|---|
| 0 | done |
| 1 | some items failed; the others are done |
| 2 | the command line, a setting or an input is wrong |
| 3 | the server refused |
| 4 | the server cannot be reached |
| 5 | a defect of Mediamill |
| 130 | interrupted |

Every failure is a sentence on stderr that says what to do.
"""

import click

DONE, SOME_FAILED, USAGE, REFUSED, UNREACHABLE, DEFECT, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130


class Failure(click.ClickException):
    """A failure that the caller can act on; `remedy` says how."""

    exit_code = USAGE

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message}\n{remedy}" if remedy else message)


class Refused(Failure):
    """The server answered with a problem; `status` and `code` are those of its answer."""

    exit_code = REFUSED

    def __init__(self, message: str, remedy: str = "", *, status: int = 0, code: str = "") -> None:
        super().__init__(message, remedy)
        self.status, self.code = status, code


class Unreachable(Failure):
    """No server answered."""

    exit_code = UNREACHABLE
