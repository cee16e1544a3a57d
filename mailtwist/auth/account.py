"""The avatar: one logged-in account."""

from __future__ import annotations

from typing import Any

from attrs import define, evolve, field
from zope.interface import implementer

from ..address import Address
from ..delivery.model import LocalRecipient
from ..directory.model import Account
from ..errors import BadAddress
from ..flags import SEEN
from ..interfaces import IDirectory, IMailAccount
from ..mailbox.interfaces import IMailboxes, IRights, IStore
from ..mailbox.linked import ILinkedStore, Links
from ..mailbox.model import Path
from ..mailbox.read_only import ReadOnlyMailboxes
from ..mailbox.shared import SharedMailboxes
from ..mailbox.sharing import Reader, Sharing
from .names import account_key, login_key

SENT: Path = ("Sent",)


@implementer(IMailAccount)
@define
class MailAccount:
    """One login's view of an account; holds nothing that a logout must free.

    One that is `read_only` changes nothing in the mailboxes, and came without a name.
    With `sharing` it sees what others share, too."""

    account: Account
    store: IStore
    directory: IDirectory
    separator: str = "+"
    read_only: bool = False
    sharing: Sharing | None = None
    _mailboxes: IMailboxes | None = field(
        default=None, init=False, eq=False, repr=False
    )

    @property
    def mailboxes(self) -> IMailboxes:
        """Made when first asked for: who only submits mail needs none."""
        if self._mailboxes is None:
            self._mailboxes = self._made()
        return self._mailboxes

    def _made(self) -> IMailboxes:
        mailboxes = self.store.mailboxes(self.account)
        if self.sharing is not None and IRights.providedBy(mailboxes):
            deleted: Any = None
            if self.sharing.names.deleted:
                deleted = self.store.mailboxes(evolve(self.account, deleted=True))
            names, clock = self.sharing.names, self.sharing.clock
            links = None
            if ILinkedStore.providedBy(self.store):
                links = Links(self.store, self.account, names.shared, clock)
            mailboxes = SharedMailboxes(
                mailboxes, self._reader, self.sharing, deleted, links
            )
        if not self.read_only:
            return mailboxes
        only: IMailboxes = ReadOnlyMailboxes(mailboxes)
        return only

    @property
    def _reader(self) -> Reader:
        name, groups = self.account.name, self.account.groups
        return Reader.of(login_key(name), groups, anonymous=self.read_only)

    @property
    def identifiers(self) -> frozenset[str]:
        """See IMailAccount."""
        return self._reader.identifiers

    async def may_send_as(self, address: Address) -> bool:
        """The account's own address, a subaddress of it, one of `send_as`, or one that
        it was let send from.

        "@domain" in `send_as` stands for every address there.  What looks like a
        subaddress but has an account of its own belongs to that one.
        """
        said = account_key(address)
        if said == self.account.name or said in self._allowed():
            return True
        if f"@{address.domain}" in self.account.send_as:
            return True
        if await self._was_let(said):
            return True
        owner = await self.directory.account_for(address)
        if owner is not None:
            return owner.name == self.account.name
        user, mark, _ = address.local_part.partition(self.separator or "\0")
        if not mark:
            return False
        base = Address(user, address.domain)
        return self._is_own(base) or await self._was_let(account_key(base))

    async def sent_copy(self, address: Address) -> LocalRecipient | None:
        """In the Sent of an address that others share, if it is to keep them."""
        said = account_key(address)
        if self.sharing is None or said == self.account.name or said in self._allowed():
            return None
        if not await self.sharing.shares.keeps_sent(said):
            return None
        owner = await self.directory.account_for(address)
        if owner is None or not owner.enabled:
            return None
        seen = frozenset({SEEN})
        return LocalRecipient(address, owner, path=SENT, flags=seen, sorted=True)

    async def _was_let(self, address: str) -> bool:
        """True if the address is shared with this account."""
        if self.sharing is None:
            return False
        return await self.sharing.shares.may_send_as(self.identifiers, address)

    def _is_own(self, address: Address) -> bool:
        return account_key(address) == account_key(Address.parse(self.account.name))

    def _allowed(self) -> set[str]:
        allowed = set()
        for text in (self.account.name, *self.account.send_as):
            try:
                allowed.add(account_key(Address.parse(text)))
            except BadAddress:  # "@domain", or an account without a domain
                continue
        return allowed
