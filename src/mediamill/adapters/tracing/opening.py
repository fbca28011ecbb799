"""Open what `MEDIAMILL_OTLP_URL` names: who collects traces."""

from urllib.parse import urlsplit

from mediamill.core.errors import ConfigurationError
from mediamill.core.extras import needing
from mediamill.core.tracing import Tracer

SETTING = "MEDIAMILL_OTLP_URL"


def open_tracer(url: str, share: float) -> Tracer | None:
    """Make what sends spans to a collector; None for an empty URL. Raises `ConfigurationError`."""
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        message = f"{SETTING}: write http://collector:4318, where OTLP over HTTP is taken."
        raise ConfigurationError(message, setting=SETTING)
    with needing("otel", SETTING):
        from mediamill.adapters.tracing.otlp import Otlp
    return Otlp(url, share)
