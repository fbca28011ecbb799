"""`mediamill notifications`: which mails the signed-in user gets about jobs."""

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show

WHEN = click.Choice(("always", "long", "never"))
WORDS = {
    "always": "for every job",
    "long": "for jobs that took longer than a minute",
    "never": "for none",
}


@click.command()
@click.option("--finished", type=WHEN, help="When something came of a job.")
@click.option("--failed", type=WHEN, help="When something of a job failed.")
@json_option
@connected
def notifications(
    *, finished: str | None, failed: str | None, as_json: bool, client: Client
) -> None:
    """Choose which mails you get about your jobs; without options, show it.

    Long means longer than a minute.
    """
    given = {"finished": finished, "failed": failed}
    chosen = {name: when for name, when in given.items() if when is not None}
    if chosen:
        told = client.request("PATCH", "/v1/me/notifications", json={"email": chosen})
    else:
        told = client.get("/v1/me/notifications")
    if as_json:
        show(told, as_json=True)
        return
    click.echo(f"Mails when a job is done: {WORDS[told['email']['finished']]}.")
    click.echo(f"Mails when something of a job failed: {WORDS[told['email']['failed']]}.")
