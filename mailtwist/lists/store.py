"""`lists.sqlite` in the data folder; see IListBook."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..address import Address
from ..queue.spool.thread import Result, Runner, SpoolThread, Work
from . import statements
from .addressing import Meant
from .apply import apply
from .interfaces import IListBook, Standing
from .model import MailingList, Member, Pending
from .plan import Plan


@implementer(IListBook)
class ListStore:
    """One thread writes, one reads; both open the file at first use.

    `applied` is called after each plan with mails: the outbox has something."""

    def __init__(
        self,
        reactor: Any,
        path: str,
        *,
        now: Callable[[], float] = time.time,
        writer: Runner | None = None,
        reader: Runner | None = None,
    ) -> None:
        thread = partial(
            SpoolThread, reactor, path, connect=statements.connect, name="lists"
        )
        self._writer = writer or thread(writes=True)
        self._reader = reader or thread(writes=False)
        self.now = now
        self.applied: Callable[[], None] = lambda: None

    def close(self) -> Deferred[None]:
        """Fires when all that was begun is done."""
        return self._writer.close().addCallback(lambda _: self._reader.close())

    def read(self, work: Work[Result]) -> Deferred[Result]:
        """What `work` gives of a connection; raises MailError."""
        return self._reader.submit(work)

    def write(self, work: Work[Result]) -> Deferred[Result]:
        """The same, in a transaction that is durable then."""
        return self._writer.submit(work)

    # -- IListBook --------------------------------------------------------------------

    async def find(
        self, meanings: Sequence[Meant], domain: str
    ) -> tuple[MailingList, Meant] | None:
        return await self.read(
            partial(statements.find, meanings=meanings, domain=domain)
        )

    async def numbered(self, number: int) -> MailingList | None:
        return await self.read(partial(statements.numbered, number=number))

    async def lists(self, domain: str = "") -> list[MailingList]:
        return await self.read(partial(statements.lists, domain=domain))

    async def standing(self, number: int, address: Address) -> Standing:
        return await self.read(
            partial(statements.standing, number=number, address=address)
        )

    async def member(self, number: int, member: int) -> Member | None:
        return await self.read(partial(statements.member, number=number, which=member))

    async def memberships(self, address: Address) -> list[tuple[MailingList, Member]]:
        return await self.read(partial(statements.memberships, address=address))

    async def roles_of(self, address: Address) -> list[tuple[MailingList, str]]:
        """(list, role) of each role of an address."""
        return await self.read(partial(statements.roles_of, address=address))

    async def members(self, number: int) -> list[Member]:
        return await self.read(partial(statements.members, number=number))

    async def people(self, number: int, role: str) -> list[Address]:
        return await self.read(partial(statements.people, number=number, role=role))

    async def pending(self, token: str) -> tuple[MailingList, Pending] | None:
        return await self.read(
            partial(statements.pending, token=token, now_s=self.now())
        )

    async def held(self, number: int) -> int:
        return await self.read(partial(statements.held, number=number))

    async def seen(self, number: int, message_id: str) -> bool:
        return await self.read(
            partial(statements.seen, number=number, message_id=message_id)
        )

    async def done(self, work: str) -> bool:
        return await self.read(partial(statements.done, work=work))

    async def apply(
        self, mailing_list: MailingList, plan: Plan, work: str = ""
    ) -> bool:
        now_s = self.now()

        def make(connection: Any) -> bool:
            return apply(connection, mailing_list, plan, work, now_s)

        done = await self.write(make)
        if done and plan.mails:
            self.applied()
        return done
