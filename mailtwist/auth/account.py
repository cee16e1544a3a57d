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
from .senders import SendAs

SENT: Path = ("Sent",)
ANY = "*"  # in `send_as`: every address


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
    senders: SendAs | None = None
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

        "@domain" in `send_as` stands for every address there, "*" for all.  What looks
        like a subaddress but has an account of its own belongs to that one.
        """
        said = account_key(address)
        if said == self.account.name or said in self._allowed():
            return True
        if self._may_all(address.domain):
            return True
        owner = await self.directory.account_for(address)
        if owner is not None and owner.name == self.account.name:
            return True
        if await self._was_let(address, owner):
            return True
        if owner is not None:
            return False
        user, mark, _ = address.local_part.partition(self.separator or "\0")
        if not mark:
            return False
        base = Address(user, address.domain)
        if self._is_own(base):
            return True
        return await self._was_let(base, await self.directory.account_for(base))

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

    def _may_all(self, domain: str) -> bool:
        """True if every address of the domain is let."""
        domains = {one.lower() for one in self.account.send_as if one[:1] in "@*"}
        return ANY in domains or f"@{domain}" in domains

    async def _was_let(self, address: Address, owner: Account | None) -> bool:
        """True if the address is shared with this account."""
        if self.senders is None:
            return False
        return await self.senders.lets(self.identifiers, address, owner)

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
