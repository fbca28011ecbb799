"""Open files that code wrote which handles hostile input: plain ones only, following no link."""

import os
import stat
from pathlib import Path

from mediamill.core.errors import BrokenMedia, NotFound

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def open_plain(path: Path) -> int:
    """Open a plain file, following no link; raises `NotFound` for what is none."""
    descriptor = os.open(path, _READ)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise NotFound(f"“{path.name}” is not a plain file.")


def open_scratch(path: Path) -> int:
    """Open a plain file with one name; raises `BrokenMedia`, for a link may lead anywhere."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        raise BrokenMedia(f"“{path.name}” is a link or a special file.")
    return open_plain(path)
