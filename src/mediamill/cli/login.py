"""`mediamill login`: keep an API token in HOME/token, given, or got for address and password."""

import socket
import sys

import click

from mediamill.cli.remote.client import Client, checked_address
from mediamill.cli.remote.connection import DEFAULT_SERVER
from mediamill.cli.remote.home import Credentials, load_settings, save_credentials
from mediamill.cli.terminal.failures import Refused

SECOND_FACTOR = "second_factor_required"


@click.command()
@click.option(
    "--server", envvar="MEDIAMILL_SERVER", show_envvar=True, default=DEFAULT_SERVER,
    show_default=True, help="Address of the server.",
)  # fmt: skip
@click.option("--email", help="Address of your account; asked for if left out.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from stdin instead of asking."
)
@click.option("--code", help="Code of your second factor; asked for if left out, and needed.")
@click.option(
    "--token-stdin", is_flag=True,
    help="Take an API token instead, from stdin or asked for; its page is ADDRESS/account.",
)  # fmt: skip
@click.option(
    "--days", type=click.IntRange(1, 3650), default=365, show_default=True,
    help="How long the token is good.",
)  # fmt: skip
def login(
    *,
    server: str,
    email: str | None,
    password_stdin: bool,
    code: str | None,
    token_stdin: bool,
    days: int,
) -> None:
    """Sign in to a server and remember the token.

    Commands that follow use this server and this token. The token is kept in HOME/token, which
    only you can read; `mediamill tokens revoke` ends it. Where people sign in through an issuer
    instead of by password, make a token on the account page and use --token-stdin.
    """
    address = checked_address(server)
    if token_stdin:
        token, who = _given(address)
    else:
        who = email or str(click.prompt("E-mail"))
        password = _secret("Password", from_stdin=password_stdin)
        session = _signed_in(address, who, password, code, asks=not password_stdin)
        token = _exchanged(address, session, days)
    path = save_credentials(load_settings().home, Credentials(token, address))
    click.echo(f"Signed in to {address} as {who}. The token is in {path}.")


def _given(address: str) -> tuple[str, str]:
    """Return a token that the server takes, and whose it is."""
    token = _secret("API token", from_stdin=not sys.stdin.isatty()).strip()
    with Client(address, token) as client:
        me = client.request("GET", "/v1/me")
    return token, me["email"] or me["name"] or me["id"]


def _signed_in(address: str, email: str, password: str, code: str | None, *, asks: bool) -> str:
    """Return a session's secret; the code of a second factor is asked for where it is needed."""
    body = {"email": email, "password": password, "code": code or ""}
    with Client(address) as client:
        try:
            session = client.request("POST", "/v1/auth/login", json=body)
        except Refused as error:
            if error.code != SECOND_FACTOR or code is not None:
                raise
            if not asks:
                message = "This account has a second factor: give its present code with --code."
                raise Refused(message, status=error.status, code=error.code) from None
            body["code"] = str(click.prompt("Code of your app, or a recovery code", err=True))
            session = client.request("POST", "/v1/auth/login", json=body)
    return str(session["token"])


def _exchanged(address: str, session: str, days: int) -> str:
    """Return a new API token; the session ends."""
    with Client(address, session) as client:
        wanted = {"name": f"command line on {socket.gethostname()}", "expires_in_days": days}
        issued = client.request("POST", "/v1/tokens", json=wanted)
        client.request("POST", "/v1/auth/logout")
    return str(issued["token"])


def _secret(name: str, *, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt(name, hide_input=True, err=True))
