"""IAccountIMAP over an IMailAccount."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from twisted.mail.imap4 import MailboxException
from twisted.mail.interfaces import (
    IAccountIMAP,
    IMailboxIMAPInfo,
    INamespacePresenter,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import MailboxFault, MailError
from ..imap4.names import Matcher, join, split
from ..interfaces import IMailAccount
from .compat_imap_mailbox import CompatMailbox
from .model import MailboxInfo, Path

log = Logger()

DELIMITER = "/"

T = TypeVar("T")


@implementer(IAccountIMAP, INamespacePresenter)
class CompatAccount:
    """The mailboxes of an account, by their names with "/".

    What changes the tree is done in order, one after another.  Twisted's IMAP4Server
    takes a Deferred for success, so faults that the last known listing shows are raised
    at once, and a later one is logged.
    """

    def __init__(self, account: IMailAccount) -> None:
        self._mailboxes: Any = account.mailboxes
        self._lock = DeferredLock()
        self._listed: dict[Path, MailboxInfo] = {}
        self._run(self._look, told=True)

    # -- IAccountIMAP -----------------------------------------------------------

    def addMailbox(self, name: str, mbox: object = None) -> Any:
        """As create; a mailbox object of one's own cannot be stored."""
        if mbox is not None:
            raise MailboxException("Mailboxes are made by the store")
        return self.create(name)

    def create(self, pathspec: str) -> Any:
        path = _path(pathspec.removesuffix(DELIMITER))
        known = self._listed.get(path)
        if known is not None and known.selectable:
            raise MailboxException("Mailbox exists already")
        return self._change(lambda: self._mailboxes.create(path))

    def delete(self, name: str) -> Any:
        path = _path(name)
        self._need(path)
        return self._change(lambda: self._mailboxes.delete(path))

    def rename(self, oldname: str, newname: str) -> Any:
        old, new = _path(oldname), _path(newname)
        self._need(old)
        if new in self._listed and self._listed[new].exists:
            raise MailboxException("Mailbox exists already")
        return self._change(lambda: self._mailboxes.rename(old, new))

    def subscribe(self, name: str) -> Any:
        path = _path(name)
        return self._change(lambda: self._mailboxes.subscribe(path))

    def unsubscribe(self, name: str) -> Any:
        path = _path(name)
        return self._change(lambda: self._mailboxes.unsubscribe(path))

    def isSubscribed(self, name: str) -> bool:
        """By the last listing; `listMailboxes` makes a new one."""
        known = self._listed.get(_path(name))
        return known is not None and known.subscribed

    def select(
        self, name: str, rw: bool | int = True
    ) -> Deferred[CompatMailbox | None]:
        """The mailbox, loaded; None if it cannot be selected."""
        return self._run(lambda: self._select(name, bool(rw)))

    async def _select(self, name: str, rw: bool) -> CompatMailbox | None:
        try:
            path = split(name, DELIMITER)
            mailbox = await self._mailboxes.open(path, read_only=not rw)
        except MailboxFault:
            return None
        return await CompatMailbox.load(self._mailboxes, mailbox)

    def listMailboxes(
        self, ref: str, wildcard: str
    ) -> Deferred[list[tuple[str, CompatInfo]]]:
        return self._run(lambda: self._list(ref, wildcard))

    async def _list(self, ref: str, wildcard: str) -> list[tuple[str, CompatInfo]]:
        await self._look()
        matcher = Matcher(ref, [wildcard], DELIMITER)
        return [
            (join(path, DELIMITER), CompatInfo(info))
            for path, info in self._listed.items()
            if matcher.matches(path)
        ]

    # -- INamespacePresenter ----------------------------------------------------

    def getPersonalNamespaces(self) -> list[list[bytes]]:
        return [[b"", DELIMITER.encode()]]

    def getSharedNamespaces(self) -> None:
        """There are none."""

    def getUserNamespaces(self) -> None:
        """There are none."""

    # -- inside -----------------------------------------------------------------

    def _need(self, path: Path) -> None:
        if self._listed and path not in self._listed:
            raise MailboxException("No such mailbox")

    async def _look(self) -> None:
        self._listed = {info.path: info for info in await self._mailboxes.listed()}

    def _change(self, change: Callable[[], Coroutine[Any, Any, object]]) -> Any:
        """Do it in turn, then look anew: True if it is done, else a Deferred of that.

        Raises MailboxException if it failed at once."""

        async def changed() -> bool:
            await change()
            await self._look()
            return True

        now: list[object] = []

        def fired(result: object) -> object:
            now.append(result)
            return result

        done = self._run(changed)
        done.addBoth(fired)
        if now and isinstance(now[0], Failure):
            done.addErrback(lambda failure: None)  # told by the exception
            now[0].raiseException()
        return True if now else done

    def _run(
        self, work: Callable[[], Coroutine[Any, Any, T]], *, told: bool = False
    ) -> Deferred[T]:
        """Start `work` when what was begun before is done."""

        async def asked() -> T:
            try:
                return await work()
            except MailError as fault:
                raise MailboxException(fault.public) from fault

        done: Deferred[T] = self._lock.run(lambda: Deferred.fromCoroutine(asked()))
        if told:
            done.addErrback(lambda failure: log.failure("listing mailboxes", failure))
        return done


@implementer(IMailboxIMAPInfo)
class CompatInfo:
    """What LIST needs to know of a mailbox."""

    def __init__(self, info: MailboxInfo) -> None:
        self._info = info

    def getFlags(self) -> list[str]:
        """Name attributes, as LIST prints them."""
        noselect = [] if self._info.selectable else ["\\Noselect"]
        return noselect + sorted(self._info.special_uses)

    def getHierarchicalDelimiter(self) -> str:
        return DELIMITER


def _path(name: str | bytes) -> Path:
    """Raises MailboxException for a name that cannot be one."""
    text = name.decode() if isinstance(name, bytes) else name
    try:
        return split(text, DELIMITER)
    except MailError as fault:
        raise MailboxException(fault.public) from fault
