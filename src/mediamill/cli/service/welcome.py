"""What `mediamill up` says when it answers: the address, the sign-in link, where things are."""

import asyncio
import shlex
import shutil
import socket
import sys
from pathlib import Path

import httpx

from mediamill.app import App
from mediamill.cli.remote.home import Credentials, load_settings, read_credentials, save_credentials
from mediamill.cli.remote.trust import own_certificate, trusting
from mediamill.cli.service.binding import local_address
from mediamill.cli.service.certifying import fingerprint
from mediamill.core.errors import Unauthenticated
from mediamill.core.settings import Settings
from mediamill.services.accounts.service import LOCAL_ADMIN


async def welcome(app: App) -> str:
    """Make a one-time sign-in link, and a token for this machine's user; return what to print.

    Where it is kept in a log, for others to read, there is no link once the administrator has
    another way in: a password, or an address of their own.
    """
    settings = app.settings
    address = settings.public_url
    try:
        await _keep_token(app, local_address(settings))
        first = await app.accounts.first_user()
        known = first.password or first.email not in ("", LOCAL_ADMIN)
        if known and not sys.stdout.isatty():
            way = f"{address}/signin  (a link: `mediamill admin users sign-in-link`)"
        else:
            link = f"{address}/signin?token={await app.accounts.sign_in_secret()}"
            way = f"{link}  (once, within 15 minutes)"
    except Unauthenticated as error:
        way = error.message
    return "\n".join(
        (
            f"Mediamill is ready at {address}",
            f"  sign in    {way}",
            f"  API        {address}/docs",
            f"  files      {settings.home}",
            *_certificate(settings),
            f"  commands   {_example(settings)}",
            "Press Ctrl-C to stop.",
        )
    )


def _certificate(settings: Settings) -> list[str]:
    """Say by what a certificate that was made here is known."""
    own = own_certificate(settings.home)
    if settings.tls_certificate != str(own):
        return []
    return [
        f"  made here  {own}; browsers ask once whether to trust it:",
        f"             SHA-256 {fingerprint(str(own))}",
    ]


def _example(settings: Settings) -> str:
    """Write a command that works as it stands, with the token kept in this home."""
    usual = load_settings().home == settings.home
    home = "" if usual else f"MEDIAMILL_HOME={shlex.quote(str(settings.home))} "
    program = "mediamill" if shutil.which("mediamill") else shlex.quote(sys.argv[0])
    return f"{home}{program} files put clip.mp4"


async def _keep_token(app: App, address: str) -> None:
    """See to it that `HOME/token` holds an API token that works here, so that commands do."""
    kept = read_credentials(app.settings.home)
    if kept is not None and await _is_good(app, kept):
        home = app.settings.home
        if kept.server != address and not await asyncio.to_thread(_answers, kept.server, home):
            save_credentials(app.settings.home, Credentials(kept.token, address))
        return
    session = await app.accounts.redeem(await app.accounts.sign_in_secret())
    principal = await app.accounts.authenticate(session.secret)
    name = f"command line on {socket.gethostname()}"
    issued = await app.people.tokens.issue(principal, name, told=False)
    await app.accounts.logout(principal, session.secret)
    save_credentials(app.settings.home, Credentials(issued.secret, address))


def _answers(server: str, home: Path) -> bool:
    """Tell whether another service runs on this home already: commands stay with it."""
    try:
        verify = trusting(server, home)
        live = httpx.get(f"{server}/health/live", timeout=2, trust_env=False, verify=verify)
        return live.is_success
    except httpx.HTTPError:
        return False


async def _is_good(app: App, kept: Credentials) -> bool:
    try:
        await app.accounts.authenticate(kept.token)
    except Unauthenticated:
        return False
    return True
