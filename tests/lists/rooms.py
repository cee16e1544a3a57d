"""A desk with a real database, no reactor and no threads."""

import itertools
from base64 import b32encode

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailtwist.address import Address
from mailtwist.config.listing import ListOptions
from mailtwist.delivery.model import RemoteRecipient
from mailtwist.errors import MailError
from mailtwist.lists import statements
from mailtwist.lists.chores import after
from mailtwist.lists.clerk import Clerk
from mailtwist.lists.desk import Desk
from mailtwist.lists.model import OWNER
from mailtwist.lists.plan import Join, Plan
from mailtwist.lists.store import ListStore
from mailtwist.lists.writer import Writer
from mailtwist.queue.spool.thread import Direct

DEV = Address("dev", "lists.test")
OLA = Address("ola", "lists.test")
URL = "https://lists.test/l"


class Nobody:
    """Policies of domains: those in `strict` ask for it."""

    strict = ()

    async def guarded(self, domain):
        return domain in self.strict


class Anywhere:
    """A router to which every address is elsewhere; `down` fails for now."""

    down = False

    async def resolve(self, address, **more):
        if self.down:
            raise MailError()
        return RemoteRecipient(address)


def now(coroutine):
    """What a coroutine gives that need not wait."""
    results = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result


class Office:
    """The list dev@lists.test, owned by ola; `url` of the web pages."""

    def __init__(self, path, url="", **options):
        self.now_s, self._count = 1_000_000.0, itertools.count(1)
        self.store = ListStore(
            None,
            path,
            now=lambda: self.now_s,
            writer=Direct(statements.connect(path), writes=True),
            reader=Direct(statements.connect(path), writes=False),
        )
        self.policies = Nobody()
        self.writer = Writer(lambda: self.now_s, self.token, url)
        self.desk = Desk(self.store, self.writer, self.policies)
        self.clerk = Clerk(self.store, self.writer)
        self._works = itertools.count(1)

        def make(connection):
            there = statements.lists(connection)
            if there:
                return there[0]
            made = statements.add(connection, DEV, ListOptions(**options), self.now_s)
            statements.give_role(connection, made.number, OWNER, OLA)
            return made

        self.list = self.did(self.store.write(make))

    def token(self):
        octets = next(self._count).to_bytes(15, "big")
        return b32encode(octets).decode().lower()

    @staticmethod
    def did(deferred):
        results = []
        deferred.addBoth(results.append)
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]

    def join(self, *addresses, **more):
        changes = tuple(Join(text, **more) for text in addresses)
        now(self.store.apply(self.list, Plan(changes)))

    def members(self):
        return [str(one.address) for one in now(self.store.members(self.list.number))]

    def member(self, text):
        place = now(self.store.standing(self.list.number, Address.parse(text)))
        return place.member

    def take(self, function, octets, reverse_path="ann@a.test", work=None):
        """A message to an address of the list; `function` "" for posts."""
        local_part = f"dev-{function}" if function else "dev"
        path = Address.parse(reverse_path) if reverse_path else None
        work = work or f"q{next(self._works)}/1"
        return now(
            self.desk.take(Address(local_part, "lists.test"), octets, path, work)
        )

    def sent(self):
        """The mails in the outbox, taken out."""
        found = []
        while (one := self.did(self.store.read(lambda c: after(c, 0)))) is not None:
            found.append(one)
            self.did(
                self.store.write(
                    lambda c, n=one.number: c.execute(
                        "DELETE FROM outbox WHERE number = ?", (n,)
                    )
                )
            )
        return found

    def close(self):
        self.did(self.store.close())


def to(mail):
    """The addresses a mail goes to."""
    return [each.address for each in mail.recipients]
