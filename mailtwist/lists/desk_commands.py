"""Joining, leaving, confirming, and the other commands in mail."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from ..address import Address
from ..config.option import HOUR_S
from . import notes
from .answering import Answers
from .commands import (
    Ask,
    Bad,
    Confirm,
    Order,
    Said,
    Set,
    Subscribe,
    Unsubscribe,
    in_subject,
    orders,
)
from .desk_posts import Posts
from .incoming import Incoming, text_of
from .interfaces import IListBook
from .model import (
    BANNED,
    DIGEST,
    EACH,
    MODERATOR,
    OWNER,
    PLAIN_DIGEST,
    MailingList,
    Member,
    Pending,
    key_of,
)
from .plan import NOTHING, Alter, Join, Leave, Pend, Plan, Unpend
from .writer import Writer

AGAIN_S = HOUR_S  # until an address is asked to confirm the same thing again
MOST_NAME = 100  # characters of a member's name
MOST_TOLD = 10_000  # members that `who` tells
ASKED = "A message was sent to {address}; nothing happens until it is answered."
NO_SUCH = "There is no mailing list of that name here."
NOT_OPEN = "You may not know that."


class Commands:
    """See Desk.  `author` is the From of the mail, whom the answer goes to."""

    def __init__(self, book: IListBook, writer: Writer, posts: Posts) -> None:
        self._book, self._writer, self._posts = book, writer, posts
        self._answers = Answers()

    async def came(self, mailing_list: MailingList, message: Incoming) -> Plan:
        """What a message to dev-request does: its commands, and a mail with results."""
        said = orders(text_of(message))
        first = in_subject(message.subject)
        bad = all(isinstance(one.order, Bad) for one in said)
        if first is not None and bad:
            said = [first]
        if not said:
            said = [Said("", Ask("help"))]
        return await self.ordered(mailing_list, message, said)

    async def ordered(
        self, mailing_list: MailingList, message: Incoming, said: list[Said]
    ) -> Plan:
        """These orders, and one answer to them all."""
        author = message.author
        if author is None or message.automatic or message.bulk:
            why = message.automatic or "it is bulk mail, or from nobody"
            return Plan(told=f"commands not read: {why}")
        if not self._answers.may(key_of(author), self._writer.now()):
            return Plan(told=f"commands not read: {author} had too many answers")
        plan, told = NOTHING, []
        for one in said:
            done, answer = await self._one(
                mailing_list, author, one.order, message.author_name
            )
            plan += done
            if answer:
                told.append((one.line, answer))
        if not told:
            return plan
        if all(isinstance(one.order, Bad) for one in said):
            told.append(("", notes.help_text(mailing_list)))
        mails = self._writer.note(
            mailing_list,
            notes.results(mailing_list, told),
            [author],
            answers=message.message_id,
        )
        return plan + Plan(mails=mails)

    async def _one(
        self, mailing_list: MailingList, author: Address, order: Order, name: str
    ) -> tuple[Plan, str]:
        """(what it does, the answer); `name` is the author's."""
        match order:
            case Bad():
                return NOTHING, f"{order.why}."
            case Confirm():
                return await self._confirmed(mailing_list, order)
            case Set():
                return await self._set(mailing_list, author, order)
            case Ask("help"):
                return NOTHING, notes.help_text(mailing_list)
            case Ask("which"):
                return NOTHING, await self._which(mailing_list, author)
            case Ask("lists"):
                return NOTHING, await self._lists(mailing_list)
        if order.list and order.list not in _names(mailing_list):
            return NOTHING, (
                f"Write to the address of that list: this is "
                f"{mailing_list.at('request')}."
            )
        match order:
            case Subscribe():
                address = order.address or author
                own = name[:MOST_NAME] if address == author else ""
                plan, told = await self.wants_in(mailing_list, address, order.mode, own)
                return plan, _beside(plan, told, address, author)
            case Unsubscribe():
                address = order.address or author
                plan, told = await self.wants_out(mailing_list, address)
                return plan, _beside(plan, told, address, author)
            case Ask("info"):
                options = mailing_list.options
                return NOTHING, options.info or options.description or "(nothing)"
        return NOTHING, await self._who(mailing_list, author)

    # -- joining --------------------------------------------------------------------

    async def wants_in(
        self, mailing_list: MailingList, address: Address, mode: str, name: str = ""
    ) -> tuple[Plan, str]:
        """Somebody asks that an address join."""
        options = mailing_list.options
        place = await self._book.standing(mailing_list.number, address)
        if mode in (DIGEST, PLAIN_DIGEST) and not options.digests:
            return NOTHING, "The list has no digests."
        if options.subscription == "closed" or BANNED in place.roles:
            return NOTHING, (
                f"You cannot join by mail.  Ask {mailing_list.at('owner')}."
            )
        asked = ASKED.format(address=address)
        confirms = options.subscription.startswith("confirm")
        if place.member is not None and not confirms:
            return NOTHING, "The address is on the list."
        if place.member is not None:  # which only the address itself may know
            return self._word(mailing_list, notes.there_already, address), asked
        if confirms:
            return self._ask(
                mailing_list, place.pending, "subscribe", address, mode, name
            ), asked
        if options.subscription == "moderated":
            plan = await self._ask_moderators(
                mailing_list, place.pending, address, mode, name
            )
            return plan, "The moderators were asked."
        return self.joined(mailing_list, address, mode, name), (
            f"{address} is on the list now."
        )

    def joined(
        self, mailing_list: MailingList, address: Address, mode: str, name: str = ""
    ) -> Plan:
        """A new member, and its welcome."""
        join = Join(str(address), name, mode, self._writer.now())
        plan = Plan((join,), told=f"{address} joined")
        if mailing_list.options.welcome:
            note = notes.welcome(mailing_list, mode)
            plan += Plan(mails=self._writer.note(mailing_list, note, [address]))
        return plan

    def _word(
        self,
        mailing_list: MailingList,
        note: Callable[[MailingList], notes.Note],
        address: Address,
    ) -> Plan:
        """A word to an address about what others may not know."""
        mails = self._writer.note(mailing_list, note(mailing_list), [address])
        return Plan(mails=mails)

    def _ask(
        self,
        mailing_list: MailingList,
        waiting: tuple[Pending, ...],
        kind: str,
        address: Address,
        mode: str = EACH,
        name: str = "",
    ) -> Plan:
        """A message to the address with a token to answer."""
        now_s = self._writer.now()
        if any(one.kind == kind and one.made_s > now_s - AGAIN_S for one in waiting):
            return Plan(told=f"{address} was asked to confirm already")
        pending = Pending(
            self._writer.token(),
            kind,
            address,
            now_s,
            now_s + mailing_list.options.confirm_s,
            mode,
            name,
        )
        url = self._writer.confirm_url(pending.token)
        note = notes.confirm(mailing_list, pending, url)
        mails = self._writer.note(mailing_list, note, [address])
        return Plan((Pend(pending),), mails, told=f"{address} is asked to {kind}")

    async def _ask_moderators(
        self,
        mailing_list: MailingList,
        waiting: tuple[Pending, ...],
        address: Address,
        mode: str,
        name: str,
    ) -> Plan:
        if any(one.kind == "admit" for one in waiting):
            return NOTHING
        now_s = self._writer.now()
        until_s = now_s + mailing_list.options.held_s
        pending = Pending(
            self._writer.token(), "admit", address, now_s, until_s, mode, name
        )
        mails = self._writer.note(
            mailing_list,
            notes.admit(mailing_list, pending),
            await self._posts.moderators(mailing_list),
        )
        return Plan((Pend(pending),), mails, told=f"{address} waits to be admitted")

    # -- leaving --------------------------------------------------------------------

    async def wants_out(
        self, mailing_list: MailingList, address: Address
    ) -> tuple[Plan, str]:
        """Somebody asks that an address leave."""
        place = await self._book.standing(mailing_list.number, address)
        if mailing_list.options.unsubscription == "confirm":
            asked = ASKED.format(address=address)
            if place.member is None:
                return self._word(mailing_list, notes.not_there, address), asked
            return self._ask(mailing_list, place.pending, "unsubscribe", address), asked
        if place.member is None:
            return NOTHING, "The address is not on the list."
        return self.left(mailing_list, place.member), (
            f"{address} is not on the list any more."
        )

    def left(self, mailing_list: MailingList, member: Member) -> Plan:
        """A member less, and a word to it."""
        address = member.address
        plan = Plan((Leave(str(address)),), told=f"{address} left")
        if mailing_list.options.goodbye:
            note = notes.goodbye(mailing_list)
            plan += Plan(mails=self._writer.note(mailing_list, note, [address]))
        return plan

    # -- answers with a token ---------------------------------------------------------

    async def _confirmed(
        self, mailing_list: MailingList, order: Confirm
    ) -> tuple[Plan, str]:
        found = await self._book.pending(order.token)
        if found is None or found[0].number != mailing_list.number:
            return NOTHING, "Nobody waits for that answer any more."
        return await self.answered(mailing_list, found[1], order.verdict)

    async def answered(
        self,
        mailing_list: MailingList,
        pending: Pending,
        verdict: str,
        reason: str = "",
    ) -> tuple[Plan, str]:
        """Something that waited got its answer."""
        once = Plan((Unpend(pending.token),))
        address = pending.address
        place = await self._book.standing(mailing_list.number, address)
        match pending.kind:
            case "subscribe":
                if mailing_list.options.subscription.endswith("moderated"):
                    plan = await self._ask_moderators(
                        mailing_list, place.pending, address, pending.mode, pending.name
                    )
                    return once + plan, "The moderators were asked."
                joined = self.joined(mailing_list, address, pending.mode, pending.name)
                return once + joined, "" if joined.mails else "You are on the list now."
            case "unsubscribe":
                if place.member is None:
                    return once, "You are not on the list."
                left = self.left(mailing_list, place.member)
                return once + left, "" if left.mails else "You left the list."
        if verdict not in ("accept", "reject", "discard"):
            return NOTHING, (
                "Say accept, reject or discard in the first line of your answer."
            )
        done = f"{verdict}ed."
        if pending.kind == "post":
            plan = await self._posts.decided(mailing_list, pending, verdict, reason)
            return plan, done
        if pending.kind != "admit":
            return NOTHING, "Nobody waits for that answer."
        if verdict == "accept":
            admitted = self.joined(mailing_list, address, pending.mode, pending.name)
            return once + admitted, done
        if verdict == "reject":
            note = notes.refused(mailing_list, "you cannot join the list", reason)
            mails = self._writer.note(mailing_list, note, [address])
            return once + Plan(mails=mails), done
        return once, done

    # -- the rest ---------------------------------------------------------------------

    async def _set(
        self, mailing_list: MailingList, author: Address, order: Set
    ) -> tuple[Plan, str]:
        member = (await self._book.standing(mailing_list.number, author)).member
        if member is None:
            return NOTHING, "You are not on the list."
        if order.mode in (DIGEST, PLAIN_DIGEST) and not mailing_list.options.digests:
            return NOTHING, "The list has no digests."
        if order.mode:
            after = evolve(member, mode=order.mode)
        elif order.option == "vacation":
            after = evolve(member, vacation=order.on)
        else:
            after = evolve(member, copies=order.on)
        return Plan((Alter(after),)), notes.how(mailing_list, after)

    async def _which(self, mailing_list: MailingList, author: Address) -> str:
        lines = [
            notes.how(one, member)
            for one, member in await self._book.memberships(author)
            if one.address.domain == mailing_list.address.domain
        ]
        return "\n".join(lines) or "You are on no list here."

    async def _lists(self, mailing_list: MailingList) -> str:
        found = await self._book.lists(mailing_list.address.domain)
        lines = [
            f"{one.address}  {one.options.description}".rstrip()
            for one in found
            if one.options.advertised
        ]
        return "\n".join(lines) or "(none)"

    async def _who(self, mailing_list: MailingList, author: Address) -> str:
        place = await self._book.standing(mailing_list.number, author)
        may = {
            "anyone": True,
            "members": place.member is not None,
            "owners": False,
        }[mailing_list.options.who]
        if not may and not place.roles & {OWNER, MODERATOR}:
            return NOT_OPEN
        members = await self._book.members(mailing_list.number)
        lines = [str(member.address) for member in members[:MOST_TOLD]]
        return "\n".join([*lines, f"({len(members)} members)"])


def _beside(plan: Plan, told: str, address: Address, author: Address) -> str:
    """The answer to who asked; none if that is written to already."""
    own = key_of(address) == key_of(author)
    written = any(
        key_of(Address.parse(to.address)) == key_of(address)
        for mail in plan.mails
        for to in mail.to
    )
    return "" if own and written else told


def _names(mailing_list: MailingList) -> tuple[str, str]:
    return mailing_list.name, key_of(mailing_list.address)
