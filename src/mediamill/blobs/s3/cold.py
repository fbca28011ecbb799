"""Objects in cold storage: their return is asked for, and takes minutes or hours."""

from mediamill.blobs.s3.answers import NOT_NOW, Refused
from mediamill.blobs.s3.bucket import Bucket
from mediamill.core.errors import Restoring

RETRY_SECONDS = {"Expedited": 60, "Standard": 900, "Bulk": 3600}
"""When to look again: Amazon says 1…5 minutes, 3…5 hours (12 of the deep kind), 5…48 hours."""


async def restoring(bucket: Bucket, key: str) -> Restoring:
    """Ask for the return of a cold object unless that was done; return what to raise."""
    found = await bucket.ask("head_object", key)
    if 'ongoing-request="true"' not in found.get("Restore", ""):
        await _ask(bucket, key, found.get("StorageClass", ""))
    return Restoring(
        f"The object “{key}” is in cold storage; its return has been asked for.",
        retry_after=RETRY_SECONDS[bucket.options.restore_tier],
    )


async def _ask(bucket: Bucket, key: str, storage_class: str) -> None:
    """Ask for the return; the deep kind has nothing expedited, the others not always."""
    tier = bucket.options.restore_tier
    deep = storage_class == "DEEP_ARCHIVE" and tier == "Expedited"
    for wanted in ("Standard" if deep else tier, "Standard"):
        request = {"Days": bucket.options.restore_days, "GlacierJobParameters": {"Tier": wanted}}
        if storage_class == "INTELLIGENT_TIERING":  # it returns for good
            del request["Days"]
        try:
            await bucket.ask("restore_object", key, RestoreRequest=request)
        except Refused as refused:
            if refused.reason == NOT_NOW:
                continue
        return  # asked for, now or by somebody else, or back already


def away(found: dict[str, str]) -> bool:
    """Tell whether the description of an object says that it cannot be read now."""
    cold = found.get("StorageClass") in ("GLACIER", "DEEP_ARCHIVE") or "ArchiveStatus" in found
    return cold and 'ongoing-request="false"' not in found.get("Restore", "")
