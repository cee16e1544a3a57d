"""The archives: a public folder with a mailbox for each list.

Members know themselves in its lists of rights as the group `list:dev@example.org`, the
owners and moderators as `list-owners:dev@example.org`; who logs in gets these groups
(`groups_of`).
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

from twisted.logger import Logger

from ..address import Address
from ..delivery.model import Envelope, LocalRecipient
from ..delivery.sinks import verdicts_of
from ..directory.model import Account
from ..errors import BadAddress, MailboxExists, MailError, NoSuchUser
from ..mailbox.interfaces import IRights, IStore
from ..mailbox.model import Path
from ..mailbox.rights import ANYONE, GROUP, Action, RightsChange, parsed
from . import chores
from .addressing import ARCHIVE, meanings
from .model import MODERATOR, OWNER, MailingList
from .store import ListStore

log = Logger("mailtwist")

READ, KEEP = "lrs", "lrswipkxte"
MEMBERS, OWNERS = "list:", "list-owners:"


def path_of(mailing_list: MailingList) -> Path:
    """The mailbox of a list in the public folder."""
    return (str(mailing_list.address),)


def rights_of(mailing_list: MailingList) -> dict[str, str]:
    """The letters of each identifier of a list's archive."""
    address, options = mailing_list.address, mailing_list.options
    access = options.archive_access
    return {
        ANYONE: READ if access == "public" else "",
        f"{GROUP}{MEMBERS}{address}": READ if access == "members" else "",
        f"{GROUP}{OWNERS}{address}": KEEP,
    }


class Archive:
    """`account` is the public folder's; its mail is in `mail`."""

    def __init__(self, lists: ListStore, mail: IStore, account: Account) -> None:
        self._lists, self._mail, self.account = lists, mail, account

    async def put(self, address: Address, octets: bytes, message_id: str) -> None:
        """A post into the mailbox of its list; raises MailError."""
        meant = [m for m in meanings(address.local_part) if m.function == ARCHIVE]
        found = await self._lists.find(meant, address.domain)
        if found is None:
            raise NoSuchUser("No mailing list of that name here")
        mailing_list = found[0]
        path = await self._mailbox(mailing_list)
        recipient = LocalRecipient(
            mailing_list.address, self.account, path=path, sorted=True
        )
        sink = self._mail.delivery().begin(
            Envelope(
                message_id, message_id, None, (recipient,), size_octets=len(octets)
            )
        )
        try:
            slow = sink.write(octets)
            if slow is not None:
                await slow
        except BaseException:
            sink.abort()
            raise
        for fault in await verdicts_of(sink, 1):
            if fault is not None:
                raise fault

    async def _mailbox(self, mailing_list: MailingList) -> Path:
        """The list's mailbox, made if it is not there."""
        path, tree = path_of(mailing_list), self._tree
        for info in await tree.listed():
            if info.path == path and info.selectable:
                return path
        with suppress(MailboxExists):
            await tree.create(path)
        await self._give(mailing_list)
        return path

    @property
    def _tree(self) -> IRights:
        mailboxes: Any = self._mail.mailboxes(self.account)
        tree: IRights = mailboxes
        return tree

    async def give_rights(self) -> None:
        """Let the right people read the archives of lists that changed."""
        for mailing_list in await self._lists.read(chores.rights_due):
            try:
                if mailing_list.options.archive:
                    await self._mailbox(mailing_list)
                    await self._give(mailing_list)
            except MailError as fault:
                log.error(
                    "the archive of {list}: {public}",
                    list=str(mailing_list.address),
                    public=fault.public,
                )
                continue
            await self._lists.write(
                partial(chores.rights_given, number=mailing_list.number)
            )

    async def _give(self, mailing_list: MailingList) -> None:
        path, tree = path_of(mailing_list), self._tree
        held = await tree.rights(path)
        for identifier, letters in rights_of(mailing_list).items():
            wanted = parsed(letters)
            if held.get(identifier, frozenset()) != wanted:
                change = RightsChange(Action.REPLACE, wanted)
                await tree.set_rights(path, identifier, change, {})

    async def groups_of(self, account: Account) -> frozenset[str]:
        """The groups that a login is in because of lists; none if they cannot be
        asked now."""
        try:
            address = Address.parse(account.name)
            on = await self._lists.memberships(address)
            runs = await self._lists.roles_of(address)
        except (BadAddress, MailError):
            return frozenset()
        return frozenset(
            {f"{MEMBERS}{one.address}" for one, _ in on}
            | {
                f"{OWNERS}{one.address}"
                for one, role in runs
                if role in (OWNER, MODERATOR)
            }
        )
