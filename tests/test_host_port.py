"""Hosts with a port."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.host_port import address_port, destination, host_port


class HostPortTests(SynchronousTestCase):
    def test_every_form_is_read(self):
        for text, read in (
            ("mx.test", ("mx.test", 25)),
            ("mx.test:26", ("mx.test", 26)),
            ("192.0.2.1", ("192.0.2.1", 25)),
            ("192.0.2.1:26", ("192.0.2.1", 26)),
            ("[192.0.2.1]:26", ("192.0.2.1", 26)),
            ("[mx.test]", ("mx.test", 25)),
            ("2001:db8::1", ("2001:db8::1", 25)),
            ("[2001:db8::1]", ("2001:db8::1", 25)),
            ("[2001:db8::1]:26", ("2001:db8::1", 26)),
            ("[IPv6:2001:db8::1]:26", ("2001:db8::1", 26)),
        ):
            self.assertEqual(host_port(text, 25), read, text)

    def test_what_is_neither_is_refused(self):
        for text in ("", "a:b", "[a", "a]:1", "a:0", "a:65536", "[]:1", "a:1:2"):
            with self.assertRaises(ValueError, msg=text):
                host_port(text, 25)

    def test_an_address_is_no_name(self):
        self.assertEqual(address_port("[::1]:54", 53), ("::1", 54))
        for text in ("dns.test", "dns.test:53", "192.0.2.1:x", ""):
            with self.assertRaises(ValueError, msg=text):
                address_port(text, 53)

    def test_a_destination_has_one_spelling(self):
        for text, one in (
            ("D.Test.", "d.test"),
            (".d.test", ".d.test"),
            ("m\xfcller.test", "xn--mller-kva.test"),
            ("[H.test]", "[h.test]:25"),
            ("[192.0.2.1]:26", "[192.0.2.1]:26"),
        ):
            self.assertEqual(destination(text, 25), one)
        for text in ("a b", "[h", ""):
            with self.assertRaises(ValueError, msg=text):
                destination(text, 25)
