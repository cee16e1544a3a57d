"""Where spam is filed."""

from __future__ import annotations

from attrs import evolve
from twisted.logger import Logger

from ..delivery.model import (
    Envelope,
    LocalRecipient,
    Recipient,
    RemoteRecipient,
    Route,
    Target,
)
from ..delivery.sorted import route_into
from ..directory.model import Account
from ..errors import MailError
from ..flags import NONE
from ..interfaces import IRouter
from ..mailbox.interfaces import IStore
from ..mailbox.model import INBOX, Path

log = Logger("mailtwist")

JUNK, USE = ("Junk",), "\\Junk"
TO_INBOX = Route("mailbox")


class Junk:
    """Finds the mailbox for spam of each account, or makes it."""

    def __init__(self, store: IStore, router: IRouter) -> None:
        self._store, self._router = store, router

    async def filed(self, envelope: Envelope) -> Envelope:
        """The same message, into Junk wherever it would go into an inbox here.

        What scripts of a recipient file elsewhere goes there; recipients elsewhere and
        commands get it as it is."""
        recipients = [await self._recipient(each) for each in envelope.recipients]
        return evolve(envelope, recipients=tuple(recipients))

    async def _recipient(self, recipient: Recipient) -> Recipient:
        if isinstance(recipient, RemoteRecipient):
            targets = [await self._target(one) for one in recipient.targets]
            return evolve(recipient, targets=tuple(targets))
        if recipient.path != INBOX or recipient.sorted:
            return recipient
        return evolve(recipient, path=await self.place(recipient.account))

    async def _target(self, target: Target) -> Target:
        if target.route != TO_INBOX:
            return target
        try:
            found = await self._router.resolve(target.address, may_relay=False)
        except MailError:
            return target  # the queue sees what becomes of it
        if not isinstance(found, LocalRecipient) or found.path != INBOX:
            return target
        path = await self.place(found.account)
        return evolve(target, route=route_into(path, NONE))

    async def place(self, account: Account) -> Path:
        """The mailbox with the use; INBOX if there can be none now."""
        mailboxes = self._store.mailboxes(account)
        try:
            for info in await mailboxes.listed():
                uses = {use.lower() for use in info.special_uses}
                if USE.lower() in uses and info.selectable:
                    return info.path
            await mailboxes.create(JUNK, frozenset({USE}))
            await mailboxes.subscribe(JUNK)
        except MailError as fault:
            log.warn("no Junk of {name}: {why}", name=account.name, why=fault.public)
            return INBOX
        return JUNK
