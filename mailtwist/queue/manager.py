"""Runs the queue: loads what is due, makes attempts in fair turns, records the results.

Everything of value is in the spool; what is here may be lost at any moment.  A new
message goes from the spool straight into its first attempt.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from ..config.queueing import Queue
from ..errors import MailError
from ..interfaces import IContent, IReporter, ISpool, ITransport
from . import retry
from .destination import Destination
from .jobs import jobs_of
from .loaded import Loaded, LoadedMessages, Looked, Work
from .model import Job, Outcome, QueuedMessage, QueuedRecipient, Seen
from .turns import Turns
from .verdicts import Verdicts, bare_verdicts, verdicts

log = Logger("mailtwist")

CHUNK = 500  # messages asked of the spool at once
POLL_S = 1.0  # how often a change by a command is looked for
AGAIN_S = 5.0  # wait before a failed storage is tried again
SLACK_S = 0.05  # so that what is due together is loaded together
MOST_DESTINATIONS = 10_000  # whose windows are remembered


class NoTransport(MailError):
    """A route names something that is not there; it may come back."""

    status, public = "4.3.5", "This server has no such way out now"


class Manager:
    """One queue.

    `clock` gives `seconds` (of the epoch) and `callLater`; `transports` are by the
    names of `delivery.model.Route`; `chance` gives [0, 1) for jitter.
    """

    def __init__(
        self,
        *,
        clock: Any,
        spool: ISpool,
        transports: Mapping[str, ITransport],
        reporter: IReporter,
        config: Queue,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._clock, self._spool, self._transports = clock, spool, transports
        self._reporter, self._config, self._chance = reporter, config, chance
        self._loaded, self._looked = LoadedMessages(), Looked()
        self._turns: Turns[Work] = Turns()
        self._destinations: dict[str, Destination] = {}
        self._attempts: set[Deferred[Any]] = set()
        self._settling = 0
        self._stopping = True  # until started
        self._quiet: Deferred[None] | None = None
        self._poll = LoopingCall(self._look_for_changes)
        self._poll.clock = clock
        self._timer: Any = None
        self._beginning = self._filling = self._fill_again = False
        self._more = False  # due messages were left on disk
        self._generation = 0
        self._unloaded = 0  # messages since the last look
        self._ended: set[str] = set()  # their ids, while the spool is asked

    def start(self) -> None:
        """Begin with what is due."""
        self._stopping = False
        self._poll.start(POLL_S, now=False).addErrback(_broken, "the poll")
        self._fill()

    async def stop(self, grace_s: float) -> None:
        """Begin nothing more; attempts that do not end in time are abandoned."""
        self._stopping = True
        if self._poll.running:
            self._poll.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._attempts or self._settling:
            self._quiet = Deferred()
            late = self._clock.callLater(grace_s, self._abandon)
            await self._quiet
            if late.active():
                late.cancel()

    def _abandon(self) -> None:
        for attempt in list(self._attempts):
            attempt.cancel()

    # -- what comes in ------------------------------------------------------------

    def arrived(
        self,
        message: QueuedMessage,
        recipients: Sequence[QueuedRecipient],
        content: IContent,
    ) -> None:
        """A message became durable: its first attempt may begin."""
        if self._stopping or message.held:
            return
        now_s = self._clock.seconds()
        due = [each for each in recipients if each.due_s <= now_s]
        if len(due) < len(recipients):
            self._wake_at(min(each.due_s for each in recipients if each.due_s > now_s))
        if not due or message.queue_id in self._loaded:
            return
        if message.wishes.priority <= 0 or self._loaded.room <= 0:
            welcome = self._loaded.welcome(message, due, self._turns.ready)
            if len(welcome) < len(due):
                self._more = True
                self._looked.left_out(due[0].due_s)
            due = welcome
        if due:
            self._load(message, due, content)
            self._run()

    async def heard(self, queue_ids: Sequence[str]) -> None:
        """Another process put these messages into the queue."""
        if self._stopping:
            return
        if self._loaded.room <= 0:
            self._more = True
            self._looked.forget()
            return
        try:
            found = await self._spool.those(queue_ids)
        except MailError:
            return  # the next look finds them
        for message, recipients in found:
            self.arrived(message, recipients, self._spool.content(message))

    async def flush(self, domain: str = "") -> None:
        """Try now what waits for `domain`, or everything (RFC 1985)."""
        await self._spool.hurry(self._clock.seconds(), domain)
        self._revive()
        self._fill()

    async def _look_for_changes(self) -> None:
        try:
            seen = await self._spool.seen()
        except MailError:
            return  # the storage is asked again in a moment
        if seen is Seen.NOTHING or self._stopping:
            return
        if seen is Seen.ORDERS:
            self._forget_waiting()
            self._revive()
        else:
            self._looked.forget()
        self._fill()

    def _forget_waiting(self) -> None:
        """Somebody changed the queue: what has not begun is loaded anew."""
        self._generation += 1
        self._looked.forget()
        for work in self._turns.take_all():
            self._finished(work.loaded)

    def _revive(self) -> None:
        for key, destination in self._destinations.items():
            destination.revive()
            self._open_or_block(key, destination)

    # -- loading ------------------------------------------------------------------

    def _fill(self) -> None:
        """Load what is due, as far as there is room."""
        if self._filling:
            self._fill_again = True
        elif not self._stopping:
            self._filling = True
            filling = Deferred.fromCoroutine(self._fill_now())
            filling.addErrback(_broken, "loading")
            filling.addBoth(self._filled)

    def _filled(self, result: object) -> None:
        self._filling = False
        if self._fill_again:
            self._fill_again = False
            self._fill()

    async def _fill_now(self) -> None:
        try:
            while not self._stopping and await self._fill_some():
                pass
            if not self._stopping:
                next_s = await self._spool.next_due(self._clock.seconds())
                if next_s is not None:
                    self._wake_at(next_s)
        except MailError as fault:
            log.error("the queue cannot be read: {public}", public=fault.public)
            self._wake_at(self._clock.seconds() + AGAIN_S)

    async def _fill_some(self) -> bool:
        """One look; True if another is worth it."""
        loaded = self._loaded
        count = min(CHUNK, loaded.room)
        if count <= 0:
            self._more = True
            return False
        self._unloaded = 0
        self._ended.clear()
        generation = self._generation
        crowded = loaded.crowded(self._turns.ready)
        now_s = self._clock.seconds()
        since_s = self._looked.since_s(crowded, now_s)
        found = await self._spool.due(now_s, count, loaded.ids, crowded, since_s)
        if generation != self._generation:
            return True
        if self._stopping:
            return False
        some = left_out = False
        for message, recipients in found:
            queue_id = message.queue_id
            if queue_id in self._ended:
                left_out = True  # it may be due again, but not as it was read
            elif queue_id not in loaded and recipients:
                welcome = loaded.welcome(message, recipients, self._turns.ready)
                left_out = left_out or len(welcome) < len(recipients)
                if welcome:
                    some = True
                    self._load(message, welcome, self._spool.content(message))
        self._run()
        whole = len(found) == count
        if not whole and not left_out:
            self._looked.found_all(crowded, since_s, now_s)
        self._more = self._more and bool(self._ended)
        self._more = self._more or whole or left_out or bool(crowded)
        return whole and some and loaded.room > 0

    def _wake_at(self, at_s: float) -> None:
        """Look at the spool at this time, or earlier if that is asked already."""
        if self._stopping:
            return
        wait_s = max(0.0, at_s - self._clock.seconds()) + SLACK_S
        if self._timer is not None:
            if self._timer.getTime() <= self._clock.seconds() + wait_s:
                return
            self._timer.cancel()
        self._timer = self._clock.callLater(wait_s, self._woken)

    def _woken(self) -> None:
        self._timer = None
        self._fill()

    def _load(
        self,
        message: QueuedMessage,
        recipients: Sequence[QueuedRecipient],
        content: IContent,
    ) -> None:
        loaded = self._loaded.add(message, recipients, content)
        try:
            works = self._works(loaded, recipients)
        except Exception:  # it stays where it is, and harms no other
            log.failure("{id} cannot be tried", id=message.queue_id)
            loaded.left = 1
            return
        loaded.left = len(works)
        for work in works:
            key = work.destination
            off = self._destination(key).put_off(self._clock.seconds())
            if off is not None:
                self._settle(work, [off] * len(work.job.recipients))
                continue
            self._turns.add(
                work,
                priority=message.wishes.priority,
                source=loaded.source,
                destination=key,
                message=message.queue_id,
            )

    def _works(
        self, loaded: Loaded, recipients: Sequence[QueuedRecipient]
    ) -> list[Work]:
        works = []
        for job in jobs_of(loaded.message, recipients, self._config.recipients):
            key = job.route.transport
            transport = self._transports.get(key)
            if transport is not None:
                key += f":{transport.destination(job)}"
            works.append(Work(loaded, job, key))
        return works

    def _finished(self, loaded: Loaded) -> None:
        """A job of it has ended, or will not begin."""
        loaded.left -= 1
        if not loaded.left:
            self._loaded.remove(loaded)
            self._unloaded += 1
            if self._filling:
                self._ended.add(loaded.message.queue_id)
        if self._more and (
            not self._turns.waiting
            or self._unloaded >= CHUNK
            or self._loaded.wants_more(loaded, self._turns.ready)
        ):
            self._more = False
            self._fill()

    # -- attempts -----------------------------------------------------------------

    def _destination(self, key: str) -> Destination:
        found = self._destinations.get(key)
        if found is None:
            if len(self._destinations) >= MOST_DESTINATIONS:
                self._forget_destinations()
            found = self._destinations[key] = Destination(self._config)
        return found

    def _forget_destinations(self) -> None:
        for key, destination in list(self._destinations.items()):
            if destination.idle and not self._turns.has(key):
                del self._destinations[key]

    def _run(self) -> None:
        """Begin attempts while there is room; one that ends at once calls again."""
        if self._beginning:
            return
        self._beginning = True
        try:
            while not self._stopping and len(self._attempts) < self._config.attempts:
                turn = self._turns.next()
                if turn is None:
                    return
                key, work = turn
                destination = self._destination(key)
                destination.began(self._clock.seconds())
                self._open_or_block(key, destination)
                self._begin(work, destination)
        finally:
            self._beginning = False

    def _open_or_block(self, key: str, destination: Destination) -> None:
        """Let jobs for it have turns, or not just now."""
        now_s = self._clock.seconds()
        at_s = destination.ready_at(now_s)
        if at_s is not None and at_s <= now_s:
            self._turns.free(key)
            return
        self._turns.block(key)
        if at_s is not None:
            self._clock.callLater(at_s - now_s, self._ready_again, key)

    def _ready_again(self, key: str) -> None:
        destination = self._destinations.get(key)
        if destination is not None and not self._stopping:
            self._open_or_block(key, destination)
            self._run()

    def _begin(self, work: Work, destination: Destination) -> None:
        attempt = Deferred.fromCoroutine(self._outcomes(work.job, work.loaded.content))
        self._attempts.add(attempt)

        def ended(result: Any) -> None:
            self._attempts.discard(attempt)
            if isinstance(result, list):
                self._attempted(work, destination, result)
            else:  # abandoned: what became of it is not known
                destination.abandoned()
                self._finished(work.loaded)
            self._check_quiet()

        attempt.addBoth(ended)

    async def _outcomes(self, job: Job, content: IContent) -> list[Outcome]:
        count = len(job.recipients)
        if retry.over(job.message, self._clock.seconds()):
            return [Outcome(retry.Expired())] * count
        transport = self._transports.get(job.route.transport)
        if transport is None:
            return [Outcome(NoTransport())] * count
        try:
            outcomes = list(await transport.attempt(job, content))
            if len(outcomes) == count:
                return outcomes
            log.error(
                "{transport} gave {outcomes} outcomes for {count} recipients",
                transport=job.route.transport,
                outcomes=len(outcomes),
                count=count,
            )
        except CancelledError:
            raise
        except Exception:
            log.failure("attempting {id}", id=job.message.queue_id)
        return [Outcome(MailError())] * count

    def _attempted(
        self, work: Work, destination: Destination, outcomes: list[Outcome]
    ) -> None:
        now_s, key = self._clock.seconds(), work.destination
        pause_s = retry.retry_after_s(
            self._config, destination.pauses + 1, self._chance()
        )
        if destination.ended(outcomes, now_s, pause_s):
            log.info(
                "{destination} put off for {pause_s:.0f} s: {why}",
                destination=key,
                pause_s=pause_s,
                why=_why(outcomes[0]),
            )
            for other in self._turns.take(key):
                self._settle(other, [outcomes[0]] * len(other.job.recipients))
        self._open_or_block(key, destination)
        self._settle(work, outcomes)
        self._run()

    # -- results ------------------------------------------------------------------

    def _settle(self, work: Work, outcomes: list[Outcome]) -> None:
        self._settling += 1
        settling = Deferred.fromCoroutine(self._settle_now(work, outcomes))
        settling.addErrback(_broken, "settling")
        settling.addBoth(self._settled, work)

    async def _settle_now(self, work: Work, outcomes: list[Outcome]) -> None:
        job, content = work.job, work.loaded.content
        now_s, chance = self._clock.seconds(), self._chance()
        try:
            found = await verdicts(
                job, outcomes, content, self._reporter, self._config, now_s, chance
            )
        except Exception:  # a mistake of ours must not send anything twice
            log.failure("judging an attempt for {id}", id=job.message.queue_id)
            found = bare_verdicts(job, outcomes, now_s + self._config.first_retry_s)
        due_s = await self._record(job.message.queue_id, found)
        if due_s is None:
            return
        if work.loaded.left == 1:  # what became due meanwhile was left on disk
            self._looked.left_out(due_s)
        self._wake_at(due_s)

    async def _record(self, queue_id: str, found: Verdicts) -> float | None:
        """Until the spool takes it: what was delivered must not be sent again.  When
        the rest of the message is due."""
        while True:
            try:
                return await self._spool.settle(
                    queue_id, found.done, found.later, found.reports
                )
            except Exception as fault:
                log.error("{id} cannot be recorded: {why}", id=queue_id, why=fault)
                if self._stopping:
                    return None
                await deferLater(self._clock, AGAIN_S)

    def _settled(self, result: object, work: Work) -> None:
        self._settling -= 1
        self._finished(work.loaded)
        self._check_quiet()

    def _check_quiet(self) -> None:
        if self._quiet is not None and not self._attempts and not self._settling:
            quiet, self._quiet = self._quiet, None
            quiet.callback(None)


def _why(outcome: Outcome) -> str:
    return outcome.reply or (outcome.fault.public if outcome.fault else "")


def _broken(failure: Any, what: str) -> None:
    log.failure("the queue: {what}", failure=failure, what=what)
