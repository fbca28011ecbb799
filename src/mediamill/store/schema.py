"""Import every record class, so that `core.records.type_map` knows all tables."""

from mediamill.core.records import Record, type_map
from mediamill.store.repositories import (
    annotation_rows,
    attempts,
    circuits,
    daily,
    datasets,
    files,
    gates,
    idempotency,
    identities,
    jobs,
    lanes,
    mails,
    manifests,
    moves,
    projects,
    providers,
    results,
    retention,
    reuse,
    sealing,
    spending,
    stream,
    templates,
    units,
    uploads,
    usage,
    users,
    versions,
    webhooks,
)

RECORD_MODULES = (
    annotation_rows,
    attempts,
    circuits,
    daily,
    datasets,
    files,
    gates,
    idempotency,
    identities,
    jobs,
    lanes,
    mails,
    manifests,
    moves,
    projects,
    providers,
    results,
    retention,
    reuse,
    sealing,
    spending,
    stream,
    templates,
    units,
    uploads,
    usage,
    users,
    versions,
    webhooks,
)


def all_kinds() -> tuple[type[Record], ...]:
    """Return every record class of the service, in the order of their table names."""
    ours = {module.__name__ for module in RECORD_MODULES}
    return tuple(kind for _, kind in sorted(type_map.items()) if kind.__module__ in ours)
