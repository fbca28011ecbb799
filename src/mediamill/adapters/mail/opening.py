"""Open the post that `MEDIAMILL_MAIL_URL` names."""

from typing import Any

from mediamill.adapters.mail.port import Post, Probed
from mediamill.core.errors import ConfigurationError, NotFound
from mediamill.core.extras import needing
from mediamill.core.registry import Registry
from mediamill.core.sourced import Sourced, sourced

SETTING = "MEDIAMILL_MAIL_URL"
POSTS: Registry[Any] = Registry(
    "mediamill.adapters.mail",
    "way to send mail",
    exclude=frozenset({"message", "opening", "port", "sender"}),
)
ENCRYPTED = {"smtps": "smtp"}
"""Schemes that mean another one's backend, with TLS."""


async def open_post(url: str | Sourced) -> Post:
    """Make the post of a URL; raises `ConfigurationError`.

    A plug-in is a class with `open(cls, url: Sourced, text: str) -> Post`, where `text` is what
    the URL is now.
    """
    source = sourced(url)
    text = await source.current()
    scheme = text.partition(":")[0]
    name = ENCRYPTED.get(scheme, scheme)
    try:
        with needing(name, SETTING):
            kind = POSTS.get(name)
    except NotFound as error:
        raise ConfigurationError(f"{SETTING}: {error.message}", setting=SETTING) from None
    post: Post = kind.open(source, text)
    return post


async def probe_post(url: str | Sourced) -> str | None:
    """Say how the mail server is reached, None where there is none; raises `MediamillError`."""
    post = await open_post(url)
    try:
        return await post.probe() if isinstance(post, Probed) else None
    finally:
        await post.close()
