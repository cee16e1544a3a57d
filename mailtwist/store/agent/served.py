"""The agent's end: does what frames ask of a store.

A request is [number, method, arguments, named arguments], its answer [number, True,
result] or [number, False, fault]; number 0 wants none.  The asking end names what is
made (an open mailbox, an upload, a message), so that it may go on before the answer.
[0, watch, modseq] tells of a change, [0, watch, path] of one in an account's tree.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...delivery.model import Envelope, LocalRecipient
from ...directory.model import Account
from ...errors import MailboxUnreachable, MailError
from ...flags import Flags
from ...interfaces import IMessageSink
from ...mailbox.interfaces import IMailbox, IStore
from ...mailbox.linked import ILinkedStore
from ...mailbox.model import Appended, Path
from .frames import Frames
from .listings import Part, Sent

log = Logger("mailtwist")

TREE = frozenset(
    ("create", "delete", "rename", "subscribe", "unsubscribe", "status")
    + ("usage", "quotas", "set_limits", "fits", "recount")
    + ("access_key", "reset_access_keys", "index_text", "check")
    + ("metadata", "set_metadata", "rights", "lists", "set_rights")
    + ("scripts", "script", "put_script", "remove_script", "rename_script")
    + ("activate_script",)
)
MAILBOX = frozenset(
    ("status", "rows", "changes", "take_recent", "rendered", "octets", "store_flags")
    + ("copy", "move", "expunge", "text_hits", "text_extracts")
    + ("seen_by", "see", "kept_threads", "keep_threads")
)
Forward = Callable[[Account, list[str]], Awaitable[tuple[str, str] | None]]


class Refused:
    """Takes octets whose place was refused: they are on their way already."""

    octets = 0

    def write(self, octets: bytes) -> None:
        return None

    async def shelve(self) -> None:
        return None

    async def commit(self) -> list[MailError | None]:
        raise MailboxUnreachable()

    def abort(self) -> None:
        return None


class StoreServer(Frames):
    """One connection; `place(account)` is the account as the store here has it, and
    `forward` reads its lists, `program` runs a command (see `program`).  `ended` is
    called when the connection is lost."""

    def __init__(
        self,
        store: IStore,
        *,
        place: Callable[[Account], Account] = lambda account: account,
        forward: Forward | None = None,
        program: Callable[..., Any] | None = None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._run = program
        self._store, self._place, self._ended = store, place, ended
        self._read_forward = forward
        self._mailboxes: dict[int, IMailbox] = {}
        self._writers: dict[int, Any] = {}
        self._watches: dict[int, Callable[[], None]] = {}
        self._sent = Sent()
        self._lost = False
        self._methods: dict[str, Callable[..., Any]] = {
            "tree": self._tree,
            "listed": self._listed,
            "listed_part": self._listed_part,
            "mailbox": self._mailbox,
            "open": self._open,
            "close": self._close,
            "watch": self._watch,
            "watch_tree": self._watch_tree,
            "end_watch": self._end_watch,
            "upload": self._upload,
            "append": self._append,
            "replace": self._replace,
            "begin": self._begin,
            "deliver": self._deliver,
            "program": self._program,
            "write": lambda number, octets: self._writers[number].write(octets),
            "shelve": lambda number: self._writers[number].shelve(),
            "commit": self._commit,
            "abort": self._abort,
            "forward": self._forward,
            "linked": self._linked,
            "active_script": lambda account: self._store.active_script(
                self._place(account)
            ),
            "end": lambda: self.transport.loseConnection(),
        }

    def received(self, value: Any) -> None:
        number, method, arguments, named = value
        asked = Deferred.fromCoroutine(self._do(method, arguments, named))
        asked.addCallbacks(
            lambda result: self._answer(number, True, result),
            lambda failure: self._failed(failure, number),
        )

    async def _do(self, method: str, arguments: Any, named: Any) -> Any:
        result = self._methods[method](*arguments, **dict(named))
        return await result if isawaitable(result) else result

    def _failed(self, failure: Failure, number: int) -> None:
        fault = failure.value
        if not isinstance(fault, MailError):
            if not failure.check(CancelledError):
                log.failure("a request to a store agent", failure)
            fault = MailError()
        self._answer(number, False, fault)

    def _answer(self, number: int, good: bool, result: Any) -> None:
        if not number or self._lost:
            return
        try:
            self.send([number, good, result])
        except (TypeError, ValueError):
            log.failure("an answer of a store agent")
            self.send([number, False, MailError()])

    # -- trees and mailboxes --------------------------------------------------

    def _tree(
        self, account: Account, method: str, *arguments: Any, **named: Any
    ) -> Any:
        if method not in TREE:
            raise MailError()
        tree = self._store.mailboxes(self._place(account))
        return getattr(tree, method)(*arguments, **named)

    async def _listed(self, account: Account, number: int) -> Part:
        place = self._place(account)
        listing = await self._store.mailboxes(place).listed()
        return self._sent.begun(place.home, listing, number)

    def _listed_part(self, account: Account, number: int, start: int) -> Part:
        return self._sent.part(self._place(account).home, number, start)

    def _mailbox(self, number: int, method: str, *arguments: Any, **named: Any) -> Any:
        if method not in MAILBOX:
            raise MailError()
        return getattr(self._mailboxes[number], method)(*arguments, **named)

    async def _open(
        self, account: Account, number: int, path: Path, read_only: bool
    ) -> tuple[Path, str, int, bool]:
        tree = self._store.mailboxes(self._place(account))
        mailbox = await tree.open(path, read_only=read_only)
        self._mailboxes[number] = mailbox
        return mailbox.path, mailbox.object_id, mailbox.uid_validity, mailbox.read_only

    async def _close(self, number: int) -> None:
        mailbox = self._mailboxes.pop(number, None)
        if mailbox is not None:
            await mailbox.close()

    def _watch(self, number: int, watch: int) -> None:
        def changed(modseq: int) -> None:
            if not self._lost:
                self.send([0, watch, modseq])

        self._watches[watch] = self._mailboxes[number].watch(changed)

    async def _watch_tree(self, account: Account, watch: int) -> None:
        def changed(path: Path | None) -> None:
            if not self._lost:
                self.send([0, watch, path])

        tree = self._store.mailboxes(self._place(account))
        end = await tree.watch(changed, lambda: None)
        if self._lost:
            end()
        else:
            self._watches[watch] = end

    def _end_watch(self, watch: int) -> None:
        end = self._watches.pop(watch, None)
        if end is not None:
            end()

    # -- octets that come -----------------------------------------------------

    def _upload(self, number: int, account: Account) -> None:
        self._writers[number] = Refused()
        self._writers[number] = self._store.mailboxes(self._place(account)).upload()

    async def _append(
        self,
        account: Account,
        path: Path,
        messages: list[tuple[int, Flags, int | None]],
    ) -> Appended:
        tree = self._store.mailboxes(self._place(account))
        uploads: list[tuple[Any, Flags, int | None]] = [
            (self._writers.pop(number), flags, date) for number, flags, date in messages
        ]
        return await tree.append(path, uploads)

    async def _replace(
        self,
        number: int,
        uid: int,
        target: Path,
        message: tuple[int, Flags, int | None],
    ) -> Appended:
        upload: Any = self._writers.pop(message[0])
        return await self._mailboxes[number].replace(
            uid, target, (upload, *message[1:])
        )

    def _begin(self, number: int, envelope: Envelope) -> None:
        self._writers[number] = Refused()
        self._writers[number] = self._sink(envelope)

    def _sink(self, envelope: Envelope) -> IMessageSink:
        recipients = tuple(
            evolve(each, account=self._place(each.account))
            if isinstance(each, LocalRecipient)
            else each
            for each in envelope.recipients
        )
        return self._store.delivery().begin(evolve(envelope, recipients=recipients))

    async def _deliver(self, envelope: Envelope, octets: bytes) -> list[Any]:
        """All of a message at once."""
        sink = self._sink(envelope)
        waiting = sink.write(octets)
        if waiting is not None:
            await waiting
        return list(await sink.commit())

    def _program(self, number: int, *arguments: Any) -> None:
        self._writers[number] = Refused()
        if self._run is not None:
            self._writers[number] = self._run(*arguments)

    async def _commit(self, number: int) -> list[Any]:
        sink: Any = self._writers.pop(number)
        return list(await sink.commit())

    def _abort(self, number: int) -> None:
        writer = self._writers.pop(number, None)
        if writer is not None:
            writer.abort()

    def _forward(self, account: Account, names: list[str]) -> Any:
        return (
            None if self._read_forward is None else self._read_forward(account, names)
        )

    def _linked(self, account: Account) -> Any:
        if not ILinkedStore.providedBy(self._store):
            return None
        store: Any = self._store
        return store.linked(self._place(account))

    # -- the end --------------------------------------------------------------

    def connectionLost(self, reason: Any = None) -> None:
        """What was begun is finished; what was not committed is forgotten."""
        self._lost = True
        for writer in self._writers.values():
            writer.abort()
        self._writers.clear()
        for end in self._watches.values():
            end()
        self._watches.clear()
        for mailbox in self._mailboxes.values():
            Deferred.fromCoroutine(mailbox.close()).addErrback(
                lambda failure: log.failure("closing a mailbox", failure)
            )
        self._mailboxes.clear()
        self._ended()
