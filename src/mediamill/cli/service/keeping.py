"""What `mediamill doctor` says of secrets: those that settings refer to, and the keys that seal."""

import asyncio
from collections.abc import Iterator

from mediamill.adapters.brokers.opening import ENCRYPTED
from mediamill.adapters.sealing.opening import open_sealer
from mediamill.adapters.secrets.opening import SettingSources
from mediamill.adapters.secrets.reading import Secrets
from mediamill.adapters.secrets.template import Template, templates_of
from mediamill.cli.service.checks import Check, Level
from mediamill.core.errors import MediamillError
from mediamill.core.referring import variable
from mediamill.core.settings import Settings

ABOUT = "doctor/check"


def references() -> Iterator[Check]:
    """Read each secret that a setting refers to; what it is is not told."""
    for name, text in sorted(templates_of({}).items()):
        for reference in Template.of(text, is_url=False).references():
            where = f"{variable(name)}: {reference}"
            try:
                found = asyncio.run(Secrets().value(reference, variable(name)))
            except MediamillError as error:
                yield Check("secret", Level.PROBLEM, error.message)
            else:
                yield Check("secret", Level.OK, f"{where} {'is there' if found else 'is empty'}")


def sealing(settings: Settings) -> Iterator[Check]:
    """Seal something, and open it."""
    try:
        key = asyncio.run(_sealed(settings))
    except MediamillError as error:
        yield Check("sealing", Level.PROBLEM, error.message)
        return
    yield Check("sealing", Level.OK, f"{key} seals secrets in the database")
    if settings.several and settings.own_keyring:
        text = (
            f"with several servers each needs the same {settings.home}/keyring: share it, or name "
            "another place in MEDIAMILL_SEALING_URL; see docs/how-to/secrets.md"
        )
        yield Check("sealing", Level.NOTE, text)


def secrecy(url: str) -> str:
    """Say how a broker that answers is spoken to, by its address."""
    scheme = url.partition(":")[0]
    if scheme == "postgresql":
        return ""  # as the store, or as it says itself
    private = scheme in ENCRYPTED or (scheme == "sqs" and "endpoint=http:" not in url)
    return ", under TLS" if private else ", in the clear"


async def _sealed(settings: Settings) -> str:
    sealer = open_sealer(SettingSources(settings).of("sealing_url"), settings.home)
    try:
        await sealer.open(await sealer.seal("well", ABOUT), ABOUT)
        return await sealer.key()
    finally:
        await sealer.close()
