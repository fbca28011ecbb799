"""A seccomp filter: system calls that media code has no business with fail with EPERM.

It complements Landlock and the namespaces, and stands in for them where they are not granted.
Numbers: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h; layout of the
filter: linux/filter.h and Documentation/userspace-api/seccomp_filter.rst.
"""

import ctypes
import errno
import os
import struct
from typing import Final

from mediamill.engine.slots.libc import MACHINE, PR_SET_PDEATHSIG, syscall

_DENIED: Final = {  # name: (x86_64, aarch64), -1 where a machine has none
    # network; sendto and recvfrom stay: they only reach the socket that is open
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242), "sendmmsg": (307, 269),
    # other programs and processes
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, -1), "vfork": (58, -1),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "kcmp": (312, 272),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "setpgid": (109, 154), "setsid": (112, 157), "setpriority": (141, 140),
    "personality": (135, 92), "seccomp": (317, 277),
    # namespaces, mounts
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    # marks on files, which Landlock does not rule
    "chmod": (90, -1), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, -1), "fchown": (93, 55), "lchown": (94, -1), "fchownat": (260, 54),
    "utime": (132, -1), "utimes": (235, -1), "futimesat": (261, -1), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "mknod": (133, -1),
    "mknodat": (259, 33), "symlink": (88, -1), "symlinkat": (266, 36), "link": (86, -1),
    "linkat": (265, 37),
    # the kernel's wide corners
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "msgget": (68, 186),
    "semget": (64, 190), "mq_open": (240, 180), "fanotify_init": (300, 262),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "sethostname": (170, 161),
    "setdomainname": (171, 162), "acct": (163, 89), "quotactl": (179, 60), "syslog": (103, 116),
    "iopl": (172, -1), "ioperm": (173, -1), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "adjtimex": (159, 171),
}  # fmt: skip
_CLONE, _CLONE3, _KILL, _TGKILL, _PRLIMIT, _PRCTL = (
    (56, 220), (435, 435), (62, 129), (234, 131), (302, 261), (157, 167),
)  # fmt: skip
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_SECCOMP = {"x86_64": 317, "aarch64": 277}

_LOAD, _EQUAL, _AT_LEAST, _SET_IN, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL_PROCESS, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST = 0, 4, 16
_CLONE_THREAD = 0x00010000
_SET_FILTER, _TO_ALL_THREADS = 1, 1

Rule = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


def restrict() -> None:
    """Install the filter in all threads of this process; raises `OSError`.

    Needs `PR_SET_NO_NEW_PRIVS`.
    """
    if MACHINE not in _ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no filter for {MACHINE}")
    rules = program(MACHINE, os.getpid())
    code = b"".join(struct.pack("HBBI", *rule) for rule in rules)
    buffer = ctypes.create_string_buffer(code, len(code))
    packed = struct.pack("HP", len(rules), ctypes.addressof(buffer))
    descriptor = ctypes.create_string_buffer(packed, len(packed))
    syscall(_SECCOMP[MACHINE], _SET_FILTER, _TO_ALL_THREADS, descriptor)


def program(machine: str, own: int) -> list[Rule]:
    """Write the filter for a machine and the process id that signals may go to."""
    column, architecture = _ARCHITECTURES[machine]
    rules: list[Rule] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":  # the x32 numbers, which would go round the list
        rules += [(_AT_LEAST, 0, 1, 0x40000000), _fail(errno.EPERM)]
    for numbers in _DENIED.values():
        if numbers[column] >= 0:
            rules += [(_EQUAL, 0, 1, numbers[column]), _fail(errno.EPERM)]
    # glibc falls back to clone, whose flags can be read here
    rules += [(_EQUAL, 0, 1, _CLONE3[column]), _fail(errno.ENOSYS)]
    rules += _unless(_CLONE[column], [(_LOAD, 0, 0, _FIRST), (_SET_IN, 1, 0, _CLONE_THREAD)])
    for numbers in (_KILL, _TGKILL):
        rules += _unless(numbers[column], [(_LOAD, 0, 0, _FIRST), (_EQUAL, 1, 0, own)])
    rules += _unless(_PRLIMIT[column], [(_LOAD, 0, 0, _FIRST), (_EQUAL, 1, 0, 0)])
    # nobody may take back that the child dies with the worker
    dying = (_EQUAL, 0, 1, PR_SET_PDEATHSIG)
    rules += _unless(_PRCTL[column], [(_LOAD, 0, 0, _FIRST), dying])
    return [*rules, (_RETURN, 0, 0, _ALLOW)]


def _fail(number: int) -> Rule:
    return (_RETURN, 0, 0, _FAIL | number)


def _unless(number: int, test: list[Rule]) -> list[Rule]:
    """Fail a call unless a test of its arguments, which skips one rule if true, holds."""
    body = [*test, _fail(errno.EPERM), (_RETURN, 0, 0, _ALLOW)]
    return [(_EQUAL, 0, len(body), number), *body]
