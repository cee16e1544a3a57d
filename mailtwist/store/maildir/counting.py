"""What an account holds, kept while its mailboxes change.

A mailbox counts with what its rows say, and with what was delivered to new/ since its
last look (`ledger.Page.new`).  Each transaction of the state that changes messages
notes the difference, lets the ledger see if it fits, and puts it there after COMMIT;
so a figure is never behind rows that somebody was told of.  A look puts the mailbox
right whatever other programs did there.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from attrs import define, field

from ...directory.model import Account
from ...errors import OverQuota, SystemBusy
from ...mailbox.model import Limits, Path, Quota, covers
from .. import state_counts
from ..state import MailboxRow, State
from . import domain_sum, maildirsize, scan
from .ledger import (
    NAME,
    Amount,
    Book,
    Change,
    Crossing,
    Page,
    as_told,
    boot_id,
    key_of,
    path_of,
    token,
)
from .live import Delta, Live
from .names import UniqueNames
from .place import Place

_SIZE = re.compile(r",S=(\d{1,18})(?=[,:]|\Z)", re.ASCII)


@define
class _Work:
    """What a transaction changes so far."""

    totals: dict[int, tuple[Live, int, int]] = field(factory=dict)  # by row
    taken: dict[str, Amount] = field(factory=dict)  # out of `Page.new`, by key
    given: dict[str, Amount] = field(factory=dict)  # likewise, into it
    more: list[Change] = field(factory=list)
    book: Book | None = None
    token: str = ""
    reserved: bool = False
    landed: bool = False
    changes: list[Change] = field(factory=list)


class Counting:
    """Of one account; everything runs in a thread, within a turn."""

    def __init__(
        self,
        account: Callable[[], Account],
        state: State,
        place: Callable[[], Place],
        names: UniqueNames,
        thresholds: Sequence[int] = (),
    ) -> None:
        """`thresholds` in percent of a limit: passing one is put into `crossings`."""
        self._account, self._state, self._names = account, state, names
        self._place = place
        is_mbox = account().is_mbox
        self._maildir = None if is_mbox else account().mailbox_path.rstrip("/")
        self._thresholds = thresholds
        self.path = os.path.join(account().home, NAME)
        self.crossings: list[Crossing] = []
        self._work = _Work()

    # -- a transaction ----------------------------------------------------------------

    def start(self) -> None:
        """A transaction begins."""
        self.drop()

    def _book(self) -> Book | None:
        if self._work.book is None:
            self._work.book = Book.open(self.path)
        return self._work.book

    def changed(self, live: Live, delta: Delta) -> None:
        """The rows of a mailbox change so."""
        if not (delta.added or delta.vanished) or self._book() is None:
            return
        octets, messages = self._total(live)
        octets += sum(message.file_octets for message in delta.added)
        octets -= sum(live.file_octets[at] for at in live.places(delta.vanished))
        messages += len(delta.added) - len(delta.vanished)
        self._work.totals[live.row.id] = live, octets, messages

    def _total(self, live: Live) -> Amount:
        known = self._work.totals.get(live.row.id)
        if known is not None:
            return known[1:]
        return live.total_file_octets, len(live)

    def looked(self, live: Live) -> tuple[list[str], frozenset[str]] | None:
        """What a look takes out of new/, and the bases of files that it may not take
        as they are not durable yet.  None if the account is not counted."""
        book, work = self._book(), self._work
        if book is None:
            return None
        key = key_of(live.path)
        self._join(book)
        with book.changed() as page:
            names = scan.listed_new(live.folder)
            flying = frozenset(
                change.base for flight in page.flights.values() for change in flight
            )
            work.taken[key] = page.take_new(key)  # nobody else takes it after COMMIT
            work.token = token()
            page.flights[work.token] = []
        work.totals.setdefault(live.row.id, (live, *self._total(live)))
        return names, flying - {""}

    @staticmethod
    def _join(book: Book) -> None:
        with book.changed() as page:
            book.clear(page)
        book.share(wait=True)

    def moved(self, row_id: int, old: Path, new: Path | None) -> None:
        """The mailbox has another path, or none any more."""
        book = self._book()
        if book is None:
            return
        octets, messages = state_counts.counted(self._state, row_id)
        key = key_of(old)
        if not self._work.token:
            self._join(book)
        with book.changed() as page:
            fresh = page.take_new(key)
            others = set(page.flights) - {self._work.token}
            page.stale = page.stale or bool(others)  # on their way to `old`
            self._work.token = self._work.token or token()
            page.flights[self._work.token] = []
        octets, messages = octets + fresh[0], messages + fresh[1]
        self._work.more.append(Change(key, -octets, -messages))
        self._work.taken[key] = fresh
        if new is not None:
            self._work.more.append(Change(key_of(new), octets, messages))
            self._work.given[key_of(new)] = fresh

    def reserve(self, *, bounded: bool = False) -> None:
        """Before COMMIT: put down what the transaction does.

        Raises OverQuota if it is `bounded` and does not fit."""
        work = self._work
        if work.book is None or work.reserved:
            return
        work.reserved = True
        work.changes = [*self._differences(), *work.more]
        if not work.changes:
            return  # if it is a look, its flight is there
        if not work.token:
            self._join(work.book)
        with work.book.changed() as page:
            if bounded and not page.fits(self._account().limits, work.changes):
                raise OverQuota()
            work.token = work.token or token()
            self._fly(page, bounded=bounded)

    def _fly(self, page: Page, *, bounded: bool) -> None:
        """Put the changes down on the page, and in the sum of the domain."""
        account, changes = self._account(), self._work.changes
        if account.summed is None:
            page.flights[self._work.token] = changes
            return
        with domain_sum.opened(account.summed) as total:
            if bounded and not total.fits(amount_of(changes)):
                raise OverQuota()
            page.flights[self._work.token] = changes
            total.put(account.home, page)

    def _sum(self, page: Page) -> None:
        """The sum of the domain learns what the page says."""
        account = self._account()
        if account.summed is not None:
            with domain_sum.opened(account.summed) as total:
                total.put(account.home, page)

    def domain_fits(self, more: Amount) -> bool:
        """True if so many octets and messages more fit into the domain's limit."""
        domain = self._account().summed
        if domain is None:
            return True
        with domain_sum.opened(domain) as total:
            return total.fits(more)

    def settle(self, *, anew: bool = False) -> None:
        """Make the sum of the domain one for which somebody may be refused."""
        domain = self._account().summed
        if domain is not None:
            domain_sum.settle(domain, anew=anew)

    def _differences(self) -> list[Change]:
        """Of each mailbox between now and when it was counted last."""
        found = []
        for row_id, (live, octets, messages) in self._work.totals.items():
            before = state_counts.counted(self._state, row_id)
            if before != (octets, messages):
                state_counts.set_counted(self._state, row_id, octets, messages)
            key = key_of(live.path)
            new = self._work.taken.get(key, (0, 0))
            octets -= before[0] + new[0]
            messages -= before[1] + new[1]
            if octets or messages:
                found.append(Change(key, octets, messages))
        return found

    def land(self) -> None:
        """After COMMIT."""
        work = self._work
        if work.book is not None and work.token:
            limits = self._account().limits
            with work.book.changed() as page:
                page.flights.pop(work.token, None)
                more = page.change(work.changes)
                for key, (octets, messages) in work.given.items():
                    page.arrived(key, octets, messages)
                if self._maildir is not None:
                    maildirsize.keep(
                        self._maildir,
                        self._names.draft(),
                        page,
                        limits,
                        more,
                        looked=bool(work.taken),
                    )
                self.crossings += page.crossed(limits, self._thresholds)
                self._sum(page)
            work.landed = True
        self.drop()

    def drop(self) -> None:
        """The transaction is over, or came to nothing: then whatever it did on disk
        the next look finds."""
        work, self._work = self._work, _Work()
        book = work.book
        if book is None:
            return
        if not work.landed and (work.token or work.taken):
            with suppress(SystemBusy), book.changed() as page:
                page.flights.pop(work.token, None)
                for key, amount in work.taken.items():
                    page.arrived(key, *amount)
                self._sum(page)
        book.close()

    # -- figures ----------------------------------------------------------------------

    def page(self) -> Page | None:
        """What is known now; None if all has to be counted first."""
        book = Book.open(self.path)
        if book is None:
            return None
        with book:
            with book.changed() as page:
                book.clear(page)
                self._sum(page)
            known = page.told == as_told(self._account().mailbox_limits)
            if page.stale or not known:
                return None
            if page.doubt and not page.counted_lately(time.time()):
                return None
            return page

    def sum_is_right(self, *, repair: bool) -> bool:
        """False if the sum of the domain did not say what the account holds, or is
        not what all accounts hold; then that was put right, if it was to be."""
        account, book = self._account(), Book.open(self.path)
        if account.summed is None or book is None:
            return True
        with book, book.changed() as page:
            if page.stale:
                return True  # nobody knows
            with domain_sum.opened(account.summed) as total:
                right = total.is_right(account.home, page.amount(""))
                if repair and not right:
                    total.put(account.home, page)
                    total.add_up()
        return right

    def doubted(self) -> None:
        """Something happened that only a count puts right."""
        book = Book.open(self.path)
        if book is not None:
            with book, book.changed() as page:
                page.stale = True

    def count(self, adopt: Callable[[Path, str], MailboxRow]) -> Page:
        """Count every file; `adopt` gives a row to a folder that has none."""
        began = time.monotonic()
        account, state = self._account(), self._state
        with Book.make(self.path) as book:
            with state.transaction():
                with book.changed() as page:  # from now on nobody begins a flight
                    page.stale = True
                book.alone(wait=True)
                rows = state.mailboxes()
                found = {}
                for path, folder in self._place().listed().items():
                    row = rows.get(path) or adopt(path, folder)
                    found[path] = row.id, *self._held(row, folder)
                state_counts.set_all_counted(state, found.values())
                limits = {
                    path: Limits(octets, messages)
                    for path, octets, messages in account.mailbox_limits
                } | state_counts.limits(state)
            with book.changed() as page:
                self._counted(page, limits, found)
                page.took_s = time.monotonic() - began
                if self._maildir is not None:
                    draft, limited = self._names.draft(), account.limits
                    maildirsize.renew(self._maildir, draft, page, limited)
                self.crossings += page.crossed(account.limits, self._thresholds)
                self._sum(page)
            return page

    def _counted(
        self,
        page: Page,
        limits: dict[Path, Limits],
        found: dict[Path, tuple[int, int, int]],
    ) -> None:
        page.boot, page.at = boot_id(), time.time()
        page.limits = {
            key_of(path): [each.octets, each.messages, each.mailboxes]
            for path, each in limits.items()
        }
        page.told = as_told(self._account().mailbox_limits)
        page.held, page.new, page.flights = {"": [0, 0]}, {}, {}
        page.stale = page.doubt = False
        page.change(
            Change(key_of(path), octets, messages)
            for path, (_, octets, messages) in found.items()
        )

    def quotas(self, page: Page, path: Path | None = None) -> list[Quota]:
        """The roots that have limits, of one mailbox or of all, then the account, the
        sum of its domain last."""
        account, listed = self._account(), None
        keys = [*sorted(page.limits), ""] if path is None else page.roots(key_of(path))
        quotas = []
        for key in keys:
            limits, root, mailboxes = (
                page.limits_of(key, account.limits),
                path_of(key),
                0,
            )
            if not limits.any:
                continue
            if limits.mailboxes is not None:
                listed = listed or self._place().listed()
                mailboxes = sum(covers(root, each) for each in listed)
            quotas.append(Quota(root, *page.amount(key), mailboxes, limits))
        if account.summed is not None:
            with domain_sum.opened(account.summed) as total:
                quotas.append(total.quota())
        return quotas

    def _held(self, row: MailboxRow, folder: str) -> Amount:
        """What counts for a mailbox: its files, or the messages of its one file."""
        if not self._place().is_folder(folder):
            return state_counts.of_rows(self._state, row.id)
        octets, messages, bases = held(folder)
        # What has a row and not its name yet is counted already.
        pending = state_counts.of_bases(self._state, row.id, bases)
        return octets + pending[0], messages + pending[1]

    def measured(self) -> Amount:
        """What is there in folders, counted without putting it down."""
        place = self._place()
        folders = filter(place.is_folder, place.listed().values())
        each = [held(folder) for folder in folders]
        return sum(one[0] for one in each), sum(one[1] for one in each)


def amount_of(changes: Iterable[Change]) -> Amount:
    """What an account holds more after these."""
    octets = messages = 0
    for change in changes:
        octets += change.octets
        messages += change.messages
    return octets, messages


def held(folder: str) -> tuple[int, int, list[str]]:
    """Octets and messages in new/ and cur/ of a folder, and bases of files in cur/ that
    are not shown yet; one look at each, as files get their names meanwhile."""
    octets = messages = 0
    pending = []
    for part in ("new", "cur"):
        try:
            names = os.listdir(f"{folder}/{part}")
        except FileNotFoundError:
            continue
        for name in names:
            if name[0] == ".":
                if part == "cur" and name.startswith(scan.PENDING):
                    pending.append(name.removeprefix(scan.PENDING))
                continue
            found = _SIZE.search(name)
            try:
                octets += (
                    int(found[1])
                    if found
                    else os.lstat(f"{folder}/{part}/{name}").st_size
                )
            except FileNotFoundError:
                continue
            messages += 1
    return octets, messages, pending
