from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.delivery.model import Notify
from mailtwist.smtp.client_command import mail, notify_parameters, rcpt, xtext
from mailtwist.smtp.parameters import orcpt_value

BOB = Address("bob", "b.test")
UTF8 = Address("b\u00f6b", "b\u00fccher.test")


def orcpt(text, original=BOB, *, utf8):
    (said,) = notify_parameters(Notify(None, text), original, utf8=utf8)
    return said.decode()


class CommandTests(SynchronousTestCase):
    def test_paths(self):
        self.assertEqual(mail(None, (), utf8=False), b"MAIL FROM:<>")
        self.assertEqual(
            rcpt(UTF8, (b"A=1", b"B"), utf8=True),
            "RCPT TO:<b\u00f6b@b\u00fccher.test> A=1 B".encode(),
        )
        self.assertEqual(
            rcpt(Address("a b", "b\u00fccher.test"), (), utf8=False),
            b'RCPT TO:<"a b"@xn--bcher-kva.test>',
        )

    @given(st.binary(max_size=60))
    def test_xtext_is_printable_and_says_everything(self, octets):
        said = xtext(octets)
        self.assertNotRegex(said, rb"[^!-~]|=")
        plain = b"".join(
            bytes([int(part[:2], 16)]) + part[2:] if number else part
            for number, part in enumerate(said.split(b"+"))
        )
        self.assertEqual(plain, octets)

    def test_the_original_recipient(self):
        for text, original, utf8, said in (
            ("", BOB, False, "ORCPT=rfc822;bob@b.test"),
            ("", UTF8, True, "ORCPT=utf-8;b\u00f6b@b\u00fccher.test"),
            ("", UTF8, False, "ORCPT=utf-8;b\\x{F6}b@b\\x{FC}cher.test"),
            ("rfc822;A+b=c@x.test", BOB, False, "ORCPT=rfc822;A+2Bb+3Dc@x.test"),
            ("x400;/G=a b/", BOB, False, "ORCPT=x400;/G+3Da+20b/"),
            ("utf-8;a\\b@x.test", BOB, True, "ORCPT=utf-8;a\\x{5C}b@x.test"),
        ):
            self.assertEqual(orcpt(text, original, utf8=utf8), said, text)

    def test_our_own_server_reads_it_as_it_was(self):
        for text in (
            "rfc822;a+b=c d@x.test",
            "utf-8;b\u00f6b+\u6f22=@b\u00fccher.test",
            "utf-8;a\\b@x.test",
        ):
            for utf8 in (True, False):
                value = orcpt(text, utf8=utf8).removeprefix("ORCPT=")
                self.assertEqual(orcpt_value(value, smtputf8=utf8), text, value)
