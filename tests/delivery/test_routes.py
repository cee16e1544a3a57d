from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.delivery.model import Route
from mailtwist.delivery.routes import (
    check_domain,
    check_match,
    check_sender,
    matches,
    parsed_action,
    route_fault,
)


class ActionTests(SynchronousTestCase):
    def test_every_action(self):
        for text, route in [
            ("smtp:", Route("smtp")),
            ("smtp:Else.test", Route("smtp", "else.test")),
            ("smtp:[mx.test]", Route("smtp", "[mx.test]:25")),
            ("smtp:[mx.test]:2525", Route("smtp", "[mx.test]:2525")),
            ("smtp:[192.0.2.1]:25", Route("smtp", "[192.0.2.1]:25")),
            ("smtp:[IPv6:2001:db8:0::1]", Route("smtp", "[2001:db8::1]:25")),
            ("lmtp:[::1]", Route("lmtp", "[::1]:24")),
            ("lmtp:unix:/run/lmtp.sock", Route("lmtp", "unix:/run/lmtp.sock")),
            ("pipe:/bin/x -a 'b c'", Route("pipe", "/bin/x -a 'b c'")),
            ("error:5.1.2 No such place", Route("error", "5.1.2 No such place")),
            ("error:Gone", Route("error", "5.0.0 Gone")),
            ("error:4.3.2", Route("error", "4.3.2 Mail for that address is not taken")),
            ("discard:", Route("discard")),
            ("discard:quietly", Route("discard")),
            ("smarthost:", Route("smarthost")),
        ]:
            self.assertEqual(parsed_action(text), route, text)

    def test_what_is_no_action_is_told(self):
        for text in (
            "",
            "smtp",
            "relay:x",
            "smtp:a b",
            "smtp:[mx.test]:0",
            "smtp:[mx.test]:99999",
            "smtp:mx.test:25",
            "lmtp:",
            "lmtp:unix:relative",
            "lmtp:else.test",
            "pipe:",
            "pipe:relative",
            "pipe:/bin/x\0",
            "pipe:/bin/x 'open",
            "error:5.1.2 l\u00f6schen",
            "error:two\nlines",
            "smarthost:x",
        ):
            fault = self.assertRaises(ValueError, parsed_action, text)
            self.assertIn("`", str(fault), text)

    @given(st.text())
    def test_any_text_is_an_action_or_no_value(self, text):
        for one in (text, f"smtp:{text}", f"lmtp:{text}", f"error:{text}"):
            try:
                self.assertIsInstance(parsed_action(one), Route)
            except ValueError as fault:
                self.assertTrue(str(fault))

    def test_an_error_route_is_a_fault(self):
        fault = route_fault("5.1.6 Moved away")
        self.assertEqual((fault.status, fault.public), ("5.1.6", "Moved away"))
        self.assertTrue(route_fault("4.3.2 Later").temporary)


class MatchTests(SynchronousTestCase):
    def test_what_matches(self):
        for match, address, expected, why in [
            ("", "ann@else.test", True, "everything"),
            ("else.test", "ann@else.test", True, "the domain"),
            ("else.test", "ann@sub.else.test", False, "not what is below"),
            (".else.test", "ann@a.sub.else.test", True, "all below"),
            (".else.test", "ann@else.test", False, "not itself"),
            (".else.test", "ann@notelse.test", False, "labels are whole"),
            ("ann@else.test", "Ann@else.test", True, "an address, any case"),
            ("ann@else.test", "ann+x@else.test", True, "and its subaddresses"),
            ("ann+x@else.test", "ann+x@else.test", True, "one subaddress"),
            ("ann+x@else.test", "ann@else.test", False, "but not without"),
            ("@else.test", "ann@else.test", True, "all of a domain"),
        ]:
            found = matches(match, Address.parse(address), "+")
            self.assertEqual(found, expected, why)

    def test_checked_texts_are_normal(self):
        self.assertEqual(check_match("ELSE.test"), "else.test")
        self.assertEqual(check_match(".XN--BCHER-KVA.test"), ".b\u00fccher.test")
        self.assertEqual(check_match("Ann@ELSE.test"), "ann@else.test")
        self.assertEqual(check_sender("@ELSE.test"), "@else.test")
        self.assertEqual(check_domain(".else.test"), ".else.test")
        for check, text in [
            (check_match, "a b"),
            (check_match, "."),
            (check_match, "a@"),
            (check_sender, "else.test"),
            (check_sender, "@"),
            (check_domain, "ann@else.test"),
        ]:
            self.assertRaises(ValueError, check, text)
