"""What the accounts of limited domains hold, known before it is asked for.

The sum of a domain has what each account told; one that was never counted, or that a
crash left uncounted, tells nothing until somebody asks for it.  So a server that starts
asks them all, one after the other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..address import Address
from ..config.model import Config
from ..errors import BadAddress, MailError
from ..interfaces import IDirectory
from ..mailbox.interfaces import IStore
from .quiet_work import QuietWork

log = Logger("mailtwist")

PAUSE_S = 0.02  # between two accounts, so that a start is not slow for them all


class DomainSums(QuietWork):
    """`names` gives the accounts that are known without being named."""

    doing = "counting what domains hold"

    def __init__(
        self,
        reactor: Any,
        config: Config,
        directory: IDirectory,
        store: IStore,
        names: Callable[[], Awaitable[list[str]]],
    ) -> None:
        self._reactor, self._directory, self._store = reactor, directory, store
        self._names = names
        self._domains = {
            domain.name
            for domain in config.domain
            if domain.storage_octets or domain.messages
        }

    def work(self) -> Coroutine[Any, Any, None] | None:
        """See QuietWork."""
        return self._ask_all() if self._domains else None

    async def _ask_all(self) -> None:
        try:
            names = await self._names()
        except MailError as fault:
            log.error("what domains hold is not counted: {why}", why=fault.public)
            return
        asked = 0
        for name in filter(self._limited, names):
            await deferLater(self._reactor, PAUSE_S, lambda: None)
            try:
                account = await self._directory.account(name)
                if account is not None:
                    await self._store.mailboxes(account).usage()
                    asked += 1
            except MailError as fault:
                log.warn("{name} is not counted: {why}", name=name, why=fault.public)
        log.info("{asked} accounts of limited domains are counted", asked=asked)

    def _limited(self, name: str) -> bool:
        try:
            return Address.parse(name).domain in self._domains
        except BadAddress:
            return False
