"""The few system calls that Python has no function for, by ctypes; they raise `OSError`."""

import ctypes
import errno
import os
import platform
import signal
from contextlib import suppress
from typing import Final

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

MACHINE: Final = platform.machine()
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_GET_TID_ADDRESS = 1, 38, 40
CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS = (
    0x10000000,
    0x40000000,
    0x08000000,
    0x04000000,
)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result)


def syscall(number: int, *args: int | ctypes.Array[ctypes.c_char] | object) -> int:
    """Make a system call; integers are passed as 64-bit, other arguments as they are."""
    words = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    return _checked(_libc.syscall(ctypes.c_long(number), *words))


def prctl(option: int, argument: int) -> None:
    """Set a property of this process."""
    zero = ctypes.c_ulong(0)
    _checked(_libc.prctl(ctypes.c_int(option), ctypes.c_ulong(argument), zero, zero, zero))


def unshare(flags: int) -> None:
    """Move this process to new namespaces."""
    _checked(_libc.unshare(ctypes.c_int(flags)))


_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE_PARENT, _CLONE_CHILD_SETTID = 0x00008000, 0x01000000
_holding = ctypes.PyDLL(None, use_errno=True)  # a fork holds the interpreter's lock
_holding.syscall.restype = ctypes.c_long


def fork_sibling() -> int:
    """Fork as `os.fork` does, but into a child of our parent: 0 there, its process id here.

    Linux counts for a process what the one held that it was made of: see `exec_mmap` in fs/exec.c.
    For this one it counts what we hold. Only a process of one thread may call it.
    """
    if MACHINE not in _CLONE:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    noted = ctypes.c_void_p()
    with suppress(OSError):
        prctl(PR_GET_TID_ADDRESS, ctypes.addressof(noted))
    place = noted.value or 0  # where the C library keeps the number of this thread
    flags = _CLONE_PARENT | signal.SIGCHLD | (_CLONE_CHILD_SETTID if place else 0)
    python = ctypes.pythonapi
    python.PyOS_BeforeFork()
    words = map(ctypes.c_long, (_CLONE[MACHINE], flags, 0, 0, place, place))
    pid = _holding.syscall(*words)
    number = ctypes.get_errno()
    (python.PyOS_AfterFork_Parent if pid else python.PyOS_AfterFork_Child)()
    if pid < 0:
        raise OSError(number, os.strerror(number))
    return int(pid)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def drop_capabilities() -> None:
    """Give up every capability of this thread, those of a new user namespace included."""
    header = _CapabilityHeader(0x20080522, 0)
    _checked(_libc.capset(ctypes.byref(header), (ctypes.c_uint32 * 6)()))
