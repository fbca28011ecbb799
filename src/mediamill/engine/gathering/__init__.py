"""Where a job's inputs come from when they are not listed in the request: walks that resume."""

from mediamill.engine.gathering.sources import MAX_INPUTS, Found, Sources, Wish

__all__ = ["MAX_INPUTS", "Found", "Sources", "Wish"]
