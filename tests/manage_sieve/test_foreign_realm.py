"""ManageSieve on a realm of others that keeps scripts."""

from base64 import b64encode

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from mailtwist.config.model import Auth
from mailtwist.config.sieve import Sieve
from mailtwist.errors import ConfigError, NoSuchScript
from mailtwist.mailbox.interfaces import IScripts
from mailtwist.mailbox.model import ScriptInfo
from mailtwist.service.foreign import ForeignServers

from .world import Wire


@implementer(IScripts)
class Scripts:
    """In a dictionary, with the Deferreds of Twisted; some of the methods."""

    def __init__(self):
        self.kept = {}

    def scripts(self):
        return succeed([ScriptInfo(n, len(o), False) for n, o in self.kept.items()])

    async def script(self, name):
        if name not in self.kept:
            raise NoSuchScript()
        return self.kept[name]

    def put_script(self, name, octets, most):
        self.kept[name] = octets
        return succeed(None)


@implementer(IRealm)
class Realm:
    def __init__(self):
        self.avatars, self.left = {b"ann": Scripts()}, []

    def requestAvatar(self, name, mind, *interfaces):
        if IScripts in interfaces and name in self.avatars:
            return IScripts, self.avatars[name], lambda: self.left.append(name)
        raise NotImplementedError


class ForeignRealmTests(SynchronousTestCase):
    def setUp(self):
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        for name in (b"ann", b"bob"):
            checker.addUser(name, b"secret")
        self.realm, self.clock = Realm(), Clock()
        self.servers = ForeignServers(
            Portal(self.realm, [checker]),
            reactor=self.clock,
            hostname="mx.example.test",
            auth=Auth(plaintext_without_tls=True),
        )

    def connect(self, **config):
        return Wire(self.servers.manage_sieve(Sieve(**config)))

    def log_in(self, wire, name=b"ann"):
        return wire.ask(
            b'AUTHENTICATE "PLAIN" "%b"' % b64encode(b"\0%b\0secret" % name)
        )

    def test_scripts_are_checked_and_given_to_the_avatar(self):
        wire = self.connect()
        self.assertEqual(self.log_in(wire), b'OK "logged in"\r\n')
        self.assertIn(b"line 1, column 1", wire.ask(b'PUTSCRIPT "a" "nonsense;"'))
        self.assertEqual(wire.ask(b'PUTSCRIPT "a" "keep;"'), b'OK "done"\r\n')
        self.assertEqual(self.realm.avatars[b"ann"].kept, {"a": b"keep;"})
        self.assertEqual(
            wire.ask(b"LISTSCRIPTS", b'GETSCRIPT "a"', b'GETSCRIPT "b"'),
            b'"a"\r\nOK\r\n{5}\r\nkeep;\r\nOK\r\n'
            b'NO (NONEXISTENT) "There is no such script"\r\n',
        )
        wire.ask(b"LOGOUT")
        self.assertEqual(self.realm.left, [b"ann"])

    def test_a_login_without_scripts_is_refused_as_a_wrong_password_is(self):
        wire = self.connect()
        self.assertEqual(self.log_in(wire, b"bob"), b"")
        self.clock.advance(10)
        self.assertEqual(wire.unread(), b'NO "Authentication failed"\r\n')

    def test_the_extensions_are_those_that_are_asked_for(self):
        self.assertNotIn(b"editheader", self.connect(without=("editheader",)).unread())
        self.assertIn(b"editheader", self.connect().unread())
        self.assertRaises(ConfigError, self.connect, without=("nonsense",))
