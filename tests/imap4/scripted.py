"""Scripts that act on what IMAP clients do, over any store; nothing leaves."""

from datetime import UTC, datetime

from twisted.internet.defer import Deferred, succeed

from mailtwist.config.model import Config
from mailtwist.mailbox.events import MailEvents
from mailtwist.service.sieve import limits_of, programs_of
from mailtwist.sieve.delivery import Setting, SieveDelivery
from mailtwist.sieve.events import ScriptedEvents
from mailtwist.sieve.plan import Rooms

from .room import NOON

SCRIPTS = {
    "mark": 'require ["imapsieve", "imap4flags"]; addflag "$Marked";',
    "file": 'require ["imapsieve", "fileinto"]; fileinto "Filed";',
    "copy": 'require ["imapsieve", "fileinto", "copy"]; fileinto :copy "Filed";',
    "gone": 'require "imapsieve"; discard;',
    "wrong": 'require ["imapsieve", "imap4flags"]; addflag "no"; error "x";',
    "cause": """require ["imapsieve", "environment", "imap4flags", "variables"];
        if environment :matches "imap.cause" "*" { set "cause" "${1}"; }
        if environment :matches "imap.mailbox" "*" { set "where" "${1}"; }
        addflag "${cause}-${where}";
        if environment :contains "imap.changedflags" "\\\\Flagged" {
            if hasflag "\\\\Flagged" { addflag "starred"; }
            else { removeflag "starred"; }
        }""",
}


class Kept:
    """Octets in memory."""

    def __init__(self, head):
        self._parts = [head]

    def write(self, octets):
        self._parts.append(octets)

    async def buffer(self):
        return b"".join(self._parts)

    def close(self):
        self._parts.clear()


class Forgetful:
    """A spool that nothing may come to but notes, which are known already."""

    async def remembered(self, account, keys):
        return list(keys)


class Ready:
    """Another listener, once the scripts are there."""

    def __init__(self, listener, put):
        self._listener, self._put = listener, put

    async def arrived(self, event, uids):
        await self._put
        await self._listener.arrived(event, uids)

    async def look(self, event, uids):
        await self._put
        return await self._listener.look(event, uids)

    async def changed(self, event, looked):
        await self._listener.changed(event, looked)


def scripted(store, account, clock):
    """The listeners for a server whose `account` has SCRIPTS."""
    config = Config()
    programs = programs_of(config, clock)
    setting = Setting(
        rooms=Rooms(None, Forgetful(), "mail.example.test", lambda: "m", lambda: NOON),
        store=store,
        programs=programs,
        includes=None,
        lists={},
        limits=limits_of(config),
        environment={"domain": "example.test"},
        separator="+",
        delimiter="/",
        before=(),
        after=(),
        default=None,
        kept=Kept,
        pieces=lambda buffer: [buffer],
        pause=lambda: succeed(None),
        today=lambda: datetime.fromtimestamp(NOON, UTC),
    )

    async def accounts(name):
        return account if name == account.name else None

    async def put():
        tree = store.mailboxes(account)
        for name, text in SCRIPTS.items():
            await tree.put_script(name, text.encode(), len(SCRIPTS))

    ready = Deferred.fromCoroutine(put())
    events = ScriptedEvents(SieveDelivery(None, setting), accounts)
    return MailEvents([Ready(events, ready)])
