"""Whom a command or a file of an alias runs as."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen

from ..errors import MailError
from ..interfaces import IDirectory


@frozen
class Identity:
    """uid and gid are None for the server's own."""

    name: str
    home: str
    uid: int | None = None
    gid: int | None = None


class Identities:
    """Looks users up in threads, as the system may ask a network for them.

    `becomes()` is false for a server that cannot run anything as somebody else: one
    that never was root, whose commands are its own user's."""

    def __init__(
        self,
        directory: IDirectory,
        command_user: str,
        in_thread: Callable[..., Awaitable[Any]],
        becomes: Callable[[], bool],
        spool_group: str = "",
    ) -> None:
        self._spool_group = spool_group
        self._directory, self._command_user = directory, command_user
        self._in_thread, self._becomes = in_thread, becomes

    async def of(self, run_as: str, writes: str = "") -> Identity:
        """`run_as` as in Target: an account, or "" for the administrator's lists.

        Who `writes` the account's own mbox has the group of the spool it lies in, if
        that is `spool_group`.  Raises MailError: nothing ever runs as root."""
        home, name = "/", run_as.partition("@")[0]
        if run_as:
            account = await self._directory.account(run_as)
            if account is None:
                raise MailError("Account is not there any more", status="5.1.1")
            home = account.home
            if account.uid is not None and account.uid != os.geteuid():
                gid = account.gid
                if writes and account.is_mbox and writes == account.mailbox_path:
                    gid = await self._in_thread(
                        spool_gid, writes, self._spool_group, gid
                    )
                return Identity(name, home, account.uid, gid)
        if not self._becomes():
            return Identity(name, home)
        found: Identity = await self._in_thread(
            identity, name, home, self._command_user
        )
        return found


def identity(name: str, home: str, command_user: str) -> Identity:
    """The owner of the account's home, or the configured user: never root, and never
    the server's, who may read everybody's mail."""
    try:
        if name and (owner := os.stat(home).st_uid) not in (0, os.geteuid()):
            return Identity(name, home, owner, pwd.getpwuid(owner).pw_gid)
        user = pwd.getpwnam(command_user)
    except (KeyError, OSError) as fault:
        raise MailError("User of the command is not known", status="4.3.5") from fault
    if user.pw_uid == 0:
        raise MailError("Commands do not run as root", status="4.3.5")
    return Identity(user.pw_name, user.pw_dir, user.pw_uid, user.pw_gid)


def gid_of(group: str) -> int | None:
    """None for one that the system does not have, and for root's."""
    try:
        return grp.getgrnam(group).gr_gid or None
    except KeyError:
        return None


def spool_gid(path: str, group: str, gid: int | None) -> int | None:
    """`gid`, or that of `group` if it is what lets write into a folder of root's."""
    known = gid_of(group)
    try:
        folder = os.stat(os.path.dirname(path))
    except OSError:
        return gid
    asks = folder.st_mode & stat.S_IWGRP and not folder.st_mode & stat.S_IWOTH
    return known if asks and folder.st_uid == 0 and folder.st_gid == known else gid
