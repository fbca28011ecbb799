"""Open a place in a bucket by its address."""

from typing import Any

from mediamill.adapters.objects.port import Objects
from mediamill.core.errors import ConfigurationError, InvalidInput, NotFound
from mediamill.core.registry import Registry

BUCKETS: Registry[Any] = Registry(
    "mediamill.adapters.objects", "kind of bucket", exclude=frozenset({"port", "opening"})
)


def is_bucket(address: str) -> bool:
    """Tell whether an address is one of a bucket, known or not."""
    scheme, separator, _ = address.partition("://")
    return bool(separator) and scheme.lower() not in ("http", "https", "file")


def open_objects(url: str) -> Objects:
    """Open `s3://bucket/folder?…`; raises `InvalidInput`, or `ConfigurationError` for its extra."""
    scheme = url.partition("://")[0].lower()
    try:
        kind = BUCKETS.get(scheme)
    except NotFound as error:
        raise InvalidInput(error.message) from None
    except ModuleNotFoundError as error:
        message = f"Buckets need {error.name}: install mediamill[{scheme}]."
        raise ConfigurationError(message) from None
    objects: Objects = kind.open(url)
    return objects
