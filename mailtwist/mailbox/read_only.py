"""Somebody's mailboxes for a login that may look and change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from twisted.python.components import proxyForInterface

from ..errors import MailboxReadOnly, NotPermitted
from .interfaces import IMailbox, IMailboxes
from .model import INBOX, Path

AllMailboxes: Any = proxyForInterface(IMailboxes, "_all")
OneMailbox: Any = proxyForInterface(IMailbox, "_open")


class ReadOnlyMailboxes(AllMailboxes):
    """Every mailbox opens as by EXAMINE, and the tree stays as it is."""

    async def open(self, path: Path, *, read_only: bool = False) -> IMailbox:
        mailbox = await self._all.open(path, read_only=True)
        one: IMailbox = ReadOnlyMailbox(mailbox)
        return one

    async def _refused(self, *what: object) -> NoReturn:
        raise NotPermitted()

    create = delete = rename = subscribe = unsubscribe = append = _refused
    reset_access_keys = set_metadata = set_limits = recount = _refused

    async def access_key(self, path: Path, *, make: bool = False) -> bytes | None:
        if make:
            raise NotPermitted()
        key: bytes | None = await self._all.access_key(path)
        return key

    def upload(self, path: Path = INBOX) -> NoReturn:
        raise NotPermitted()


class ReadOnlyMailbox(OneMailbox):
    """What EXAMINE allows but for copies, which would stay in the account."""

    async def copy(self, uids: Sequence[int], target: Path) -> NoReturn:
        raise NotPermitted()

    async def replace(self, uid: int, target: Path, message: object) -> NoReturn:
        raise MailboxReadOnly()

    async def move(self, uids: Sequence[int], target: Path) -> NoReturn:
        raise MailboxReadOnly()
