"""From what a script ends with to what is done: files, messages of the queue, memory.

Nothing is done here but mailboxes made that a script asked for; whoever carries a plan
out makes it one commit.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from attrs import evolve, field, frozen
from twisted.logger import Logger

from ..address import Address
from ..delivery.model import (
    DeliverBy,
    Envelope,
    LocalRecipient,
    Notify,
    RemoteRecipient,
    Target,
)
from ..delivery.queue_work import queue_work
from ..delivery.sorted import route_into
from ..delivery.trace import date_time
from ..errors import BadAddress, MailError, ScriptRefused
from ..flags import Flags
from ..interfaces import IRouter, ISpool
from ..mailbox.model import INBOX, Path
from ..queue.model import Memory
from . import actions, replies
from .answers import Answers
from .faults import Fault, Place, printable
from .message import Header

log = Logger("mailtwist")

NEVER = Notify(frozenset({"NEVER"}))
NOTE_S = 86_400.0  # for which the owner is not told of the same mistake again
MOST_REFUSAL = 400  # characters of a line of a refusal in an SMTP reply
MOST_LINES = 20  # of such a reply


@frozen
class Filing:
    """A copy in a mailbox of the recipient."""

    path: Path
    flags: Flags
    draft: actions.Draft | None = None


@frozen
class Sending:
    """A message for the queue: `content` None is the one that came, from its first
    octet; `head` goes before it."""

    envelope: Envelope
    content: bytes | actions.Draft | None = None
    head: bytes = b""


@frozen
class Plan:
    """What becomes of the message for one recipient; `told` says it in words.

    With `refused` nothing else is done.
    """

    filings: tuple[Filing, ...] = ()
    sendings: tuple[Sending, ...] = ()
    memories: tuple[Memory, ...] = ()
    refused: MailError | None = None
    told: tuple[str, ...] = ()

    @property
    def plain(self) -> Filing | None:
        """The one copy that is all; None if there is anything else to do."""
        if self.sendings or self.memories or len(self.filings) != 1:
            return None
        return self.filings[0]


@frozen
class Rooms:
    """What plans are made with; `new_id` gives message ids, `now` seconds of the
    epoch.  Lists with more than `most_members` are not sent to."""

    router: IRouter
    spool: ISpool
    hostname: str
    new_id: Callable[[], str]
    now: Callable[[], float]
    most_members: int = 100


@frozen
class Planner:
    """Plans for one recipient and one message; `header` is that of the message."""

    rooms: Rooms
    envelope: Envelope
    recipient: LocalRecipient
    header: Header
    answers: Answers
    _told: list[str] = field(factory=list)
    _failed: list[tuple[str, Fault]] = field(factory=list)

    async def plan(self, outcome: actions.Outcome) -> Plan:
        """Raises a temporary MailError for what cannot be looked up now."""
        filings: dict[tuple[Path, actions.Draft | None], Filing] = {}
        sendings: list[Sending] = []
        memories: list[Memory] = []
        kept = None  # what stands in for a redirect that must not be
        for action in outcome.actions:
            match action:
                case actions.Reject() if self.envelope.reverse_path is None:
                    # RFC 5429 §2.1: nobody is to hear of it.
                    return Plan(told=("refused, and discarded",))
                case actions.Reject(reason, in_smtp):
                    return await self._refusal(reason, in_smtp=in_smtp)
                case actions.Keep() | actions.FileInto():
                    one = await self._filing(action)
                    place = one.path, one.draft
                    if place in filings:
                        one = evolve(one, flags=one.flags | filings[place].flags)
                    filings[place] = one
                case actions.Redirect():
                    sending = await self._redirect(action)
                    if sending is None:
                        kept = kept or actions.Keep(draft=action.draft)
                    else:
                        sendings.append(sending)
                case actions.Vacation():
                    made = await self._vacation(action)
                    sendings += made[0]
                    memories += made[1]
                case actions.Notify():
                    sendings += await self._notify(action)
                case actions.Remember(key, seconds, _, again):
                    memories.append(self._memory(key, seconds, first=not again))
                case actions.Discard():
                    self._told.append("discarded")
        if kept is not None and not filings:
            one = await self._filing(kept)
            filings[one.path, one.draft] = one
        if failed := (*outcome.failed, *self._failed):
            made = await self._note(failed)
            sendings += made[0]
            memories += made[1]
        return Plan(
            tuple(filings.values()),
            tuple(sendings),
            tuple(memories),
            told=tuple(self._told),
        )

    async def _refusal(self, reason: str, *, in_smtp: bool) -> Plan:
        """By SMTP where that can say the reason, and by a notice for reject where it
        cannot: ereject does with less of it (RFC 5429 §2.1 and §2.2)."""
        lines = _reply_lines(reason)
        sayable = reason.isascii() or self.envelope.smtputf8
        to = self.envelope.reverse_path
        if in_smtp or sayable or to is None:
            told = printable(" ".join(lines))[:MOST_REFUSAL]
            return Plan(refused=ScriptRefused(told, lines), told=("refused",))
        found = await queue_work(self.rooms.router, to, sender=None, notify=NEVER)
        envelope = self._envelope(None, found)
        stamp = self._stamp(envelope.message_id)
        owner = self.recipient.address
        octets = replies.refusal(reason, self.header, owner, to, stamp)
        said = f"refused by a notice, {envelope.message_id}"
        return Plan(sendings=(Sending(envelope, octets),), told=(said,))

    # -- here -------------------------------------------------------------------------

    async def _filing(self, action: actions.Keep | actions.FileInto) -> Filing:
        path = self.recipient.path
        if isinstance(action, actions.FileInto):
            place = await self.answers.place(action.target)
            if place is None:
                self._told.append(f"no mailbox {action.target.name}, so kept")
            path = place or path
        self._told.append(f"filed into {'/'.join(path)}")
        return Filing(path, action.flags, action.draft)

    async def _copy(self, octets: bytes, fcc: actions.Copy | None) -> list[Sending]:
        """The copy of a message that is sent (RFC 8580)."""
        if fcc is None:
            return []
        path = await self.answers.place(fcc.target) or INBOX
        return [Sending(self._to_owner(path, fcc.flags), octets)]

    def _to_owner(self, path: Path, flags: Flags) -> Envelope:
        address = self.recipient.address
        target = Target(address, route_into(path, flags))
        return self._envelope(None, RemoteRecipient(address, (target,), NEVER))

    def _envelope(
        self, reverse_path: Address | None, *recipients: RemoteRecipient
    ) -> Envelope:
        message_id = self.rooms.new_id()
        return Envelope(
            message_id,
            self.envelope.message_id,
            reverse_path,
            tuple(recipients),
            signing="author",
        )

    # -- elsewhere --------------------------------------------------------------------

    async def _redirect(self, action: actions.Redirect) -> Sending | None:
        """None where mail would go round, or to nobody, which leaves the keep (RFC 5228
        §4.2, RFC 6134 §2.3)."""
        to = [await self._redirected(action, a) for a in await self._whereto(action)]
        if not to:
            return None
        envelope, dsn = self.envelope, action.dsn
        wishes = evolve(envelope.wishes, hold_until_s=0.0)
        if dsn.ret:
            wishes = evolve(wishes, ret=dsn.ret)
        if dsn.by_s is not None:
            by = DeliverBy(dsn.by_s, dsn.by_mode, dsn.by_trace)
            wishes = evolve(wishes, deliver_by=by)
        sent = evolve(self._envelope(envelope.reverse_path, *to), wishes=wishes)
        names = ", ".join(str(one.address) for one in to)
        self._told.append(f"sent on to {names} as {sent.message_id}")
        return Sending(sent, action.draft, self._head())

    async def _whereto(self, action: actions.Redirect) -> list[Address]:
        """The addresses that are meant, without those whose mail would come back."""
        if action.address is not None:
            meant = [action.address]
        else:
            members = await self.answers.members(action.members_of)
            if members is None or len(members) > self.rooms.most_members:
                why = "is too long" if members else "cannot be listed"
                text = f'the list "{action.members_of}" {why}'
                fault = Fault(action.place or Place(1, 1), text)
                self._failed.append(("redirect", fault))
                return []
            meant = members
        found = []
        for address in meant:
            if self._goes_round(address):
                self._told.append(f"not sent on to {address}: a loop")
            else:
                found.append(address)
        return found

    async def _redirected(
        self, action: actions.Redirect, address: Address
    ) -> RemoteRecipient:
        notify = without_success(self.recipient.notify)
        if action.dsn.notify is not None:
            notify = Notify(action.dsn.notify, notify.orcpt)
        return await queue_work(
            self.rooms.router,
            address,
            sender=self.envelope.reverse_path,
            notify=notify,
            behind=f"script of {self.recipient.account.name}",
        )

    def _goes_round(self, address: Address) -> bool:
        """True if what goes to `address` comes back."""
        me = self.recipient.address
        return address == me or str(me).lower() in self._passed()

    def _head(self) -> bytes:
        """What stands in front of a message that is sent on."""
        me = self.recipient.address
        return b"Delivered-To: %s\r\n" % me.encode(utf8=not me.ascii)

    def _passed(self) -> set[str]:
        """Whose mailboxes or scripts the message went through."""
        found = set()
        for value in self.header.texts(b"delivered-to"):
            try:
                found.add(str(Address.parse(value.strip())).lower())
            except BadAddress:
                continue
        return found

    # -- answers ----------------------------------------------------------------------

    def _stamp(self, message_id: str) -> replies.Stamp:
        hostname = self.rooms.hostname
        date = date_time(int(self.rooms.now())).decode()
        return replies.Stamp(date, f"<{message_id}@{hostname}>", hostname)

    def _memory(self, key: bytes, seconds: float, *, first: bool = True) -> Memory:
        until_s = self.rooms.now() + seconds
        return Memory(self.recipient.account.name, key, until_s, first)

    async def _known(self, key: bytes) -> bool:
        account = self.recipient.account.name
        return bool(await self.rooms.spool.remembered(account, [key]))

    def _owned(self, action: actions.Vacation) -> list[Address]:
        account = self.recipient.account
        said = [account.name, *account.send_as, *action.addresses]
        said += [action.sender] if action.sender else []
        owned = [self.recipient.address]
        for text in said:
            try:
                owned.append(Address.parse(text))
            except BadAddress:
                continue
        return owned

    async def _vacation(
        self, action: actions.Vacation
    ) -> tuple[list[Sending], list[Memory]]:
        to = self.envelope.reverse_path
        why = replies.silence(self.header, to, self._owned(action))
        if why is not None or to is None:
            self._told.append(f"no answer: {why}")
            return [], []
        key = _key("vacation", action.handle, str(to).lower())
        if await self._known(key):
            self._told.append(f"no answer: {to} had one")
            return [], []
        found = await queue_work(self.rooms.router, to, sender=None, notify=NEVER)
        envelope = self._envelope(None, found)
        stamp = self._stamp(envelope.message_id)
        owner = self.recipient.address
        octets = replies.answer(action, self.header, owner, to, stamp)
        self._told.append(f"answered {to} as {envelope.message_id}")
        copies = await self._copy(octets, action.fcc)
        memory = self._memory(key, action.seconds)
        return [Sending(envelope, octets), *copies], [memory]

    async def _notify(self, action: actions.Notify) -> list[Sending]:
        """RFC 5436 §2.7: nothing is told of notifications."""
        for value in self.header.texts(b"auto-submitted"):
            if value.strip().lower().startswith("auto-notified"):
                self._told.append("not told: it is a notification")
                return []
        owner = self.recipient.address
        sender = None if self.envelope.reverse_path is None else owner
        found = [
            await queue_work(self.rooms.router, each, sender=sender, notify=NEVER)
            for each in action.recipients
        ]
        envelope = self._envelope(sender, *found)
        stamp = self._stamp(envelope.message_id)
        octets = replies.notification(action, self.header, owner, stamp)
        names = ", ".join(map(str, action.recipients))
        self._told.append(f"told {names} as {envelope.message_id}")
        return [Sending(envelope, octets), *await self._copy(octets, action.fcc)]

    async def _note(
        self, failed: tuple[tuple[str, Fault], ...]
    ) -> tuple[list[Sending], list[Memory]]:
        """The owner hears of each mistake once a day (RFC 5228 §2.10.6)."""
        for name, fault in failed:
            log.warn(
                "{message} script {name} of {account} failed: {fault}",
                message=self.envelope.message_id,
                name=name,
                account=self.recipient.account.name,
                fault=printable(str(fault)),
            )
        key = _key("failed", *(f"{name} {fault}" for name, fault in failed))
        if await self._known(key):
            return [], []
        envelope = self._to_owner(INBOX, frozenset())
        stamp = self._stamp(envelope.message_id)
        owner = self.recipient.address
        octets = replies.note(failed, self.header, owner, stamp)
        return [Sending(envelope, octets)], [self._memory(key, NOTE_S)]


def without_success(notify: Notify) -> Notify:
    """What is asked of a copy: whoever took the message reports its success."""
    if notify.when is None or "SUCCESS" not in notify.when:
        return notify
    return Notify(notify.when - {"SUCCESS"} or NEVER.when, notify.orcpt)


def _key(*words: str) -> bytes:
    said = "\0".join(words).encode("utf-8", "surrogatepass")
    return blake2b(said, digest_size=16).digest()


def _reply_lines(reason: str) -> tuple[str, ...]:
    """A reason as the lines of an SMTP reply."""
    lines = [" ".join(line.split())[:MOST_REFUSAL] for line in reason.splitlines()]
    told = [line for line in lines if line][:MOST_LINES]
    return tuple(told) or (ScriptRefused.public,)
