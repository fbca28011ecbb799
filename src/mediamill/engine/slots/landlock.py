"""Landlock: which folders this process may read and write; works without privileges.

Layouts and numbers: linux/landlock.h and Documentation/userspace-api/landlock.rst.
"""

import ctypes
import os
from collections.abc import Iterable
from contextlib import suppress

from mediamill.engine.slots.libc import syscall

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on every machine
_VERSION_FLAG, _RULE_PATH = 1, 1
_EXECUTE, _WRITE, _READ, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_FILE = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_REFER, _TRUNCATE, _IOCTL = 1 << 13, 1 << 14, 1 << 15
_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_NETWORK = 0b11  # bind and connect of TCP, from ABI 4 on
_SCOPES = 0b11  # abstract sockets and signals, from ABI 6 on
READ_ONLY = _READ | _READ_DIR
READ_WRITE = READ_ONLY | _WRITE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_FILE | _TRUNCATE
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


def version() -> int:
    """Return the kernel's Landlock ABI; raises `OSError` where there is none."""
    return syscall(_CREATE, None, 0, _VERSION_FLAG)


def restrict(readable: Iterable[str], writable: Iterable[str]) -> int:
    """Allow reading and writing beneath these paths only; return the ABI that holds it.

    For the calling thread and what it starts later. Needs `PR_SET_NO_NEW_PRIVS`. Paths that do not
    exist are passed over. Raises `OSError` where the kernel refuses.
    """
    abi = version()
    handled = _RIGHTS[max(known for known in _RIGHTS if known <= abi)]
    rules = _Ruleset(handled, _NETWORK if abi >= 4 else 0, _SCOPES if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = syscall(_CREATE, ctypes.byref(rules), size, 0)
    try:
        for path in readable:
            _allow(ruleset, path, READ_ONLY & handled)
        for path in writable:
            _allow(ruleset, path, READ_WRITE & handled)
        syscall(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)
    return abi


def _allow(ruleset: int, path: str, rights: int) -> None:
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(path):  # noqa: PTH112 - cheaper, and before the sandbox closes
                rights &= _OF_FILES
            rule = _Beneath(rights, descriptor)
            syscall(_ADD, ruleset, _RULE_PATH, ctypes.byref(rule), 0)
        finally:
            os.close(descriptor)
