"""What lists do by the clock: digests, and the end of what waits."""

from __future__ import annotations

from functools import partial

from twisted.logger import Logger

from ..errors import MailError
from . import chores
from .chores import DueDigest
from .digest import digest
from .model import DIGEST, PLAIN_DIGEST, MailingList, Pending
from .plan import Alter, DigestSent, Mail, Plan, Unpend
from .scoring import forgiven
from .store import ListStore
from .writer import Writer

log = Logger("mailtwist")


class Clerk:
    """Each look does all that is due; what cannot be done now is due at the next."""

    def __init__(self, store: ListStore, writer: Writer) -> None:
        self._store, self._writer = store, writer

    async def look(self) -> None:
        """Raises MailError if the database cannot be asked."""
        now_s = self._writer.now()
        await self.digests()
        for mailing_list, pending in await self._store.read(
            partial(chores.ended, now_s=now_s)
        ):
            await self._ended(mailing_list, pending)
        await self._store.write(partial(chores.forget, now_s=now_s))

    async def digests(self, only: int = 0) -> int:
        """Send the digests that are due, or what the list `only` has; how many."""
        now_s = self._writer.now()
        due = await self._store.read(
            partial(chores.due_digests, now_s=now_s, only=only)
        )
        for one in due:
            await self._send(one)
        return len(due)

    async def _send(self, due: DueDigest) -> None:
        mailing_list = due.mailing_list
        members = await self._store.members(mailing_list.number)
        mails: tuple[Mail, ...] = ()
        for kind in (DIGEST, PLAIN_DIGEST):
            some = [member for member in members if member.wants == kind]
            if some:
                mails += self._writer.to_members(
                    mailing_list,
                    some,
                    partial(
                        digest,
                        mailing_list,
                        kind,
                        due.posts,
                        due.issue,
                        self._writer.stamp(mailing_list),
                    ),
                )
        plan = Plan((DigestSent(due.last),), mails)
        if await self._store.apply(mailing_list, plan):
            log.info(
                "list {list}: digest {issue} of {count} posts",
                list=str(mailing_list.address),
                issue=due.issue,
                count=len(due.posts),
            )

    async def _ended(self, mailing_list: MailingList, pending: Pending) -> None:
        """Nobody answered: a probe got through, everything else is off."""
        plan = Plan((Unpend(pending.token),))
        try:
            if pending.kind == "probe":
                place = await self._store.standing(mailing_list.number, pending.address)
                if place.member is not None and place.member.stopped:
                    plan += Plan((Alter(forgiven(place.member)),))
            await self._store.apply(mailing_list, plan)
        except MailError as fault:
            log.warn("{list}: {why}", list=str(mailing_list.address), why=fault.public)
            return
        log.info(
            "list {list}: {kind} of {address} ended without an answer",
            list=str(mailing_list.address),
            kind=pending.kind,
            address=str(pending.address),
        )
