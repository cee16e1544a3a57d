"""Posts: judged, sent on to members, held for moderators, and let go by them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from attrs import evolve

from ..address import Address, ascii_domain
from ..config.option import DAY_S
from ..delivery.model import NO_WISHES, Wishes
from ..errors import DnsUnavailable, MailError
from . import notes, outgoing
from .footer import footer_of, with_footer
from .incoming import Incoming, incoming, text_of
from .interfaces import IListBook, IPolicies
from .model import (
    DIGEST,
    EACH,
    MODERATOR,
    OWNER,
    PLAIN_DIGEST,
    Entry,
    MailingList,
    Pending,
    key_of,
)
from .plan import (
    Accepted,
    Archived,
    Change,
    Digested,
    Mail,
    Pend,
    Plan,
    Seen,
    Unpend,
)
from .posting import ACCEPT, DISCARD, HOLD, judged
from .writer import Writer

MOST_WAITING = 1000  # posts that wait for moderators of one list
SEEN_S = 14 * DAY_S  # how long a Message-ID is remembered

_KEPT = ("smtputf8", "require_tls")  # of what the author asked of every hop


class Posts:
    """See Desk."""

    def __init__(self, book: IListBook, writer: Writer, policies: IPolicies) -> None:
        self._book, self._writer, self._policies = book, writer, policies

    async def came(
        self, mailing_list: MailingList, message: Incoming, wishes: Wishes
    ) -> Plan:
        """What a message to the list's own address does."""
        number, author = mailing_list.number, message.author
        member, roles = None, frozenset[str]()
        if author is not None:
            place = await self._book.standing(number, author)
            member, roles = place.member, place.roles
        seen = bool(message.message_id) and await self._book.seen(
            number, message.message_id
        )
        verdict = judged(message, mailing_list, member, roles, seen=seen)
        until_s = self._writer.now() + SEEN_S
        once: tuple[Change, ...] = ()
        if message.message_id:
            once = (Seen(message.message_id, until_s),)
        if verdict.action == ACCEPT:
            return Plan(once) + await self.sent_on(mailing_list, message, wishes)
        if verdict.action == HOLD:
            plan = await self._held(mailing_list, message, verdict.why)
            if member is not None and author is not None:
                note = notes.waits(mailing_list, f"It waits because {verdict.why}")
                plan += Plan(
                    mails=self._writer.note(
                        mailing_list, note, [author], answers=message.message_id
                    )
                )
            return Plan(once) + plan
        if verdict.action == DISCARD:
            return Plan(told=f"dropped: {verdict.why}")
        public = f"Not taken by the list: {verdict.why}"
        return Plan(
            fault=MailError(
                public.encode("ascii", "replace").decode()[:200], status=verdict.status
            ),
            told=f"refused: {verdict.why}",
        )

    async def _held(
        self, mailing_list: MailingList, message: Incoming, why: str
    ) -> Plan:
        if await self._book.held(mailing_list.number) >= MOST_WAITING:
            raise MailError("Too many posts wait for a moderator", status="4.2.2")
        now_s = self._writer.now()
        pending = Pending(
            self._writer.token(),
            "post",
            message.author or mailing_list.at("owner"),
            now_s,
            now_s + mailing_list.options.held_s,
            subject=message.subject[:200],
            reason=why,
            octets=message.octets,
        )
        mails = self._writer.note(
            mailing_list,
            notes.held(mailing_list, pending),
            await self.moderators(mailing_list),
            about=message.octets,
        )
        return Plan((Pend(pending),), mails, told=f"held: {why}")

    async def moderators(self, mailing_list: MailingList) -> Sequence[Address]:
        """Who is asked: the moderators, or the owners if there are none."""
        found = await self._book.people(mailing_list.number, MODERATOR)
        return found or await self._book.people(mailing_list.number, OWNER)

    # -- what a moderator says ------------------------------------------------------

    async def decided(
        self, mailing_list: MailingList, pending: Pending, verdict: str, reason: str
    ) -> Plan:
        """A post that waited is accepted, rejected or discarded."""
        once = Plan((Unpend(pending.token),), told=f"{verdict}ed by a moderator")
        message = incoming(pending.octets, pending.address)
        if verdict == "accept":
            return once + await self.sent_on(mailing_list, message, NO_WISHES)
        if verdict == "reject" and message.author is not None:
            note = notes.refused(
                mailing_list, f'your post "{pending.subject}" is not sent on', reason
            )
            mails = self._writer.note(
                mailing_list, note, [message.author], answers=message.message_id
            )
            return once + Plan(mails=mails)
        return once

    # -- to the members -------------------------------------------------------------

    async def sent_on(
        self, mailing_list: MailingList, message: Incoming, wishes: Wishes
    ) -> Plan:
        """The post to everybody who wants it."""
        options, author = mailing_list.options, message.author
        members = await self._book.members(mailing_list.number)
        own = key_of(author) if author is not None else ""
        now = [
            member
            for member in members
            if member.wants == EACH and (member.copies or key_of(member.address) != own)
        ]
        digests = options.digests and any(
            member.wants in (DIGEST, PLAIN_DIGEST) for member in members
        )
        rewrite = await self._rewrites(mailing_list, message)
        made = partial(_post, message, mailing_list, rewrite)
        mails: tuple[Mail, ...] = self._writer.to_members(
            mailing_list,
            now,
            made,
            archived=options.archive,
            wishes=evolve(NO_WISHES, **{name: getattr(wishes, name) for name in _KEPT}),
        )
        at_s = self._writer.now()
        changes: list[Change] = []
        if author is not None:
            changes.append(Accepted(str(author)))
        if digests:
            changes.append(Digested(made(), at_s))
        if options.archive:
            changes.append(Archived(entry(message, at_s)))
        return Plan(tuple(changes), mails, told=f"sent to {len(now)} members")

    async def _rewrites(self, mailing_list: MailingList, message: Incoming) -> bool:
        choice = mailing_list.options.from_rewriting
        if choice != "dmarc" or message.author is None:
            return choice == "always"
        domain = ascii_domain(message.author.domain)
        try:
            return await self._policies.guarded(domain)
        except DnsUnavailable:
            return True  # a post that is sure to arrive is worth more than its From


def _post(
    message: Incoming,
    mailing_list: MailingList,
    rewrite: bool,
    *,
    personal: bool = False,
) -> bytes:
    found = outgoing.header(
        message, mailing_list, rewrite_from=rewrite, personal=personal
    )
    found, body = with_footer(
        message,
        found,
        footer_of(mailing_list),
        in_signed=mailing_list.options.footer_in_signed,
    )
    return outgoing.whole(found, body)


def entry(message: Incoming, at_s: float) -> Entry:
    """What the index of the archive has of a post."""
    author = message.author_name or str(message.author or "")
    return Entry(
        0,
        at_s,
        message.message_id,
        message.subject,
        author,
        message.references,
        text_of(message),
    )
