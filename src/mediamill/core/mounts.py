"""Where a path lives: on a disk of this machine, or on one that others change too.

SQLite's locks and shared memory need the former; on the latter a file may be there unseen.
"""

from collections.abc import Iterable
from pathlib import Path

NETWORK_TYPES = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "davfs", "ceph"}
    | {"lustre", "glusterfs", "gfs2", "ocfs2", "beegfs", "fuse.sshfs", "fuse.davfs", "fuse.rclone"}
    | {"fuse.ceph", "fuse.glusterfs", "fuse.juicefs", "fuse.s3fs", "fuse.mount-s3"}
    | {"fuse.goofys", "fuse.gcsfuse", "fuse.blobfuse2"}
)
MOUNTS = Path("/proc/self/mountinfo")


def network_type(path: Path, mounts: str | None = None) -> str | None:
    """Name the network file system that a path (or its nearest parent) is on; None if local.

    `mounts` has the format of `/proc/self/mountinfo`, proc(5); where that is not to be had,
    nothing is known and nothing is refused.
    """
    if mounts is None:
        mounts = MOUNTS.read_text() if MOUNTS.exists() else ""
    found = _type_at(path.resolve(), mounts.splitlines())
    return found if found in NETWORK_TYPES else None


def _type_at(path: Path, lines: Iterable[str]) -> str:
    best, found = -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        point = Path(_unescape(left.split()[4]))
        depth = len(point.parts)
        if depth >= best and path.is_relative_to(point):  # of two at one place the later hides
            best, found = depth, right.split()[0]
    return found


def _unescape(field: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field
