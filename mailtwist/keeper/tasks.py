"""What the keeper does, each in a child of its own.

A task answers with a dict: {"verdict": ...} for passwords, {"good": true} with a
descriptor, or {"fault": why} for the log.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import pwd
import re
import resource
import signal
import socket
import stat
from collections.abc import Mapping, Sequence
from typing import Any

try:
    import pamela
except ImportError:  # store agents and keys do without
    pamela = None

from . import spool
from .folders import agent_folder
from .packets import (
    DESCRIPTOR,
    DISABLED,
    RIGHT,
    SPOOL_VARIABLE,
    WRONG,
    packed,
    send,
)
from .rights import DEATH_SIGNAL, DUMPABLE, become, prctl

# The results of Linux-PAM (security/_pam_types.h) that say something of the user.
# Whatever is in neither set is no answer at all.
PAM_WRONG = frozenset((7, 10, 11))  # AUTH_ERR, USER_UNKNOWN, MAXTRIES
PAM_DISABLED = frozenset((6, 12, 13, 16, 27))  # PERM_DENIED, NEW_AUTHTOK_REQD, expired
PAM_SILENT = 0x8000
PAM_DISALLOW_NULL_AUTHTOK = 1
PAM_TTY, PAM_RHOST, PAM_FAIL_DELAY = 3, 4, 10

SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SERVICE_FOLDERS = ("/etc/pam.d", "/usr/lib/pam.d")

# libpam itself would sleep for seconds after a wrong password.  The server slows down
# those who guess; a child that sleeps would only keep others out.
fail_at_once = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)(
    lambda result, delay, data: None
)


def keep_memory_to_ourselves() -> None:
    """No core dump and no debugger shows a password."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl(DUMPABLE, 0)


def end_with(parent: int) -> None:
    """Be killed when the process that forked us ends; a store agent outlives it, as
    rights that change take this back."""
    prctl(DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


# -- passwords --------------------------------------------------------------------


def verify(settings: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, str]:
    """What PAM says: of the password first, then of the account.

    `user` is text, `password` octets as Latin-1."""
    service, user = str(request["service"]), str(request["user"])
    password = str(request["password"]).encode("latin-1")
    if pamela is None:
        return {"fault": "pamela is not installed: pip install mailtwist[pam]"}
    if not SERVICE.fullmatch(service):
        return {"fault": f"{service!r} is no name of a PAM service"}
    if settings["services"] is not None and service not in settings["services"]:
        return {"fault": f"no source asks the PAM service {service}"}
    if not exists(service):
        return missing(service)
    if not user or "\0" in user or not password or b"\0" in password:
        return {"verdict": WRONG}
    if below(user, int(settings["least_uid"])):
        return {"verdict": WRONG}
    try:
        result = asked(
            service, user, password, str(request["host"]), str(request["protocol"])
        )
    except pamela.PAMError as fault:
        return {"fault": f"PAM service {service}: {fault.message}"}
    if not exists(service):  # it may have gone before libpam looked for it
        return missing(service)
    if result == 0:
        return {"verdict": RIGHT}
    if result in PAM_WRONG:
        return {"verdict": WRONG}
    if result in PAM_DISABLED:
        return {"verdict": DISABLED}
    why = pamela.pam_strerror(pamela.PamHandle(), result)
    return {"fault": f"PAM service {service}: {why}"}


def exists(service: str) -> bool:
    """False if libpam would take the service "other" instead, which asks for who knows
    what."""
    return any(os.path.exists(f"{folder}/{service}") for folder in SERVICE_FOLDERS)


def missing(service: str) -> dict[str, str]:
    return {"fault": f"there is no /etc/pam.d/{service}"}


def below(user: str, least_uid: int) -> bool:
    """True if the system knows `user` by a uid that is not for mail.

    A name that the system does not know may still be known to a PAM module."""
    try:
        return pwd.getpwnam(user).pw_uid < least_uid
    except (KeyError, ValueError):
        return False


def asked(service: str, user: str, password: bytes, host: str, protocol: str) -> int:
    """The result of pam_authenticate(3), then of pam_acct_mgmt(3) if that was 0.

    Raises PAMError if PAM cannot even start."""
    converse = pamela.new_simple_password_conv((password,), "utf-8")
    handle = pamela.pam_start(service, user, conv_func=converse)
    result = 0
    try:
        pamela.PAM_SET_ITEM(
            handle, PAM_FAIL_DELAY, ctypes.cast(fail_at_once, ctypes.c_char_p)
        )
        handle.set_item(PAM_TTY, protocol or "mail")
        if host:
            handle.set_item(PAM_RHOST, host)
        flags = PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK
        result = pamela.PAM_AUTHENTICATE(handle, flags)
        if result == 0:
            result = pamela.PAM_ACCT_MGMT(handle, flags)
            if result in PAM_WRONG:  # the password was right
                return 6
        return int(result)
    finally:
        pamela.PAM_END(handle, result)


# -- store agents -----------------------------------------------------------------


def agent(
    settings: Mapping[str, Any], request: Mapping[str, Any], answer: socket.socket
) -> dict[str, str]:
    """Become the agent of `uid` and `gid`, and answer with the other end of its socket.

    Returns only if that cannot be."""
    uid, gid = int(request["uid"]), int(request["gid"])
    command = [
        str(word).replace("{uid}", str(uid)).replace("{gid}", str(gid))
        for word in settings["agent"]
    ]
    environment = dict(settings["environment"])
    try:
        least_uid = uid if uid in settings["others"] else int(settings["least_uid"])
        name, home = account_of(uid, gid, least_uid, settings["groups"])
        if settings["data"]:
            agent_folder(settings["data"], uid, gid)
        locks = None
        if request.get("spool") and settings["spool_gid"]:
            path = str(request["spool"])
            locks = spool_process(path, uid, int(settings["spool_gid"]))
        become(uid, gid, name)
        os.chdir("/")
        reachable([*command, *environment.values()])
    except (OSError, Refused) as fault:
        return {"fault": f"no store agent for uid {uid}, gid {gid}: {fault}"}
    environment["HOME"] = home
    if name:
        environment |= {"USER": name, "LOGNAME": name}
    ours, theirs = socket.socketpair()
    send(answer, packed({"good": True}), [ours.fileno()])
    ours.close()  # it may have the number that theirs is to have
    os.dup2(theirs.fileno(), DESCRIPTOR)
    os.set_inheritable(DESCRIPTOR, True)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(DESCRIPTOR):
        os.dup2(null, descriptor)
    first_free = DESCRIPTOR + 1
    if locks is not None:
        os.dup2(locks, first_free)
        os.set_inheritable(first_free, True)
        environment[SPOOL_VARIABLE] = f"{first_free}:{request['spool']}"
        first_free += 1
    os.closerange(first_free, highest_descriptor() + 1)
    os.execve(command[0], command, environment)  # noqa: S606 - there is no shell
    raise AssertionError("execve returned")


def spool_process(path: str, uid: int, gid: int) -> int | None:
    """The agent's end of a process that has the group of a spool to lock `path`, above
    all descriptors that have a number to be; None if we are not root."""
    if os.geteuid() != 0:
        return None
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork():
        theirs.close()
        end = fcntl.fcntl(ours.fileno(), fcntl.F_DUPFD_CLOEXEC, DESCRIPTOR + 2)
        ours.close()
        return int(end)
    try:
        prctl(DEATH_SIGNAL, 0)  # it ends when its socket closes
        become(uid, gid, "")
        os.chdir("/")
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(DESCRIPTOR):
            os.dup2(null, descriptor)
        os.dup2(theirs.fileno(), DESCRIPTOR)
        os.closerange(DESCRIPTOR + 1, highest_descriptor() + 1)
        spool.serve(socket.socket(fileno=DESCRIPTOR), path, uid, gid)
    finally:
        os._exit(0)


def reachable(command: Sequence[str]) -> None:
    """Raises Refused if these rights do not reach the program."""
    if not command:
        raise Refused("no program is named")
    for word in command:
        path = word.startswith("/") and ":" not in word
        if path and not os.access(word, os.R_OK):
            raise Refused(f"{word} cannot be read with these rights")


class Refused(Exception):
    """Nobody may have such an agent."""


def account_of(
    uid: int, gid: int, least_uid: int, more: Sequence[int] = ()
) -> tuple[str, str]:
    """(name, home) of the user; the name is empty for one the system does not know.

    Raises Refused for a uid that is not for mail, and for a gid that the user does not
    have and that is none of those given to users, nor one of `more`."""
    if uid < max(1, least_uid):
        raise Refused(f"the uid is below {least_uid}")
    try:
        known = pwd.getpwuid(uid)
    except KeyError:
        name, home, groups = "", "/", []
    else:
        name, home = known.pw_name, known.pw_dir
        groups = os.getgrouplist(name, known.pw_gid)
    if gid <= 0 or (gid < least_uid and gid not in groups and gid not in more):
        raise Refused("it is not a group of that user")
    return name, home


def highest_descriptor() -> int:
    return max(int(name) for name in os.listdir("/proc/self/fd"))


# -- files ------------------------------------------------------------------------


def open_file(
    settings: Mapping[str, Any], request: Mapping[str, Any]
) -> tuple[dict[str, Any], list[int]]:
    """A descriptor for reading one of the files that were named at the start."""
    path = str(request["path"])
    if path not in settings["files"]:
        return {"fault": "a file that the configuration does not name"}, []
    try:
        owner = os.stat(os.path.dirname(path)).st_uid
        if os.geteuid() == 0 != owner:  # who could put a link there to what is not his
            os.setgroups([])
            os.seteuid(owner)
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as fault:
        return {"errno": fault.errno, "fault": f"{path}: {fault.strerror}"}, []
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        return {"fault": f"{path} is no file"}, []
    return {"good": True}, [opened]
