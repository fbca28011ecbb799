"""Which versions of the program may use a store: written down in it, checked when it is opened."""

from mediamill.core.errors import ConfigurationError

SETTING = "MEDIAMILL_STORE_URL"


def require_compatible(known: int, version: int, compatible: int) -> None:
    """Raise `ConfigurationError` when a program that knows a version may not use a database.

    `version` is the one that the database has, `compatible` the least that it asks for.
    """
    if known < compatible:
        raise ConfigurationError(
            f"{SETTING}: the database has schema version {version} and asks for programs that know "
            f"version {compatible} or later; this one knows versions up to {known}. Install the "
            "newer mediamill that wrote it, or restore the backup made before its upgrade.",
            setting=SETTING,
        )


def require_present(known: int, version: int) -> None:
    """Raise `ConfigurationError` unless a database is exactly of the version that is known here.

    What only another version knows of could not be carried elsewhere.
    """
    if known != version:
        raise ConfigurationError(
            f"{SETTING}: the database has schema version {version}, this program {known}. Start "
            "the version of mediamill that you want to move with on it once, and stop it again.",
            setting=SETTING,
        )
