"""Whom a command or a file of an alias runs as."""

from __future__ import annotations

import os
import pwd
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen

from ..errors import MailError
from ..interfaces import IDirectory


@frozen
class Identity:
    """uid and gid are None where the server is not root: then they are its own."""

    name: str
    home: str
    uid: int | None = None
    gid: int | None = None


class Identities:
    """Looks users up in threads, as the system may ask a network for them."""

    def __init__(
        self,
        directory: IDirectory,
        command_user: str,
        in_thread: Callable[..., Awaitable[Any]],
    ) -> None:
        self._directory, self._command_user = directory, command_user
        self._in_thread = in_thread

    async def of(self, run_as: str) -> Identity:
        """`run_as` as in Target: an account, or "" for the administrator's lists.

        Raises MailError: nothing ever runs as root."""
        home = "/"
        if run_as:
            account = await self._directory.account(run_as)
            if account is None:
                raise MailError("Account is not there any more", status="5.1.1")
            home = account.home
        found: Identity = await self._in_thread(
            identity, run_as, home, self._command_user
        )
        return found


def identity(run_as: str, home: str, command_user: str) -> Identity:
    """The owner of the account's home, or the configured user."""
    if os.geteuid() != 0:
        return Identity(run_as.partition("@")[0], home)
    try:
        user = pwd.getpwnam(command_user)
        if run_as and (owner := os.stat(home).st_uid) != 0:
            name, group = run_as.partition("@")[0], pwd.getpwuid(owner).pw_gid
            return Identity(name, home, owner, group)
    except (KeyError, OSError) as fault:
        raise MailError("User of the command is not known", status="4.3.5") from fault
    if user.pw_uid == 0:
        raise MailError("Commands do not run as root", status="4.3.5")
    return Identity(user.pw_name, user.pw_dir, user.pw_uid, user.pw_gid)
