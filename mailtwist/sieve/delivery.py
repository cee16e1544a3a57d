"""Local delivery through the scripts of recipients.

A recipient without any script costs one look at whether there is one.  For others the
octets are kept until all are there, then their scripts run and what they ask for is one
commit: a copy in one mailbox goes there at once, anything more is one transaction of
the queue, which files what is for mailboxes here a moment later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary

from attrs import evolve, frozen
from twisted.internet.defer import Deferred, DeferredLock, gatherResults
from twisted.logger import Logger
from zope.interface import implementer

from ..delivery.model import (
    Envelope,
    LocalRecipient,
    Verdict,
)
from ..delivery.sinks import put, verdicts_of, write_to_all
from ..directory.model import Account
from ..errors import MailError, RememberedMeanwhile
from ..interfaces import IDelivery, IMessageSink, ITable
from ..mailbox.interfaces import IStore
from ..mime.slices import Buffer
from ..policy.content import IKept
from ..shielded import shielded
from . import verdicts
from .actions import Draft, Outcome
from .answers import Answers, Includes, drive
from .circumstances import Circumstances
from .commit import queue, write
from .compiled import Program
from .faults import Fault, ScriptError
from .limits import Limits
from .message import Message
from .plan import Filing, Plan, Planner, Rooms
from .programs import Programs, ScriptFile
from .run import Script, interpret

log = Logger("mailtwist")

OWN = "your script"  # what the owner's active script is called in a note to them


@frozen
class Setting:
    """What all deliveries share.

    `before`, `after` and `default` are the server's scripts; `pieces` cuts a buffer;
    `pause` lets others have a turn; `today` gives now with the local zone."""

    rooms: Rooms
    store: IStore
    programs: Programs
    includes: Includes
    lists: dict[str, ITable]
    limits: Limits
    environment: dict[str, str]
    separator: str
    delimiter: str
    before: tuple[ScriptFile, ...]
    after: tuple[ScriptFile, ...]
    default: ScriptFile | None
    kept: Callable[[bytes], IKept]
    pieces: Callable[[Buffer], Iterable[bytes]]
    pause: Callable[[], Awaitable[Any]]
    today: Callable[[], datetime]
    authserv_id: str = ""  # of our Authentication-Results

    @property
    def for_all(self) -> bool:
        """True if every recipient's mail goes through some script."""
        return bool(self.before or self.after or self.default)


@implementer(IDelivery)
class SieveDelivery:
    """Scripts before `local`, the store's own way in."""

    def __init__(self, local: IDelivery, setting: Setting) -> None:
        self.local, self.setting = local, setting
        self._locks: WeakValueDictionary[str, DeferredLock] = WeakValueDictionary()

    def begin(self, envelope: Envelope) -> IMessageSink:
        """See IDelivery."""
        scripted = [
            at for at, each in enumerate(envelope.recipients) if self._has_scripts(each)
        ]
        if not scripted:
            return self.local.begin(envelope)
        return SieveSink(self, envelope, scripted)

    def _has_scripts(self, recipient: object) -> bool:
        if not isinstance(recipient, LocalRecipient) or recipient.sorted:
            return False
        if self.setting.for_all:
            return True
        return self.setting.store.script_stamp(recipient.account) is not None

    def lock(self, account: str) -> DeferredLock:
        """Held while scripts run that ask what came before."""
        lock = self._locks.get(account)
        if lock is None:
            lock = self._locks[account] = DeferredLock()
        return lock

    # -- the scripts ------------------------------------------------------------------

    async def scripts(
        self, recipient: LocalRecipient
    ) -> tuple[list[Script], list[tuple[str, Fault]]]:
        """Those of a recipient in order, and what is wrong with others.

        Raises MailError if the account's cannot be read now."""
        setting = self.setting
        found: list[Script] = []
        bad: list[tuple[str, Fault]] = []

        async def add(name: str, program: Awaitable[Program]) -> None:
            try:
                found.append(Script(name, await program))
            except ScriptError as fault:
                bad.append((name, fault.faults[0]))

        for file in setting.before:
            await add(file.path, file.program())
        own = None
        if setting.store.script_stamp(recipient.account) is not None:
            own = await setting.store.active_script(recipient.account)
        if own is not None:
            await add(OWN, setting.programs.program(own))
        elif setting.default is not None:
            await add(setting.default.path, setting.default.program())
        for file in setting.after:
            await add(file.path, file.program())
        return found, bad

    async def outcome(
        self,
        envelope: Envelope,
        recipient: LocalRecipient,
        message: Message,
        scripts: Sequence[Script],
        *,
        trace: bool = False,
    ) -> tuple[Outcome, Answers]:
        """What these scripts make of the message; raises a temporary MailError."""
        here = self.circumstances(message)
        here = evolve(
            here,
            reverse_path=envelope.reverse_path,
            recipient=recipient.address,
            notify=recipient.notify,
            wishes=envelope.wishes,
        )
        return await self.run(recipient.account, message, scripts, here, trace=trace)

    def circumstances(self, message: Message) -> Circumstances:
        """Those that are no matter of the envelope."""
        setting = self.setting
        return Circumstances(
            setting.today(),
            separators=setting.separator,
            environment=setting.environment,
            spam_percent=verdicts.spam_percent(message.header, setting.authserv_id),
            virus_level=verdicts.virus_level(message.header),
        )

    async def run(
        self,
        account: Account,
        message: Message,
        scripts: Sequence[Script],
        here: Circumstances,
        *,
        trace: bool = False,
    ) -> tuple[Outcome, Answers]:
        """As `outcome`, whatever it is that the message goes through them for."""
        setting = self.setting
        answers = Answers(
            account,
            setting.store.mailboxes(account),
            spool=setting.rooms.spool,
            includes=setting.includes,
            lists=setting.lists,
            delimiter=setting.delimiter,
        )
        work = interpret(
            scripts,
            message,
            here,
            setting.limits,
            known=setting.programs.known,
            trace=trace,
        )
        return await drive(work, answers.to, setting.pause), answers


@implementer(IMessageSink)
class SieveSink:
    """The octets for recipients with scripts are kept, those for others go on."""

    def __init__(
        self, delivery: SieveDelivery, envelope: Envelope, scripted: Sequence[int]
    ) -> None:
        self.octets = 0
        self._delivery, self._envelope, self._scripted = delivery, envelope, scripted
        self._kept = delivery.setting.kept(envelope.trace)
        self._others = [
            at for at in range(len(envelope.recipients)) if at not in scripted
        ]
        self._plain: IMessageSink | None = None
        if self._others:
            some = tuple(envelope.recipients[at] for at in self._others)
            self._plain = delivery.local.begin(evolve(envelope, recipients=some))
        self._spent = False

    def write(self, octets: bytes) -> Awaitable[None] | None:
        """The slowest sets the pace."""
        self.octets += len(octets)
        if self._plain is None:
            return self._kept.write(octets)
        return write_to_all([self._kept.write, self._plain.write], octets)

    def abort(self) -> None:
        if not self._spent:
            self._spent = True
            self._kept.close()
            if self._plain is not None:
                self._plain.abort()

    async def commit(self) -> list[Verdict]:
        if self._spent:
            raise MailError("The message was given up")
        self._spent = True
        # What was begun is finished, even if the sender is gone by then.
        return await shielded(Deferred.fromCoroutine(self._commit()))

    async def _commit(self) -> list[Verdict]:
        found: list[Verdict] = [None] * len(self._envelope.recipients)
        begun = [Deferred.fromCoroutine(self._sort(found))]
        if self._plain is not None:
            begun.append(Deferred.fromCoroutine(self._pass_on(self._plain, found)))
        try:
            await gatherResults(begun)
        finally:
            self._kept.close()
        return found

    async def _pass_on(self, plain: IMessageSink, found: list[Verdict]) -> None:
        put(found, self._others, await verdicts_of(plain, len(self._others)))

    # -- those with scripts -----------------------------------------------------------

    async def _sort(self, found: list[Verdict]) -> None:
        """The verdict of each recipient with scripts."""
        recipients = [
            (at, each)
            for at in self._scripted
            if isinstance(each := self._envelope.recipients[at], LocalRecipient)
        ]
        try:
            buffer = await self._kept.buffer()
        except MailError as fault:
            for at, _ in recipients:
                found[at] = fault
            return
        locks = []
        names = sorted({each.account.name for _, each in recipients})
        for name in names:  # always in this order, so that none waits for another
            lock = self._delivery.lock(name)
            await lock.acquire()
            locks.append(lock)
        try:
            await self._in_turn(buffer, recipients, found)
        finally:
            for lock in locks:
                lock.release()

    async def _in_turn(
        self,
        buffer: Buffer,
        recipients: Sequence[tuple[int, LocalRecipient]],
        found: list[Verdict],
        tries: int = 3,
    ) -> None:
        """In turn for those of this process; another may have answered or seen the same
        meanwhile, which the scripts are to know."""
        plain: list[tuple[int, LocalRecipient, Filing]] = []
        more: list[tuple[int, LocalRecipient, Plan]] = []
        for at, recipient in recipients:
            try:
                plan = await self._plan(buffer, recipient)
            except MailError as fault:
                found[at] = fault
                continue
            except Exception:
                log.failure("scripts of {name}", name=recipient.account.name)
                found[at] = MailError()
                continue
            found[at] = plan.refused
            if plan.refused is not None:
                continue
            filing = plan.plain
            if filing is not None:
                plain.append((at, recipient, filing))
            elif plan.filings or plan.sendings or plan.memories:
                more.append((at, recipient, plan))
        await self._file(buffer, plain, found)
        if more:
            setting = self._delivery.setting
            plans = [(recipient, plan) for _, recipient, plan in more]
            try:
                await queue(
                    setting.rooms, self._envelope, buffer, plans, setting.pieces
                )
            except MailError as fault:
                if isinstance(fault, RememberedMeanwhile) and tries > 1:
                    again = [(at, recipient) for at, recipient, _ in more]
                    await self._in_turn(buffer, again, found, tries - 1)
                else:
                    put(found, [at for at, _, _ in more], [fault] * len(more))

    async def _plan(self, buffer: Buffer, recipient: LocalRecipient) -> Plan:
        delivery, envelope = self._delivery, self._envelope
        scripts, bad = await delivery.scripts(recipient)
        message = Message(buffer, len(buffer) - len(envelope.trace))
        header = Message(buffer).header  # as it came, whatever scripts make of it
        outcome, answers = await delivery.outcome(envelope, recipient, message, scripts)
        if bad:
            outcome = evolve(outcome, failed=(*bad, *outcome.failed))
        planner = Planner(delivery.setting.rooms, envelope, recipient, header, answers)
        plan = await planner.plan(outcome)
        log.info(
            "{message} sieve for {name}: {told}",
            message=envelope.message_id,
            name=str(recipient.address),
            told="; ".join(plan.told) or "nothing",
        )
        return plan

    async def _file(
        self,
        buffer: Buffer,
        plain: Sequence[tuple[int, LocalRecipient, Filing]],
        found: list[Verdict],
    ) -> None:
        """One copy for each: all of one content at once."""
        by_draft: dict[Draft | None, list[tuple[int, LocalRecipient]]] = {}
        for at, recipient, filing in plain:
            to = evolve(recipient, path=filing.path, flags=filing.flags, sorted=True)
            by_draft.setdefault(filing.draft, []).append((at, to))
        for draft, some in by_draft.items():
            envelope = evolve(
                self._envelope, recipients=tuple(to for _, to in some), trace=b""
            )
            sink = self._delivery.local.begin(envelope)
            try:
                await write(sink, buffer, draft, self._delivery.setting.pieces)
            except BaseException:
                sink.abort()
                raise
            places = [at for at, _ in some]
            put(found, places, await verdicts_of(sink, len(places)))
