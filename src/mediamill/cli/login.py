"""`mediamill login`: exchange an address and a password for an API token kept in HOME/token."""

import socket
import sys

import click

from mediamill.cli.remote.client import Client, checked_address
from mediamill.cli.remote.connection import DEFAULT_SERVER
from mediamill.cli.remote.home import Credentials, load_settings, save_credentials


@click.command()
@click.option(
    "--server", envvar="MEDIAMILL_SERVER", show_envvar=True, default=DEFAULT_SERVER,
    show_default=True, help="Address of the server.",
)  # fmt: skip
@click.option("--email", prompt="E-mail", help="Address of your account.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from stdin instead of asking."
)
@click.option(
    "--days", type=click.IntRange(1, 3650), default=365, show_default=True,
    help="How long the token is good.",
)  # fmt: skip
def login(*, server: str, email: str, password_stdin: bool, days: int) -> None:
    """Sign in to a server and remember the token.

    Commands that follow use this server and this token. The token is kept in HOME/token, which
    only you can read; `mediamill tokens revoke` ends it.
    """
    address = checked_address(server)
    password = _read_password(from_stdin=password_stdin)
    with Client(address) as client:
        body = {"email": email, "password": password}
        session = client.request("POST", "/v1/auth/login", json=body)
    with Client(address, session["token"]) as client:
        wanted = {"name": f"command line on {socket.gethostname()}", "expires_in_days": days}
        issued = client.request("POST", "/v1/tokens", json=wanted)
        client.request("POST", "/v1/auth/logout")
    home = load_settings().home
    path = save_credentials(home, Credentials(issued["token"], address))
    click.echo(f"Signed in to {address} as {email}. The token is in {path}.")


def _read_password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password = click.prompt("Password", hide_input=True, err=True)
    return str(password)
