"""Two mailtwist hosts exchange mail as the Internet does."""

import socket

from tests.integration.world import WorldTestCase, until


class TwoHostTests(WorldTestCase):
    def test_mail_goes_there_and_back(self):
        a, b = self.world.a, self.world.b
        for domain_a, domain_b in (("a.test", "b.test"), ("a2.test", "b2.test")):
            ann, bob = self.user(a, domain=domain_a), self.user(b, domain=domain_b)
            self.send(a, ann, bob, subject="Hello")
            (got,) = self.arrived(b, bob)
            self.assertTrue(got.startswith(b"Return-Path: <%s>\r\n" % ann.encode()))
            self.assertIn(b"\r\nSubject: Hello\r\n", got)
            self.assertEqual(got.count(b"\r\nReceived: "), 2, got)
            self.send(b, bob, ann, subject="Re: Hello")
            (back,) = self.arrived(a, ann)
            self.assertIn(b"\r\nSubject: Re: Hello\r\n", back)

    def test_the_hosts_use_tls_with_each_other(self):
        a, b = self.world.a, self.world.b
        ann, bob = self.user(a), self.user(b)
        self.send(a, ann, bob)
        (got,) = self.arrived(b, bob)
        self.assertIn(b"with ESMTPS", got.split(b"\r\nReceived: ")[1])

    def test_one_message_to_both_hosts_arrives_everywhere(self):
        a, b = self.world.a, self.world.b
        ann, al = self.user(a), self.user(a)
        bob, bea = self.user(b), self.user(b, domain="b2.test")
        self.send(a, ann, al, bob, bea)
        for host, user in ((a, al), (b, bob), (b, bea)):
            self.arrived(host, user)

    def test_a_recipient_that_is_not_there_comes_back_to_the_sender(self):
        a, b = self.world.a, self.world.b
        ann, bob = self.user(a), self.user(b)
        self.send(a, ann, bob, "nobody@b.test")
        self.arrived(b, bob)
        (report,) = self.arrived(a, ann)
        self.assertTrue(report.startswith(b"Return-Path: <>\r\n"), report)
        self.assertIn(b"\r\nFinal-Recipient: rfc822;nobody@b.test\r\n", report)
        self.assertIn(b"\r\nStatus: 5.1.1\r\n", report)

    def test_a_domain_that_is_not_there_comes_back_to_the_sender(self):
        ann = self.user(self.world.a)
        self.send(self.world.a, ann, "bob@nowhere.test")
        (report,) = self.arrived(self.world.a, ann)
        self.assertIn(b"\r\nStatus: 5.1.2\r\n", report)

    def test_a_domain_that_takes_no_mail_comes_back_to_the_sender(self):
        self.world.dns.set({"MX null.test": [[0, ""]]})
        ann = self.user(self.world.a)
        self.send(self.world.a, ann, "bob@null.test")
        (report,) = self.arrived(self.world.a, ann)
        self.assertIn(b"\r\nStatus: 5.1.10\r\n", report)

    def test_a_dead_host_with_a_live_backup_holds_nothing_up(self):
        a, b = self.world.a, self.world.b
        self.world.address("dead.test")  # nothing listens there
        self.world.dns.set({"MX b2.test": [[5, "dead.test"], [10, b.hostname]]})
        ann, bob = self.user(a), self.user(b, domain="b2.test")
        self.send(a, ann, bob)
        self.arrived(b, bob)

    def test_IPv6_is_tried_first_and_gives_way_to_IPv4(self):
        """At the IPv6 address somebody takes connections, and says nothing but bye."""
        a, b = self.world.a, self.world.b
        with socket.create_server(
            ("::1", self.world.port), family=socket.AF_INET6
        ) as mute:
            mute.settimeout(20)
            self.world.dns.set(
                {"AAAA both.test": ["::1"], "A both.test": [b.address]}
                | {"MX b2.test": [[10, "both.test"]]}
            )
            until(lambda: "both.test" in a.command("route", "bob@b2.test"), str)
            ann, bob = self.user(a), self.user(b, domain="b2.test")
            self.send(a, ann, bob)
            mute.accept()[0].close()
            self.arrived(b, bob)
