"""Hosts with a port."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.host_port import host_port


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
