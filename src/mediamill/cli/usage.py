"""`mediamill usage`: how much the signed-in user keeps on a server."""

import click

from mediamill.cli.remote.client import Client
from mediamill.cli.remote.connection import connected, json_option, show, size_text


@click.command()
@json_option
@connected
def usage(*, as_json: bool, client: Client) -> None:
    """Show how much you keep on a server, and how much that may be."""
    told = client.get("/v1/usage")
    if as_json:
        show(told, as_json=True)
        return
    quota = told["quota_bytes"]
    most = f" of {size_text(quota)}" if quota is not None else ""
    kept, results = size_text(told["bytes"]), size_text(told["results_bytes"])
    click.echo(f"You keep {kept}{most}; {results} of it is results of jobs.")
    if quota is not None and told["bytes"] >= quota:
        click.echo("There is no room for more: delete files and jobs, and empty the trash.")
