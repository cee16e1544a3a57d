"""Which resolvers are asked."""

import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.dns.servers import NOBODY_NAMED, Servers, nameservers

CONF = """# by hand
domain example.test
nameserver 192.0.2.1
nameserver 2001:db8::1 # the other
nameserver not-an-address
options timeout:1
"""
READ = (("192.0.2.1", 53), ("2001:db8::1", 53))


class ServerTests(SynchronousTestCase):
    def setUp(self):
        self.path, self.clock = self.mktemp(), Clock()

    def servers(self, *configured):
        return Servers(configured, reactor=self.clock, path=self.path)

    def write(self, text):
        with open(self.path + ".new", "w") as file:
            file.write(text)
        os.replace(self.path + ".new", self.path)

    def test_the_configured_ones_win(self):
        self.write(CONF)
        servers = self.servers("192.0.2.9", "192.0.2.9:5353", "[::1]:54", "::1")
        self.assertEqual(
            servers.now(),
            (("192.0.2.9", 53), ("192.0.2.9", 5353), ("::1", 54), ("::1", 53)),
        )

    def test_a_name_is_no_server(self):
        for text in ("dns.test", "dns.test:53", "192.0.2.1:x", ""):
            with self.assertRaises(ValueError, msg=text):
                self.servers(text)

    def test_resolv_conf_is_read(self):
        self.assertEqual(nameservers(CONF), READ)
        self.write(CONF)
        self.assertEqual(self.servers().now(), READ)

    def test_a_changed_file_is_read_again(self):
        self.write(CONF)
        servers = self.servers()
        servers.now()
        self.write("nameserver 192.0.2.7\n")
        self.clock.advance(1)
        self.assertEqual(servers.now(), (("192.0.2.7", 53),))

    def test_a_file_that_went_away_leaves_what_was_known(self):
        self.write(CONF)
        servers = self.servers()
        servers.now()
        os.remove(self.path)
        self.clock.advance(1)
        self.assertEqual(servers.now(), READ)

    def test_without_a_list_this_host_is_asked(self):
        self.assertEqual(self.servers().now(), NOBODY_NAMED)
        self.write("search example.test\n")
        self.clock.advance(1)
        self.assertEqual(self.servers().now(), NOBODY_NAMED)
