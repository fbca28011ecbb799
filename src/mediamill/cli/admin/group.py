"""The group of commands for who runs the service."""

import click

from mediamill.cli.terminal.lazy import LazyGroup

COMMANDS = {
    "users": (
        "mediamill.cli.admin.users:users",
        "List and add users, give them roles, keep them out, let them in again.",
    ),
    "workers": (
        "mediamill.cli.admin.workers:workers",
        "List workers, and have them finish without taking more.",
    ),
    "feedback": (
        "mediamill.cli.admin.feedback:feedback",
        "List what users said, and mark it as done.",
    ),
    "audit": (
        "mediamill.cli.admin.audit:audit",
        "Search who did what, and who was denied what.",
    ),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def admin() -> None:
    """Run this machine’s installation without the page: users, and what they did.

    It works on the database that the settings name; whoever may read those may do it, and what is
    done is in the audit trail as the operator's.
    """
