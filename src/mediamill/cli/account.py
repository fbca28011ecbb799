"""`mediamill account`: what a server keeps about you, fetched, and deleted with your account."""

import sys
import time
from pathlib import Path

import click

from mediamill.cli.remote.client import Client, checked_address
from mediamill.cli.remote.connection import DEFAULT_SERVER, connected
from mediamill.cli.terminal.failures import Failure
from mediamill.cli.transfer.saving import fetch

LOOK_SECONDS = 1.0


@click.group()
def account() -> None:
    """Fetch all that a server keeps about you, delete your account, keep it after all."""


@account.command()
@click.option("-o", "--output", default="everything.zip", show_default=True, help="Where to.")
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@connected
def export(*, output: str, overwrite: bool, client: Client) -> None:
    """Have everything put together as one zip, wait for it, and fetch it.

    Rows of all kinds, files, results. Asked for again within an hour it is the same zip; the server
    keeps it for seven days, or until you ask for another.
    """
    told = client.request("POST", "/v1/me/export")
    while told["state"] == "waiting":
        time.sleep(LOOK_SECONDS)
        told = client.get("/v1/me/export")
    if told["state"] != "ready":
        raise Failure(told["error"])
    path = fetch(client, "/v1/me/export/download", Path(output), overwrite=overwrite)
    click.echo(str(path))


@account.command()
@click.option("--email", help="Address of your account; asked for if left out.")
@click.option("--password-stdin", is_flag=True, help="Read the password instead of asking.")
@click.option("--code", default="", help="Code of your second factor, where you have one.")
@click.option("--now", is_flag=True, help="At once, rather than after a day to take it back.")
@connected
def delete(
    *, email: str | None, password_stdin: bool, code: str, now: bool, client: Client
) -> None:
    """Delete your account with all that is in it; it is shut at once.

    It is removed a day later. Until then `mediamill account keep` takes it back.
    """
    body = {**_credentials(email, from_stdin=password_stdin), "code": code}
    with Client(client.server) as signing:
        session = signing.request("POST", "/v1/auth/login", json=body)
    with Client(client.server, session["token"]) as signed_in:
        told = signed_in.request("DELETE", "/v1/me", params={"now": now})
    click.echo(told["url"])
    click.echo(f"The account is shut. It can be kept until {told['due_at']}.", err=True)


@account.command()
@click.option(
    "--server", envvar="MEDIAMILL_SERVER", show_envvar=True, default=DEFAULT_SERVER,
    show_default=True, help="Address of the server.",
)  # fmt: skip
@click.option("--email", help="Address of your account; asked for if left out.")
@click.option("--password-stdin", is_flag=True, help="Read the password instead of asking.")
@click.option("--code", default="", help="Code of your second factor, where you have one.")
def keep(*, server: str, email: str | None, password_stdin: bool, code: str) -> None:
    """Take the deletion of your account back, while its day is not over."""
    with Client(checked_address(server)) as client:
        body = {**_credentials(email, from_stdin=password_stdin), "code": code}
        client.request("POST", "/v1/auth/restore", json=body)
    click.echo("The account stays. Sign in as ever.")


def _credentials(email: str | None, *, from_stdin: bool) -> dict[str, str]:
    who = email or str(click.prompt("E-mail", err=True))
    if from_stdin:
        return {"email": who, "password": sys.stdin.readline().rstrip("\r\n")}
    password = click.prompt("Password", hide_input=True, err=True)
    return {"email": who, "password": str(password)}
