"""`mediamill models fetch | list`: the models that run on this machine, without a server."""

import click
import msgspec

from mediamill.cli.remote.connection import json_option


@click.group()
def models() -> None:
    """Fetch and list models that run on this machine."""


@models.command()
@click.argument("name", metavar="ID")
@click.option(
    "--revision", help="Commit, tag or branch; default: the newest, whose commit is shown."
)
@click.option(
    "--variant",
    default="",
    help="Which of its ONNX files, such as “quantized”; default: the plain.",
)
@click.option("--digest", help="SHA-256 that was shown for this model before; else it is refused.")
@click.option("--endpoint", metavar="URL", help="A mirror of the hub; default: HF_ENDPOINT.")
@json_option
def fetch(
    name: str, *, revision: str | None, variant: str, digest: str | None, endpoint: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Bring the model ID, such as owner/name, from a hub to MEDIAMILL_HOME/models.

    It must have been exported to ONNX: an encoder and a decoder for captions, model.onnx for
    labels. Jobs name it `local:ID`. Nothing else ever fetches a model.
    """
    from mediamill.adapters.providers.local.hub import fetch as brought
    from mediamill.cli.remote.home import load_settings
    from mediamill.cli.terminal.failures import Unreachable
    from mediamill.core.errors import SourceUnavailable

    folder = load_settings().home / "models"

    def say(line: str) -> None:
        click.echo(line, err=True)

    try:
        manifest = brought(folder, name, revision, variant, endpoint, digest, say)
    except SourceUnavailable as error:
        raise Unreachable(error.message) from None
    if as_json:
        click.echo(msgspec.json.encode({
            "id": manifest.id, "revision": manifest.revision, "variant": manifest.variant,
            "bytes": manifest.size, "digest": manifest.digest, "folder": str(folder / name),
        }).decode())  # fmt: skip
        return
    click.echo(f"{name} at {manifest.revision}: {manifest.size:,} bytes → {folder / name}")
    click.echo(f"digest {manifest.digest}")


@models.command("list")
@click.option("--verify", is_flag=True, help="Read all files and compare them with their digests.")
@json_option
@click.pass_context
def list_(ctx: click.Context, *, verify: bool, as_json: bool) -> None:
    """List the models in MEDIAMILL_HOME/models.

    With --verify the exit code is 1 when a file is no longer as it was fetched.
    """
    from mediamill.adapters.providers.local.listing import listed
    from mediamill.cli.remote.home import load_settings
    from mediamill.cli.terminal.failures import DONE, SOME_FAILED

    folder = load_settings().home / "models"
    changed = some = False
    for one in listed(folder, verify=verify):
        some, changed = True, changed or bool(one.changed)
        click.echo(msgspec.json.encode(one).decode() if as_json else one.line)
    if not some:
        click.echo(f"There are no models in {folder}.", err=True)
    ctx.exit(SOME_FAILED if changed else DONE)
