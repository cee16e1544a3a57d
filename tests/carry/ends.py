"""Ends for tests: files without a child, an account in memory, and what they hold."""

from twisted.internet.defer import Deferred, execute
from twisted.python.failure import Failure

from mailtwist.carry.account import AccountEnd
from mailtwist.carry.journal import Journal
from mailtwist.carry.model import Folder, Letter
from mailtwist.carry.run import Carrier, Wishes
from mailtwist.directory.model import Account
from mailtwist.store.memory import MemoryStore


def now(coroutine):
    """What a coroutine gives that waits for nothing."""
    results = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]


class Direct:
    """A FileEnd as an IEnd, here and now; `before(method)` is called before each."""

    def __init__(self, end, before=lambda method: None):
        self.end, self.before, self.name = end, before, f"file:{end.path}"

    def __getattr__(self, method):
        work = getattr(self.end, method)

        async def ask(*arguments):
            self.before(method)
            return work(*arguments)

        return ask

    async def close(self):
        return None


def account_end(name="ann@example.test"):
    """An empty account in memory."""
    mailboxes = MemoryStore().mailboxes(Account(name, f"/nowhere/{name}"))
    return AccountEnd(name, mailboxes)


def fill(end, *messages):
    """Put in (path, octets, flags, date)s; the keys they got."""
    keys = []
    for path, octets, flags, date in messages:
        now(end.make(Folder(path)))
        keys += now(end.add(path, [Letter(octets, frozenset(flags), date)]))
    return keys


def held(end):
    """{path: (octets, flags, date) of each message in order}."""
    found = {}
    for folder in now(end.folders()):
        items = now(end.listed(folder.path)).items
        octets = now(end.read(folder.path, [item.key for item in items]))
        found[folder.path] = [
            (one, item.flags, item.internal_date)
            for item, one in zip(items, octets, strict=True)
        ]
    return found


def carry(source, target, data, **wishes):
    """Carry all of it; the figures."""
    journal = Journal(str(data), source.name, target.name)
    return now(Carrier(source, target, journal, Wishes(**wishes), execute).run())
