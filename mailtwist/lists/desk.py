"""One message to an address of a list: facts are asked, a plan is made, and it is
applied as one transaction."""

from __future__ import annotations

import re

from twisted.internet.defer import DeferredLock

from ..address import Address
from ..delivery.model import NO_WISHES, Wishes
from ..errors import MailError, NoSuchUser
from . import addressing, notes
from .addressing import Meant
from .commands import TOKEN, Ask, Confirm, Said, Subscribe, Unsubscribe, order_of
from .desk_bounces import Bounces
from .desk_commands import Commands
from .desk_posts import Posts
from .incoming import Incoming, incoming, looped, text_of
from .interfaces import IListBook, IPolicies
from .links import holds, read_token
from .model import OWNER, MailingList, Member, Pending
from .plan import Mail, Plan, To
from .writer import Writer, wishes_of

MOST_REASON = 2000  # characters that a moderator says to a sender
MOST_REASON_LINES = 30
_VERDICT = re.compile(r"\W*(accept|approve|reject|deny|discard)\b", re.I)
_VERDICTS = {"approve": "accept", "deny": "reject"}


class Desk:
    """Serves all lists of `book`, one message of a list at a time.

    Tokens that confirm and links that unsubscribe are honoured by the web through
    `confirmed` and `unsubscribed`."""

    def __init__(self, book: IListBook, writer: Writer, policies: IPolicies) -> None:
        self.book, self._writer = book, writer
        self._posts = Posts(book, writer, policies)
        self._commands = Commands(book, writer, self._posts)
        self._bounces = Bounces(book, writer)
        self._locks: dict[int, DeferredLock] = {}

    async def take(
        self,
        address: Address,
        octets: bytes,
        reverse_path: Address | None,
        work: str,
        wishes: Wishes = NO_WISHES,
    ) -> str:
        """Do all that a message to `address` does, once for each `work`; what to log.

        Raises MailError: permanent if the sender is to be told, else nothing was done
        and it may be tried again."""
        found = await self.book.find(
            addressing.meanings(address.local_part), address.domain
        )
        if found is None:
            raise NoSuchUser("No mailing list of that name here")
        mailing_list, meant = found
        lock = self._locks.setdefault(mailing_list.number, DeferredLock())
        await lock.acquire()
        try:
            if await self.book.done(work):
                return "done before"
            message = incoming(octets, reverse_path)
            plan = await self._plan(mailing_list, meant, message, wishes)
            if plan.fault is not None:  # nothing else is to happen
                raise plan.fault
            applied = await self.book.apply(mailing_list, plan, work)
        finally:
            lock.release()
        return plan.told if applied else "came before"

    async def _plan(
        self,
        mailing_list: MailingList,
        meant: Meant,
        message: Incoming,
        wishes: Wishes,
    ) -> Plan:
        match meant.function:
            case addressing.POST:
                return await self._posts.came(mailing_list, message, wishes)
            case addressing.BOUNCES:
                return await self._bounces.came(mailing_list, message, meant.detail)
            case addressing.OWNER:
                return await self._to_owners(mailing_list, message)
        if looped(message, mailing_list):
            return Plan(told="dropped: it came from the list")
        match meant.function:
            case addressing.REQUEST:
                return await self._commands.came(mailing_list, message)
            case addressing.UNSUBSCRIBE if read_token(meant.detail) is not None:
                return await self._signed(mailing_list, meant.detail)
            case addressing.CONFIRM:
                return await self._answer(mailing_list, message, meant.detail)
        return await self._commands.ordered(
            mailing_list, message, [_meant(meant, message)]
        )

    async def _to_owners(self, mailing_list: MailingList, message: Incoming) -> Plan:
        if looped(message, mailing_list):
            return Plan(told="dropped: it came from the list")
        owners = await self.book.people(mailing_list.number, OWNER)
        if not owners:
            return Plan(fault=MailError("The list has no owner", status="5.1.1"))
        loop = b"X-Loop: " + mailing_list.address.encode() + b"\r\n"
        octets = loop + message.octets
        null = message.automatic
        sender = "" if null else str(mailing_list.at(addressing.BOUNCES))
        to = [To(str(owner)) for owner in owners]
        wishes = wishes_of(octets, NO_WISHES)
        mail = Mail(self._writer.token(), sender, to, octets, wishes)
        return Plan(mails=(mail,), told=f"sent to {len(owners)} owners")

    async def _answer(
        self, mailing_list: MailingList, message: Incoming, detail: str
    ) -> Plan:
        """Mail to `dev-confirm+token`; a program's answer is nobody's."""
        if message.automatic or message.bulk or not TOKEN.fullmatch(detail.lower()):
            return Plan(told="dropped: no answer of a person")
        found = await self.book.pending(detail.lower())
        author = message.author
        if found is None or found[0].number != mailing_list.number:
            said = Said("", Confirm(detail.lower()))
            return await self._commands.ordered(mailing_list, message, [said])
        verdict, reason = verdict_in(message)
        plan, told = await self._commands.answered(
            mailing_list, found[1], verdict, reason
        )
        if not told or author is None:
            return plan
        note = notes.results(mailing_list, [(message.subject, told)])
        return plan + Plan(
            mails=self._writer.note(
                mailing_list, note, [author], answers=message.message_id
            )
        )

    # -- without mail -----------------------------------------------------------------

    async def confirmed(self, token: str, verdict: str = "", reason: str = "") -> str:
        """An answer with a token, by the web or a moderator's command; what to tell.

        Raises NoSuchUser if nobody waits for it."""
        mailing_list, pending = await self.waits(token)
        plan, told = await self._commands.answered(
            mailing_list, pending, verdict, reason
        )
        await self.book.apply(mailing_list, plan)
        return told or "Done."

    async def waits(self, token: str) -> tuple[MailingList, Pending]:
        """What waits for an answer with this token; raises NoSuchUser."""
        found = await self.book.pending(token)
        if found is None:
            raise NoSuchUser("Nobody waits for that answer any more")
        return found

    async def unsubscribed(self, token: str) -> str:
        """What a signed link says (RFC 8058 §3.2); what to tell.

        Raises NoSuchUser if it is not one, or not a member's any more."""
        mailing_list, member = await self._of_link(token)
        await self.book.apply(mailing_list, self._commands.left(mailing_list, member))
        return f"{member.address} is not on {mailing_list.address} any more."

    async def link_names(self, token: str) -> tuple[MailingList, Member]:
        """Whose link that is; raises NoSuchUser."""
        return await self._of_link(token)

    async def add(
        self, mailing_list: MailingList, address: Address, mode: str, name: str = ""
    ) -> None:
        """An owner puts an address on the list, which is welcomed."""
        plan = self._commands.joined(mailing_list, address, mode, name)
        await self.book.apply(mailing_list, plan)

    async def remove(self, mailing_list: MailingList, member: Member) -> None:
        """An owner takes a member off, which is told."""
        await self.book.apply(mailing_list, self._commands.left(mailing_list, member))

    async def _signed(self, mailing_list: MailingList, token: str) -> Plan:
        try:
            _, member = await self._of_link(token)
        except NoSuchUser as fault:
            return Plan(told=fault.public)
        return self._commands.left(mailing_list, member)

    async def _of_link(self, token: str) -> tuple[MailingList, Member]:
        signed = read_token(token)
        if signed is not None:
            mailing_list = await self.book.numbered(signed.list)
            member = await self.book.member(signed.list, signed.member)
            if mailing_list and member and holds(signed, mailing_list, member):
                return mailing_list, member
        raise NoSuchUser("That link is not valid any more")


def _meant(meant: Meant, message: Incoming) -> Said:
    """The order that mail to -subscribe, -unsubscribe and -help is; the detail may
    name another address, as `ann=example.org`."""
    found = addressing.bounced(meant.detail)
    address = found if isinstance(found, Address) else None
    match meant.function:
        case addressing.SUBSCRIBE:
            order = order_of(f"subscribe {message.subject}")
            mode = order.mode if isinstance(order, Subscribe) else "each"
            return Said("subscribe", Subscribe("", address, mode))
        case addressing.UNSUBSCRIBE:
            return Said("unsubscribe", Unsubscribe("", address))
    return Said("help", Ask("help"))


def verdict_in(message: Incoming) -> tuple[str, str]:
    """What a moderator's answer says: the verdict "" if there is none, and the text
    behind it."""
    lines = [
        line.strip()
        for line in text_of(message).splitlines()
        if not line.lstrip().startswith(">")
    ]
    text = [line for line in lines if line][:MOST_REASON_LINES]
    found = _VERDICT.match(text[0]) if text else None
    rest = text[1:]
    if found is None:
        found, rest = _VERDICT.match(message.subject), text
    if found is None:
        return "", ""
    word = found[1].lower()
    return _VERDICTS.get(word, word), "\n".join(rest)[:MOST_REASON]
