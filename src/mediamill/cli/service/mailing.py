"""What `mediamill doctor` finds out about mail: nothing is sent."""

import asyncio

from mediamill.adapters.mail.opening import probe_post
from mediamill.core.errors import MediamillError
from mediamill.core.settings import Settings


def ask_mail(settings: Settings) -> tuple[bool, str] | None:
    """Ask the mail server: whether mails would go out, and how, or why not; None without one."""
    try:
        told = asyncio.run(probe_post(settings.mail_url))
    except MediamillError as error:
        return False, error.message
    return (True, f"{told}{_links(settings)}") if told else None


def _links(settings: Settings) -> str:
    if settings.public_url:
        return ""
    return f"; its links lead to {settings.address}, so set MEDIAMILL_PUBLIC_URL"
