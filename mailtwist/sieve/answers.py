"""Answers to what scripts ask, from the rooms of the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Protocol

from ..address import Address
from ..directory.model import Account
from ..errors import BadMailboxName, MailboxFault, MailError
from ..imap4.names import nfc, split
from ..interfaces import ISpool, ITable
from ..mailbox.identifiers import mailbox_id
from ..mailbox.interfaces import IMailboxes
from ..mailbox.model import INBOX, MailboxInfo, Path
from .actions import Outcome, Target
from .check_values import address_of
from .compiled import Program
from .questions import (
    Annotations,
    Asking,
    Included,
    Listed,
    ListKnown,
    MailboxIdKnown,
    MailboxKnown,
    Pause,
    Question,
    Seen,
    UseKnown,
)

LIST_PREFIXES = ("urn:ietf:params:sieve:", "tag:", ":")


class Includes(Protocol):
    """Finds scripts that others include."""

    async def included(
        self, account: Account, name: str, shared: bool
    ) -> Program | None:
        """Raises ScriptError, MailError."""


async def drive(
    work: Asking[Outcome],
    answer: Callable[[Question], Awaitable[Any]],
    pause: Callable[[], Awaitable[Any]],
) -> Outcome:
    """What the interpreter ends with; faults of an answer are thrown into it."""
    said: Any = None
    try:
        question = next(work)
        while True:
            if isinstance(question, Pause):
                await pause()
                question = work.send(None)
                continue
            try:
                said = await answer(question)
            except MailError as fault:
                question = work.throw(fault)
            else:
                question = work.send(said)
    except StopIteration as done:
        outcome: Outcome = done.value
        return outcome


class Answers:
    """For one account and one message: the list of mailboxes is read once."""

    def __init__(
        self,
        account: Account,
        mailboxes: IMailboxes,
        *,
        spool: ISpool,
        includes: Includes,
        lists: Mapping[str, ITable],
        delimiter: str,
    ) -> None:
        self._account, self._mailboxes = account, mailboxes
        self._spool, self._includes, self._lists = spool, includes, lists
        self._delimiter = delimiter
        self._listed: list[MailboxInfo] | None = None

    async def to(self, question: Question) -> Any:
        """The answer.  Raises MailError for what cannot be looked at now."""
        match question:
            case MailboxKnown(name):
                return await self._info(name) is not None
            case MailboxIdKnown(object_id):
                return await self._by_id(object_id) is not None
            case UseKnown(use, None):
                return await self._by_use(use) is not None
            case UseKnown(use, str(mailbox)):
                info = await self._info(mailbox)
                return info is not None and _has_use(info, use)
            case Annotations(mailbox, name):
                return await self._annotation(mailbox, name)
            case Listed(lists, values):
                return await self._member(lists, values)
            case ListKnown(name):
                return self._table(name) is not None
            case Seen(key):
                return bool(await self._spool.remembered(self._account.name, [key]))
            case Included(name, shared):
                return await self._includes.included(self._account, name, shared)
        raise AssertionError(question)

    # -- mailboxes --------------------------------------------------------------------

    async def known(self) -> Collection[MailboxInfo]:
        if self._listed is None:
            infos = await self._mailboxes.listed()
            self._listed = [info for info in infos if info.selectable and info.exists]
        return self._listed

    def path_of(self, name: str) -> Path | None:
        """The path that a name in a script means; None if it can be none."""
        try:
            return nfc(split(name, self._delimiter))
        except (BadMailboxName, UnicodeError):
            return None

    async def _info(self, name: str) -> MailboxInfo | None:
        path = self.path_of(name)
        infos = await self.known()
        return next((info for info in infos if info.path == path), None)

    async def _by_id(self, object_id: str) -> MailboxInfo | None:
        for info in await self.known():
            if mailbox_id(info.object_id).decode() == object_id:
                return info
        return None

    async def _by_use(self, use: str) -> MailboxInfo | None:
        for info in await self.known():
            if _has_use(info, use):
                return info
        return None

    async def place(self, target: Target) -> Path | None:
        """Where to file, the mailbox made if that is wanted; None if there is none."""
        info = None
        if target.object_id:
            info = await self._by_id(target.object_id)
        if info is None and target.special_use:
            info = await self._by_use(target.special_use)
        if info is None:
            info = await self._info(target.name)
        if info is not None:
            return info.path
        path = self.path_of(target.name)
        if path == INBOX:
            return path
        if path is None or not target.create:
            return None
        try:
            use = target.special_use
            await self._mailboxes.create(path, frozenset({use} if use else ()))
            await self._mailboxes.subscribe(path)
        except MailboxFault as fault:
            if fault.temporary:
                raise
            return None
        self._listed = None
        return path

    async def _annotation(self, mailbox: str | None, name: str) -> str | None:
        path: Path | None = () if mailbox is None else self.path_of(mailbox)
        if path is None:
            return None
        try:
            found = await self._mailboxes.metadata(path, [name])
        except MailboxFault as fault:
            if fault.temporary:
                raise
            return None
        return found[0].value.decode("utf-8", "replace") if found else None

    # -- lists ------------------------------------------------------------------------

    def _table(self, name: str) -> ITable | None:
        """A list by the name of its table, with or without a prefix as of RFC 6134."""
        found = self._lists.get(name)
        if found is None and name.startswith(LIST_PREFIXES):
            found = self._lists.get(name.rpartition(":")[2])
        return found

    async def members(self, name: str) -> list[Address] | None:
        """The addresses in a list; None if there is none of that name that could be
        listed.  Raises LookupFailed."""
        table = self._table(name)
        keys = None if table is None else await table.keys()
        if keys is None:
            return None
        found = [address_of(key) for key in sorted(keys)]
        return [one for one in found if one is not None]

    async def _member(
        self, lists: tuple[str, ...], values: tuple[str, ...]
    ) -> str | None:
        for name in lists:
            table = self._table(name)
            if table is None:
                continue
            for value in values:
                address = address_of(value)
                keys = [value.lower()]
                if address is not None and not table.whole_keys:
                    keys.append(f"@{address.domain}")
                for key in keys:
                    if await table.find(key) is not None:
                        return value
        return None


def _has_use(info: MailboxInfo, use: str) -> bool:
    return use.lower() in {one.lower() for one in info.special_uses}
