"""Whether new files fit into what their accounts may hold: for a batch of the writer.

Blocks, so it runs in the writer's thread; see `ledger`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from ...directory.model import Account
from ...errors import MailError, OverQuota
from ...mailbox.model import Path
from . import domain_sum, durable, maildirsize
from .ledger import (
    NAME,
    Book,
    Change,
    Crossing,
    Page,
    Uncounted,
    as_told,
    key_of,
    token,
)

if TYPE_CHECKING:
    from .batch import Job


@frozen
class Room:
    """Where a file counts: a mailbox of an account; `thresholds` in percent."""

    account: Account
    path: Path
    thresholds: tuple[int, ...] = ()
    exempt: bool = False  # it comes whether it fits or not

    @property
    def ledger(self) -> str:
        return f"{self.account.home}/{NAME}"

    @property
    def maildir(self) -> str:
        return self.account.mailbox_path.rstrip("/")


@define
class _Account:
    room: Room
    book: Book
    jobs: list[Job] = field(factory=list)
    token: str = ""


class Admission:
    """The files of a batch, from before they are written until they are durable."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        """Jobs that do not fit get OverQuota; Uncounted where nobody knows."""
        self._accounts: list[_Account] = []
        self.crossings: list[tuple[Account, list[Crossing]]] = []
        by_ledger: dict[str, list[Job]] = {}
        for job in jobs:
            if job.file.room is not None:
                by_ledger.setdefault(job.file.room.ledger, []).append(job)
        for some in by_ledger.values():
            try:
                self._begin(some)
            except OSError as cause:
                _refuse(some, durable.fault_of(cause))
            except MailError as fault:
                _refuse(some, fault)

    def _begin(self, jobs: list[Job]) -> None:
        room = jobs[0].file.room
        if room is None:
            return
        book = Book.open(room.ledger)
        if book is None:
            if room.account.is_limited:
                _refuse(jobs, Uncounted())
            return
        account = _Account(room, book)
        try:
            with book.changed() as page:
                book.clear(page)
                if page.stale or page.told != as_told(room.account.mailbox_limits):
                    raise Uncounted()
                if not book.share():
                    raise Uncounted()
                self._admit(account, page, jobs)
        except BaseException:
            book.close()
            raise
        if account.jobs:
            self._accounts.append(account)
        else:
            book.close()

    @staticmethod
    def _admit(account: _Account, page: Page, jobs: list[Job]) -> None:
        flight: list[Change] = []
        owner = account.room.account
        account.token = token()
        page.flights[account.token] = flight
        octets = 0
        with domain_sum.opened(owner.summed) if owner.summed else nullcontext() as all_:
            for job in jobs:
                change = _change(job)
                more, beside = (change.octets, 1), (octets, len(flight))
                fits = all_ is None or all_.fits(more, beside)
                if _exempt(job) or (fits and page.fits(owner.limits, [change])):
                    flight.append(change)
                    octets += change.octets
                    account.jobs.append(job)
                else:
                    known = page.counted_lately(time.time())
                    known = known and (all_ is None or all_.settled_lately)
                    job.refused(OverQuota() if known else Uncounted())
            if not flight:
                del page.flights[account.token]
            elif all_ is not None:
                all_.put(owner.home, page)

    def end(self) -> None:
        """What came, counts; whatever else was to come does not."""
        for account in self._accounts:
            try:
                self._end(account)
            except (OSError, MailError):
                pass  # the flight stays, and so all is counted anew
            finally:
                account.book.close()

    def _end(self, account: _Account) -> None:
        room = account.room
        came = [_change(job) for job in account.jobs if job.fault is None]
        with account.book.changed() as page:
            page.flights.pop(account.token, None)
            more = page.change(came)
            if page.flights and any(job.file.into == "cur" for job in account.jobs):
                page.stale = True  # a look may have met them there
            for change in came:
                page.arrived(change.key, change.octets, change.messages)
            limits, domain = room.account.limits, room.account.summed
            if not room.account.is_mbox:
                maildirsize.keep(room.maildir, account.token, page, limits, more)
            crossings = page.crossed(limits, room.thresholds)
            if domain is not None:
                with domain_sum.opened(domain) as all_:
                    all_.put(room.account.home, page)
        if crossings:
            self.crossings.append((room.account, crossings))


def _change(job: Job) -> Change:
    file = job.file
    path = () if file.room is None else file.room.path
    return Change(key_of(path), file.octets, 1, file.name.partition(":")[0])


def _exempt(job: Job) -> bool:
    return job.file.room is not None and job.file.room.exempt


def _refuse(jobs: Sequence[Job], fault: MailError) -> None:
    for job in jobs:
        job.refused(fault)
