"""IMailboxPOP3 over an IMailAccount."""

from __future__ import annotations

from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import IO, Any, cast

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.mail.interfaces import IMailboxPOP3
from zope.interface import implementer

from ..interfaces import IMailAccount
from .model import INBOX, Range

log = Logger()

CHUNK = 128 * 1024
MOST_IN_MEMORY = 1024 * 1024  # octets of a message in memory; the rest goes to a file


async def pop3_mailbox(account: IMailAccount) -> CompatMaildrop:
    """The INBOX of `account` as it is now."""
    mailboxes: Any = account.mailboxes
    mailbox = await mailboxes.open(INBOX)
    rows = await mailbox.rows()
    return CompatMaildrop(mailbox, rows.uids, rows.octets)


@implementer(IMailboxPOP3)
class CompatMaildrop:
    """A snapshot; what is deleted goes at `sync`.

    Indexes count from 0.  IndexError tells one that is not there.
    """

    def __init__(self, mailbox: Any, uids: list[int], sizes: list[int]) -> None:
        self._mailbox, self._uids, self._sizes = mailbox, uids, sizes
        self._deleted: set[int] = set()

    # mypy-zope takes the first argument of an overload in an interface for self.
    def listMessages(  # type: ignore[override]
        self, i: int | None = None
    ) -> int | list[int]:
        """Octets of one message or of each; 0 for deleted ones."""
        if i is not None:
            self._check(i)
            return 0 if i in self._deleted else self._sizes[i]
        return [0 if n in self._deleted else s for n, s in enumerate(self._sizes)]

    def getMessage(self, index: int) -> Deferred[IO[bytes]]:
        """A file of the message, with LF line ends: Twisted's POP3 makes them CRLF."""
        self._check(index)
        return Deferred.fromCoroutine(self._read(self._uids[index]))

    async def _read(self, uid: int) -> IO[bytes]:
        at, carried = 0, b""
        with ExitStack() as stack:
            file = stack.enter_context(SpooledTemporaryFile(MOST_IN_MEMORY))
            while True:
                octets = (await self._mailbox.octets([Range(uid, at, CHUNK)]))[0]
                if octets is None:
                    raise ValueError("The message is gone")
                at += len(octets)
                last = len(octets) < CHUNK
                octets = carried + octets
                carried = b"\r" if octets.endswith(b"\r") and not last else b""
                octets = octets.removesuffix(carried)
                file.write(octets.replace(b"\r\n", b"\n"))
                if last:
                    break
            file.seek(0)
            stack.pop_all()  # the caller closes it
        return cast(IO[bytes], file)

    def getUidl(self, index: int) -> bytes:
        """The same unique id as our own POP3 gives."""
        self._check(index)
        return b"%d.%d" % (self._mailbox.uid_validity, self._uids[index])

    def deleteMessage(self, index: int) -> None:
        self._check(index)
        self._deleted.add(index)

    def undeleteMessages(self) -> None:
        self._deleted.clear()

    def sync(self) -> Deferred[None]:
        """Remove what was deleted, all or nothing.

        The Deferred tells when it is done; Twisted's POP3 does not wait for it, so a
        fault is logged here."""
        doomed = [self._uids[i] for i in sorted(self._deleted)]
        done = Deferred.fromCoroutine(self._expunge(doomed))
        done.addErrback(lambda f: log.failure("removing deleted messages", f))
        return done

    async def _expunge(self, doomed: list[int]) -> None:
        if doomed:
            await self._mailbox.expunge(doomed)

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self._uids):
            raise IndexError(f"no message {index}")
