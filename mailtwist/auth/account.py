"""The avatar: one logged-in account."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from zope.interface import implementer

from ..address import Address
from ..directory.model import Account
from ..errors import BadAddress
from ..interfaces import IDirectory, IMailAccount


@implementer(IMailAccount)
@frozen
class MailAccount:
    """`mailboxes` is the IMailboxes of `account`."""

    account: Account
    mailboxes: Any
    directory: IDirectory
    separator: str = "+"

    async def may_send_as(self, address: Address) -> bool:
        """The account's own address, a subaddress of it, or one of `send_as`."""
        said = folded(address)
        if said in self._own():
            return True
        local_part, mark, _ = address.local_part.partition(self.separator or "\0")
        if mark and folded(Address(local_part, address.domain)) in self._own():
            return True
        owner = await self.directory.account_for(address)
        return owner is not None and owner.name == self.account.name

    def _own(self) -> set[str]:
        own = {self.account.name.casefold()}
        for text in self.account.send_as:
            try:
                own.add(folded(Address.parse(text)))
            except BadAddress:
                continue
        return own


def folded(address: Address) -> str:
    return str(address).casefold()
