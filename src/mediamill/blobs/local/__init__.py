"""Objects as files in a folder: `file:///absolute/folder`, the embedded default.

Layout: `<root>/.incoming/<begun ms>-<random>` while being written, then `<root>/<key>` with each
folder marked by a `+` (see `files.py`). No locks and no shared state: any number of processes, also
on several machines over a network file system, may use one root. What one has just committed,
another may not see for as long as its mount believes what it knows (NFS: up to a minute).

Needs: read, write and execute on the root.
"""

from mediamill.blobs.local.store import LocalBlobs
from mediamill.blobs.local.upload import LocalUpload

__all__ = ["LocalBlobs", "LocalUpload"]

plugin = LocalBlobs
