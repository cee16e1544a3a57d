"""Octets said in clear never act inside TLS (RFC 3207 §4.2; CVE-2011-0411 and kin)."""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from .rooms import PLAIN, House


class StartTlsTests(SynchronousTestCase):
    def test_octets_behind_STARTTLS_end_the_connection_unread(self):
        for behind in (
            b"RSET\r\nMAIL FROM:<evil@x.test>\r\n",
            b"EHLO evil\r\n",
            b"EHLO ev",  # half a command
            b"\0",
        ):
            client = House().connect().begin()
            client.send(b"STARTTLS\r\n" + behind)
            self.assertEqual(
                client.said(),
                "421 4.7.0 Nothing may follow STARTTLS before TLS is up\r\n",
            )
            self.assertTrue(client.is_closed())
            self.assertFalse(client.transport.tls)

    def test_so_do_octets_that_came_while_a_command_before_was_answered(self):
        house = House()
        client = house.connect().begin()
        client.ask(
            "MAIL FROM:<c@client.test>", "RCPT TO:<slow@example.test>", "STARTTLS"
        )
        client.send(b"RSET\r\n")
        house.router.slow["slow"].callback(None)
        self.assertEqual(client.codes()[-1], "421 4.7.0")
        self.assertFalse(client.transport.tls)

    def test_everything_said_before_is_forgotten(self):
        house = House()
        client = house.connect().begin()
        client.ask("MAIL FROM:<c@client.test>", "RCPT TO:<ann@example.test>")
        self.assertEqual(client.ask("STARTTLS"), "220 2.0.0 Begin TLS now\r\n")
        client.start_tls()
        self.assertEqual(
            client.codes("DATA", "MAIL FROM:<c@client.test>"),
            ["503 5.5.1", "503 5.5.1"],
        )
        self.assertEqual(house.delivery.sinks, [])

    def test_a_login_is_forgotten_too(self):
        house = House()
        client = house.connect().begin()
        house.authenticator.mechanisms = lambda tls: ("PLAIN",)
        checked = house.authenticator.login_sasl

        async def login(mechanism, initial, converse, peer):
            return await checked(mechanism, initial, converse, evolve(peer, tls=True))

        house.authenticator.login_sasl = login
        self.assertEqual(client.codes(f"AUTH PLAIN {PLAIN}"), ["235 2.7.0"])
        client.ask("STARTTLS")
        client.start_tls()
        self.assertEqual(house.authenticator.logged_out, 1)
        client.ask("EHLO me", "MAIL FROM:<ann@example.test>")
        self.assertEqual(client.codes("RCPT TO:<x@elsewhere.test>"), ["550 5.7.1"])

    def test_TLS_is_offered_and_begun_once(self):
        client = House().connect()
        self.assertIn("250-STARTTLS", client.ask("EHLO me"))
        client.ask("STARTTLS")
        client.start_tls()
        self.assertNotIn("STARTTLS", client.ask("EHLO me"))
        self.assertEqual(client.codes("STARTTLS"), ["502 5.5.1"])

    def test_TLS_is_refused_where_it_is_not_offered_or_has_an_argument(self):
        client = House(tls=None).connect().begin()
        self.assertNotIn("STARTTLS", client.ask("EHLO me"))
        self.assertEqual(client.codes("STARTTLS"), ["502 5.5.1"])
        self.assertEqual(House().connect().begin().codes("STARTTLS now"), ["501 5.5.4"])

    def test_nothing_is_said_in_clear_after_the_220(self):
        client = House().connect().begin()
        client.ask("STARTTLS")
        self.assertTrue(
            client.transport.before_tls.endswith(b"220 2.0.0 Begin TLS now\r\n")
        )

    def test_a_handshake_that_does_not_come_is_cut_off(self):
        house = House()
        client = house.connect().begin()
        client.ask("STARTTLS")
        house.clock.advance(61)
        self.assertTrue(client.transport.aborted)
