"""What the ways out make of files that change under them."""

import os
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.model import Config
from mailtwist.config.relaying import Smarthost
from mailtwist.queue.model import Host
from mailtwist.service.transports import Transports
from mailtwist.smtp.client_login import PasswordLogin

from ..authority import Authority
from ..smtp.next_hop import FakeHosts

TOKEN = (
    b'user = "ann"\nclient_id = "c"\nrefresh_token = "%s"\n'
    b'token_url = "https://t.test/"\n'
)


def login_text(user, password):
    return f'user = "{user}"\npassword = "{password}"\n'.encode()


class ChangeTests(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.clock, self.writes = Clock(), 0

    def written(self, name, octets, mode=0o600):
        path = self.folder / name
        path.write_bytes(octets)
        path.chmod(mode)
        self.writes += 1
        at_ns = 10**18 + self.writes  # long ago, and never twice the same
        os.utime(path, ns=(at_ns, at_ns))
        self.clock.advance(1)
        return str(path)

    def exit(self, **config):
        config = Config(smarthost=(Smarthost(host="h:587", **config),))
        ways = Transports(self.clock, config, "me.test", FakeHosts())
        self.addCleanup(ways.close)
        (known,) = ways.by_name["smarthost"]._exits
        return known

    def test_a_new_password_counts_and_a_bad_file_keeps_the_old_one(self):
        path = self.written("login", login_text("ann", "one"))
        known = self.exit(credentials=path)
        first = known.way.login
        self.assertEqual(first._password.reveal(), b"one")
        self.written("login", login_text("ann", "two"))
        second = known.way.login
        self.assertEqual(second._password.reveal(), b"two")
        for bad, mode in (
            (b'user = "ann"\npassword = "hush', 0o600),
            (b"", 0o600),
            (login_text("ann", "three"), 0o644),
        ):
            self.written("login", bad, mode)
            self.assertIs(known.way.login, second)
        self.written("login", login_text("bob", "three"))
        self.assertEqual(known.way.login.user, "bob")

    def test_so_does_a_new_token(self):
        known = self.exit(credentials=self.written("login", TOKEN % b"one"))
        first = known.way.login
        self.assertIs(known.way.login, first)
        self.written("login", TOKEN % b"two")
        form = known.way.login._tokens._form
        self.assertEqual(form["refresh_token"].reveal(), b"two")
        self.written("login", login_text("ann", "a password now"))
        self.assertIsInstance(known.way.login, PasswordLogin)

    def test_new_authorities_count_for_the_next_connection(self):
        path = self.written("ca.pem", Authority().pem)
        known, host = self.exit(ca=path), Host("h.test", 25, ())
        context = known.tls.connection(host)._context
        self.assertIs(known.tls.connection(host)._context, context)
        self.written("ca.pem", b"-----BEGIN CERTIFICATE-----\nno")
        self.assertIs(known.tls.connection(host)._context, context)
        self.written("ca.pem", Authority().pem)
        self.assertIsNot(known.tls.connection(host)._context, context)
