"""A child process that is killed as it enters a chosen system call.

    acknowledged = traced.killed_at(3, work)

forks; the child runs `work(tell)` and is killed by SIGKILL when it enters its third
system call that changes something on disk: SQLite's own calls count like ours.  What it
gave to `tell` before that comes back.  A seccomp(2) filter picks the calls, so that all
others run at full speed, and ptrace(2) stops the child there.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct

TRACEME, CONT, SETOPTIONS, GET_SYSCALL_INFO = 0, 7, 0x4200, 0x420E  # of ptrace
TRACESECCOMP, EXITKILL = 0x80, 0x100000
STOPPED_BY_FILTER = signal.SIGTRAP | 7 << 8
SET_SECCOMP, SET_NO_NEW_PRIVS = 22, 38  # of prctl
FILTER_MODE, TRACE, ALLOW = 2, 0x7FF00000, 0x7FFF0000
LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06  # BPF instructions
NUMBER_AT, THIRD_ARGUMENT_AT = 0, 32  # in struct seccomp_data

# Numbers of the calls that change something; fsync changes nothing that kill -9 takes.
CHANGING = {
    "x86_64": {
        1: "write",
        18: "pwrite64",
        20: "writev",
        76: "truncate",
        77: "ftruncate",
        82: "rename",
        83: "mkdir",
        84: "rmdir",
        86: "link",
        87: "unlink",
        263: "unlinkat",
        258: "mkdirat",
        264: "renameat",
        265: "linkat",
        280: "utimensat",
        296: "pwritev",
        316: "renameat2",
        326: "copy_file_range",
    },
    "aarch64": {
        34: "mkdirat",
        35: "unlinkat",
        37: "linkat",
        38: "renameat",
        45: "truncate",
        46: "ftruncate",
        64: "write",
        66: "writev",
        68: "pwrite64",
        70: "pwritev",
        88: "utimensat",
        276: "renameat2",
        285: "copy_file_range",
    },
}[platform.machine()]
OPEN = {"x86_64": 257, "aarch64": 56}[platform.machine()]  # openat; flags are third

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [
    ctypes.c_long,
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
]
_libc.ptrace.restype = ctypes.c_long
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_void_p] * 4]


def _checked(call, *arguments):
    result = call(*arguments)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def killed_at(number, work):
    """(octets told, name of the call it died at, or None if it made fewer calls)."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        _child(writing, work)
    os.close(writing)
    died_at = _follow(pid, number)
    with open(reading, "rb") as told:
        return told.read(), died_at


# -- the child ------------------------------------------------------------------------


def _child(writing, work):
    status = 1
    try:
        _checked(_libc.ptrace, TRACEME, 0, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        _install_filter()
        work(lambda octets: os.write(writing, octets))
        status = 0
    finally:
        os._exit(status)


def _install_filter():
    def instruction(code, operand, true=0, false=0):
        return struct.pack("=HBBI", code, true, false, operand)

    creates = os.O_CREAT | os.O_TRUNC
    program = [instruction(LOAD, NUMBER_AT)]
    for at, number in enumerate(CHANGING):
        program.append(instruction(EQUAL, number, true=len(CHANGING) - at + 3))
    program += [
        instruction(EQUAL, OPEN, false=2),
        instruction(LOAD, THIRD_ARGUMENT_AT),
        instruction(ANY_BIT, creates, true=1),
        instruction(RETURN, ALLOW),
        instruction(RETURN, TRACE),
    ]
    code = ctypes.create_string_buffer(b"".join(program))
    header = struct.pack("@HP", len(program), ctypes.addressof(code))
    _checked(_libc.prctl, SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _checked(_libc.prctl, SET_SECCOMP, FILTER_MODE, header, 0, 0)


# -- the parent -----------------------------------------------------------------------


def _follow(pid, number):
    os.waitpid(pid, 0)
    _checked(_libc.ptrace, SETOPTIONS, pid, 0, TRACESECCOMP | EXITKILL)
    count, deliver = 0, 0
    while True:
        _checked(_libc.ptrace, CONT, pid, 0, deliver)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            ended = os.waitstatus_to_exitcode(status)
            if ended:
                raise AssertionError(f"the child ended with {ended}")
            return None
        stopped = status >> 8 == STOPPED_BY_FILTER
        deliver = 0 if stopped else os.WSTOPSIG(status)
        count += stopped
        if stopped and count == number:
            name = _entered(pid)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return name


def _entered(pid):
    """The name of the call that the child is entering."""
    info = ctypes.create_string_buffer(88)  # struct ptrace_syscall_info
    where = ctypes.addressof(info)
    _checked(_libc.ptrace, GET_SYSCALL_INFO, pid, len(info), where)
    (call,) = struct.unpack_from("=Q", info, 24)
    return CHANGING.get(call, "open")
