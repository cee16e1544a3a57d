"""The avatar: one logged-in account."""

from __future__ import annotations

from attrs import frozen
from zope.interface import implementer

from ..address import Address
from ..directory.model import Account
from ..errors import BadAddress
from ..interfaces import IDirectory, IMailAccount
from ..mailbox.interfaces import IMailboxes, IStore
from ..mailbox.read_only import ReadOnlyMailboxes
from .names import account_key


@implementer(IMailAccount)
@frozen
class MailAccount:
    """One login's view of an account; holds nothing that a logout must free.

    One that is `read_only` changes nothing in the mailboxes."""

    account: Account
    store: IStore
    directory: IDirectory
    separator: str = "+"
    read_only: bool = False

    @property
    def mailboxes(self) -> IMailboxes:
        """Made when first asked for: who only submits mail needs none."""
        mailboxes = self.store.mailboxes(self.account)
        if not self.read_only:
            return mailboxes
        only: IMailboxes = ReadOnlyMailboxes(mailboxes)
        return only

    async def may_send_as(self, address: Address) -> bool:
        """The account's own address, a subaddress of it, or one of `send_as`.

        "@domain" in `send_as` stands for every address there.  What looks like a
        subaddress but has an account of its own belongs to that one.
        """
        said = account_key(address)
        if said == self.account.name or said in self._allowed():
            return True
        if f"@{address.domain}" in self.account.send_as:
            return True
        owner = await self.directory.account_for(address)
        if owner is not None:
            return owner.name == self.account.name
        user, mark, _ = address.local_part.partition(self.separator or "\0")
        return bool(mark) and self._is_own(Address(user, address.domain))

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
