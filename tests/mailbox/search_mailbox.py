"""A mailbox of given messages to search, and a count of what a search reads of it."""

from attrs import evolve
from twisted.internet.defer import Deferred

from mailtwist.directory.model import Account
from mailtwist.mailbox.model import INBOX
from mailtwist.mailbox.search import search
from mailtwist.store.memory import MemoryStore


def answer(case, coroutine):
    """What a coroutine gives that never waits for anything outside."""
    return case.successResultOf(Deferred.fromCoroutine(coroutine))


class Counted:
    """An IMailbox that tells what was asked of the one inside."""

    def __init__(self, inside, messages):
        self._inside, self._messages = inside, messages
        self.rows_asked, self.columns_asked = [], []
        self.octets_asked = []  # octets of each call
        self.gone = set()

    async def rows(self, uids=None):
        self.rows_asked.append(uids)
        rows = await self._inside.rows(uids)
        keep = [at for at, uid in enumerate(rows.uids) if uid not in self.gone]
        return evolve(
            rows,
            **{
                name: [getattr(rows, name)[at] for at in keep]
                for name in ("uids", "modseqs", "flags", "octets", "internal_dates")
            },
        )

    async def rendered(self, uids, columns):
        self.columns_asked.append((len(uids), tuple(columns)))
        found = await self._inside.rendered(uids, columns)
        return [
            None if uid in self.gone else row
            for uid, row in zip(uids, found, strict=True)
        ]

    async def octets(self, ranges):
        found = await self._inside.octets(ranges)
        found = [
            None if one.uid in self.gone else octets
            for one, octets in zip(ranges, found, strict=True)
        ]
        self.octets_asked.append(sum(map(len, filter(None, found))))
        return found

    def asked(self, column):
        """How many messages a column was asked of."""
        return sum(count for count, columns in self.columns_asked if column in columns)


class Searched:
    """Messages (octets, flags, internal date) in a mailbox, UIDs 1, 2, 3..."""

    def __init__(self, case, messages):
        self._case = case
        tree = MemoryStore(lambda: 1_000_000).mailboxes(Account("ann", "/nowhere"))
        uploads = []
        for octets, flags, date in messages:
            upload = tree.upload()
            upload.write(octets)
            uploads.append((upload, frozenset(flags), date))
        self.uids = answer(case, tree.append(INBOX, uploads)).uids
        self.mailbox = Counted(answer(case, tree.open(INBOX)), messages)
        self.pauses = 0

    async def _pause(self):
        self.pauses += 1

    def found(self, key, *, view=None, recent=()):
        return answer(
            self._case,
            search(
                self.mailbox,
                key,
                self.uids if view is None else view,
                recent=recent,
                pause=self._pause,
            ),
        )

    def read_nothing(self):
        """True if the last searches opened no message and asked for no column."""
        return not self.mailbox.octets_asked and not self.mailbox.columns_asked
