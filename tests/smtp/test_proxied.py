"""XCLIENT and XFORWARD from trusted proxies, and ETRN."""

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.restricting import Restrictions
from mailtwist.errors import MailError
from mailtwist.smtp import proxied
from mailtwist.smtp.client_command import xtext
from mailtwist.wire import Scanner

from .rooms import House

FROM, ANN = "MAIL FROM:<c@client.test>", "RCPT TO:<ann@example.test>"
PROXY = Restrictions(error_delay_s=0, trusted_proxies=(ip_network("192.0.2.7/32"),))


class GrammarTests(SynchronousTestCase):
    def parse(self, text, known=proxied.XCLIENT):
        return dict(proxied.attributes(Scanner(text.encode()), known))

    def test_values_that_are_taken(self):
        for text, told in (
            (" ADDR=192.0.2.1", {"ADDR": "192.0.2.1"}),
            (" addr=IPV6:2001:DB8::0001 ", {"ADDR": "2001:db8::1"}),
            (" ADDR=2001:db8::1", {"ADDR": "2001:db8::1"}),
            (" ADDR=[UNAVAILABLE]", {"ADDR": None}),
            (" NAME=[TEMPUNAVAIL] PORT=25", {"NAME": None, "PORT": "25"}),
            (" NAME=mx.test PROTO=esmtp", {"NAME": "mx.test", "PROTO": "ESMTP"}),
            (" LOGIN=a+2Bb@x.test HELO=a+20b", {"LOGIN": "a+b@x.test", "HELO": "a b"}),
        ):
            self.assertEqual(self.parse(text), told, text)
        told = self.parse(" IDENT=AB12 SOURCE=local", proxied.XFORWARD)
        self.assertEqual(told, {"IDENT": "AB12", "SOURCE": "LOCAL"})

    def test_values_that_are_refused(self):
        for text in (
            "",
            " ",
            " ADDR",
            " ADDR=",
            " ADDR=example.test",
            " ADDR=192.0.2.1 ADDR=192.0.2.2",
            " ADDR=fe80::1%25eth0",
            " PORT=65536",
            " PORT=x",
            " PROTO=HTTP",
            " NAME=a+0Ab",
            " NAME=a/b",
            " LOGIN=a+0D+0Ab",
            " LOGIN=a+zz",
            " SOURCE=LOCAL",  # of XFORWARD
            f" HELO={'x' * 256}",
            " ADDR=192.0.2.1 and more",
        ):
            self.assertRaises(MailError, self.parse, text)

    @given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
    def test_a_name_in_xtext_is_read_back(self, helo):
        encoded = xtext(helo.encode()).decode()
        if encoded.upper() not in ("[UNAVAILABLE]", "[TEMPUNAVAIL]"):
            self.assertEqual(self.parse(f" HELO={encoded}"), {"HELO": helo})

    @given(st.binary(max_size=60))
    def test_any_octets_raise_only_mail_errors(self, octets):
        for text in (octets, b" ADDR=" + octets, b" HELO=" + octets):
            try:
                proxied.attributes(Scanner(text), proxied.XCLIENT)
            except MailError as fault:
                self.assertTrue(fault.public.isascii())


class XclientTests(SynchronousTestCase):
    def setUp(self):
        self.house = House(restrictions=PROXY, trusted=["198.51.100.0/24"])
        self.client = self.house.connect()
        self.client.said()

    def envelope(self):
        return self.house.delivery.messages[-1][0]

    def test_it_is_offered_to_proxies_alone(self):
        told = self.client.ask("EHLO proxy")
        self.assertIn(
            "250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n", told
        )
        self.assertIn("250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n", told)
        other = self.house.connect("192.0.2.8")
        self.assertNotIn("XCLIENT", other.ask("EHLO me"))
        self.assertEqual(
            other.codes("XCLIENT ADDR=192.0.2.1", "XFORWARD ADDR=192.0.2.1"),
            ["502 5.5.1", "502 5.5.1"],
        )

    def test_the_client_begins_anew_with_its_own_address(self):
        told = self.client.ask("XCLIENT ADDR=198.51.100.9 NAME=mx.other.test PORT=4")
        self.assertEqual(told, "220 mx.example.test ESMTP mailtwist\r\n")
        self.assertEqual(self.client.codes(FROM), ["503 5.5.1"])
        self.client.ask("EHLO other.test", FROM)
        self.assertEqual(  # it is of a trusted network now
            self.client.codes("RCPT TO:<a@elsewhere.test>", ANN), ["250 2.1.5"] * 2
        )
        self.client.ask("DATA", "x: y", ".")
        self.assertIn(b"[198.51.100.9]", self.envelope().trace)

    def test_HELO_and_PROTO_speak_for_the_client(self):
        self.client.ask("XCLIENT ADDR=203.0.113.5 HELO=it.test PROTO=SMTP")
        self.client.ask(FROM, ANN, "DATA", "x: y", ".")
        self.assertIn(b"from it.test", self.envelope().trace)
        self.assertIn(b"with SMTP id", self.envelope().trace)

    def test_LOGIN_is_a_login_without_a_password(self):
        told = self.client.codes("XCLIENT LOGIN=ann@example.test", "EHLO me")
        self.assertEqual(told, ["220", "250"])
        self.assertEqual(self.client.codes(FROM), ["550 5.7.1"])  # not ann's
        self.client.ask("MAIL FROM:<ann@example.test>", ANN, "DATA", "x: y", ".")
        self.assertEqual(self.envelope().login, "ann@example.test")
        self.assertEqual(self.client.codes("AUTH PLAIN"), ["503 5.5.1"])
        self.assertEqual(self.client.codes("XCLIENT LOGIN=[UNAVAILABLE]"), ["220"])
        self.assertEqual(self.house.authenticator.logged_out, 1)

    def test_an_unknown_login_changes_nothing(self):
        told = self.client.codes("XCLIENT ADDR=203.0.113.5 LOGIN=no@example.test")
        self.assertEqual(told, ["535 5.7.8"])
        self.client.ask("EHLO me", FROM, ANN, "DATA", "x: y", ".")
        self.assertIn(b"[192.0.2.7]", self.envelope().trace)

    def test_a_client_without_an_address_is_unknown(self):
        self.client.ask("XCLIENT ADDR=[UNAVAILABLE]", "EHLO me")
        self.client.ask(FROM, ANN, "DATA", "x: y", ".")
        self.assertNotIn(b"192.0.2.7", self.envelope().trace)

    def test_not_inside_a_transaction(self):
        self.client.ask("EHLO proxy", FROM)
        self.assertEqual(
            self.client.codes("XCLIENT ADDR=203.0.113.5", "XFORWARD ADDR=203.0.113.5"),
            ["503 5.5.1", "503 5.5.1"],
        )

    def test_XFORWARD_changes_nothing_but_the_log(self):
        self.client.ask("EHLO proxy")
        told = self.client.codes("XFORWARD ADDR=198.51.100.9 NAME=x.test IDENT=Q1")
        self.assertEqual(told, ["250 2.0.0"])
        self.assertEqual(
            self.client.codes(FROM, "RCPT TO:<a@elsewhere.test>"),
            ["250 2.1.0", "550 5.7.1"],
        )

    def test_they_can_be_withheld(self):
        house = House(restrictions=PROXY, withheld=("XCLIENT",))
        client = house.connect()
        told = client.ask("EHLO proxy")
        self.assertNotIn("XCLIENT", told)
        self.assertIn("XFORWARD", told)


class EtrnTests(SynchronousTestCase):
    def house(self, **options):
        self.flushed = []

        async def flush(domain):
            self.flushed.append(domain)

        restrictions = Restrictions(
            error_delay_s=0,
            etrn_domains=("example.org",),
            etrn_networks=(ip_network("192.0.2.7/32"),),
        )
        return House(restrictions=restrictions, more={"flush": flush}, **options)

    def test_mail_for_a_domain_that_is_kept_here_is_started(self):
        client = self.house().connect()
        self.assertIn("250-ETRN\r\n", client.ask("EHLO me"))
        told = client.codes("ETRN Example.ORG", "ETRN mx.example.org")
        self.assertEqual(told, ["250 2.0.0", "250 2.0.0"])
        self.assertEqual(self.flushed, ["example.org", "mx.example.org"])

    def test_who_may_not_and_what_is_not_kept_here(self):
        house = self.house()
        client = house.connect().begin()
        for line, code in (
            ("ETRN other.test", "459 4.7.1"),
            ("ETRN notexample.org", "459 4.7.1"),
            ("ETRN", "501 5.5.4"),
            ("ETRN -x", "501 5.5.4"),
            ("ETRN #queue", "501 5.5.4"),
            ("ETRN @example.org", "501 5.5.4"),
        ):
            self.assertEqual(client.codes(line), [code], line)
        client.ask(FROM)
        self.assertEqual(client.codes("ETRN example.org"), ["503 5.5.1"])
        client = house.connect("192.0.2.8").begin()
        self.assertEqual(client.codes("ETRN example.org"), ["502 5.5.1"])
        self.assertEqual(self.flushed, [])

    def test_without_domains_it_is_not_offered(self):
        self.assertNotIn("ETRN", House().connect().ask("EHLO me"))
