"""The servers of transcripts: what the line `with:` of a transcript asks for.

Settings are the options of `Imap4` by name, and

    anybody       every user may log in, and `anonymous` as by the mechanism ANONYMOUS
    sharing       as anybody; they see what others share, and the public folder News
    urls          URLs can be authorized
    text_index    the store says that it has an index of texts
    storage=N     the account may hold so many octets
    messages=N    the account may hold so many messages
    mailboxes=N   the account may have so many mailboxes
    sets_limits   logins may change limits
    uses          a new account has the mailboxes of the standard settings
    scripts       ann has the scripts of `scripted`, and annotations may name them
    slow_copy     COPY takes longer than it takes to tell that it is worked on
"""

from __future__ import annotations

from attrs import evolve, fields_dict, validators
from twisted.internet.task import Clock, deferLater
from zope.interface import alsoProvides, implementer

from mailtwist.auth.names import login_key
from mailtwist.config.reading import Imap4
from mailtwist.directory.model import Account
from mailtwist.imap4 import server
from mailtwist.imap4.url_access import UrlAccess
from mailtwist.interfaces import ISetsLimits
from mailtwist.mailbox.interfaces import IIndexedMailboxes
from mailtwist.mailbox.special_uses import STANDARD, wanted
from tests.transcript import MemoryTransport

from .room import ANN, NOON, Avatar, Client, Logins, Room
from .scripted import scripted
from .sharers import Sharers, sharing_of

OPTIONS = fields_dict(Imap4)
BOOLEANS = {"yes": True, "no": False}


class Patient(Client):
    """A client that lets time pass while the server says nothing."""

    def line(self):
        for _ in range(60):
            if (line := super().line()) is not None:
                return line
            self.room.clock.advance(1.0)
        return None


class Scene(Room):
    """A Room whose clients are Patient where something takes long."""

    patient = False

    def connect(self):
        return (Patient if self.patient else Client)(self, MemoryTransport())


def scene(test, transcript, *, clock=None, tls=None, store=None):
    """A Scene for the transcript; `test` patches what is to be slow.

    `store` is used in place of one in memory; what new accounts have is its own matter.
    """
    settings = dict(transcript.settings)
    options = {
        name: BOOLEANS[value] if value in BOOLEANS else int(value)
        for name, value in settings.items()
        if name in OPTIONS
    }
    for name in options:
        del settings[name]
    account = evolve(
        ANN,
        storage_limit_octets=_number(settings.pop("storage", None)),
        message_limit=_number(settings.pop("messages", None)),
        mailboxes_limit=_number(settings.pop("mailboxes", None)),
    )
    with validators.disabled():  # limits too low for the daemon keep transcripts short
        config = evolve(Imap4(), **options)
    if clock is None:
        clock = Clock()
        clock.advance(NOON)
    made = Scene(config, account, tls, clock=clock)
    if store is not None:
        made.store = made.accounts.store = store
        settings.pop("uses", None)
    for name in settings:
        PREPARE[name](test, made)
    made.accounts.plaintext_without_tls = not transcript.starts_tls
    return made


def _number(text):
    return None if text is None else int(text)


def _anybody(test, made):
    made.factory.authenticator = made.accounts = Logins(made.store, made.account)


def _sharing(test, made):
    made.factory.authenticator = made.accounts = Sharers(made.store, made.account)
    made.accounts.sharing = sharing_of(made.store, made.clock)


def _sets_limits(test, made):
    @implementer(ISetsLimits)
    class Administrator(Avatar):
        async def set_limits(self, path, limits):
            if path:
                await self.mailboxes.set_limits(path, limits)
                return
            self.account = evolve(
                self.account,
                storage_limit_octets=limits.octets,
                message_limit=limits.messages,
            )
            made.store.mailboxes(self.account)

    made.accounts.avatar = Administrator


def _urls(test, made):
    def key(name):
        return login_key(name, "example.test")

    async def owner(name):
        return made.store.mailboxes(Account(key(name), "/nowhere"))

    made.factory.urls = UrlAccess(
        owner, hosts=("mail.example.test",), key=key, now=lambda: NOON
    )


def _text_index(test, made):
    alsoProvides(made.store.mailboxes(made.account), IIndexedMailboxes)


def _scripts(test, made):
    made.factory.events = scripted(made.store, made.account, made.clock)
    made.factory.sieve_url = "sieve://mail.example.test"


def _uses(test, made):
    made.store.special_uses = wanted(STANDARD)


def _slow_copy(test, made):
    made.patient = isinstance(made.clock, Clock)
    takes_s = server.PROGRESS_S * 2.5
    if not made.patient:  # time for the other client, however busy the machine is
        test.patch(server, "PROGRESS_S", 0.05)
        takes_s = 0.8
    tree = made.store.mailboxes(made.account)
    opened = tree.open

    async def slow_open(*args, **options):
        mailbox = await opened(*args, **options)
        copy = mailbox.copy

        async def slow_copy(*args):
            await deferLater(made.clock, takes_s, lambda: None)
            return await copy(*args)

        mailbox.copy = slow_copy
        return mailbox

    tree.open = slow_open


PREPARE = {
    "anybody": _anybody,
    "sharing": _sharing,
    "sets_limits": _sets_limits,
    "urls": _urls,
    "text_index": _text_index,
    "scripts": _scripts,
    "slow_copy": _slow_copy,
    "uses": _uses,
}
