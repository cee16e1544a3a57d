from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.delivery.model import Notify, Wishes
from mailtwist.errors import BadAddress, MailError, SyntaxFault
from mailtwist.smtp import grammar
from mailtwist.smtp.client_command import xtext
from mailtwist.smtp.command import Auth, By, Mail, Offer, Rcpt
from mailtwist.smtp.extensions import mail_keywords, rcpt_keywords
from mailtwist.smtp.faults import BadArgument, ParameterNotKnown, Utf8Needed
from mailtwist.smtp.xtext import decode
from mailtwist.wire import Scanner

ANN = Address("ann", "example.test")
OFFER = Offer(1000, mechanisms=("PLAIN",), tls=True, hold="9 2030-01-01T00:00:00Z")
MAIL, RCPT = mail_keywords(OFFER), rcpt_keywords(OFFER)


def mail(text, **flags):
    flags = {"keywords": MAIL, "bare_path": False} | flags
    octets = text if isinstance(text, bytes) else text.encode()
    return grammar.mail(Scanner(b"MAIL" + octets, 4), **flags)


def rcpt(text, **flags):
    flags = {"keywords": RCPT, "bare_path": False, "smtputf8": False} | flags
    octets = text if isinstance(text, bytes) else text.encode()
    return grammar.rcpt(Scanner(b"RCPT" + octets, 4), **flags)


def wish(reverse_path=None, size_octets=None, **wishes):
    return Mail(reverse_path, size_octets, Wishes(**wishes))


class PathTests(SynchronousTestCase):
    def test_paths_that_are_taken(self):
        for text, address in (
            (" TO:<ann@example.test>", ANN),
            (" to:<ann@EXAMPLE.test>", ANN),
            (" To : <ann@example.test>  ", ANN),  # as people type it
            (" TO:<@a.test,@b.test:ann@example.test>", ANN),  # source route: dropped
            (' TO:<"a b@c"@example.test>', Address("a b@c", "example.test")),
            (r' TO:<"a\"\\b"@example.test>', Address('a"\\b', "example.test")),
            (" TO:<ann+tag@example.test>", Address("ann+tag", "example.test")),
            (
                " TO:<o'x!#$%&*/=?^_`{|}~-@x.test>",
                Address("o'x!#$%&*/=?^_`{|}~-", "x.test"),
            ),
            (" TO:<ann@[192.0.2.1]>", Address("ann", "[192.0.2.1]")),
            (" TO:<ann@[IPv6:2001:db8::1]>", Address("ann", "[IPv6:2001:db8::1]")),
            (" TO:<Postmaster>", Address("Postmaster")),  # RFC 5321 §4.5.1
            (" TO:<ann@xn--bcher-kva.example>", Address("ann", "bücher.example")),
        ):
            self.assertEqual(rcpt(text), Rcpt(address), text)

    def test_paths_that_are_refused(self):
        for text, fault, status in (
            (" TO:ann@example.test", BadAddress, "5.1.3"),  # brackets wanted
            (" TO:<>", BadAddress, "5.1.3"),
            (" TO:<ann>", BadAddress, "5.1.3"),  # no domain
            (" TO:<ann@>", BadAddress, "5.1.3"),
            (" TO:<@example.test>", BadAddress, "5.1.3"),
            (" TO:<a..b@example.test>", BadAddress, "5.1.3"),
            (" TO:<.a@example.test>", BadAddress, "5.1.3"),
            (" TO:<ann@-x.test>", BadAddress, "5.1.3"),
            (" TO:<ann@a..test>", BadAddress, "5.1.3"),
            (" TO:<ann@[300.1.1.1]>", BadAddress, "5.1.3"),
            (" TO:<ann@example.test", BadAddress, "5.1.3"),
            (" TO:<ann@example.test>>", BadAddress, "5.1.3"),
            (" TO:<ann@example.test>x", BadAddress, "5.1.3"),
            (" TO:<ann bob@example.test>", BadAddress, "5.1.3"),
            (" TO:<ann@example.test,bob@example.test>", BadAddress, "5.1.3"),
            (f" TO:<{'a' * 65}@example.test>", BadAddress, "5.1.3"),
            (f" TO:<a@{'b.' * 130}test>", BadAddress, "5.1.3"),
            (b" TO:<ann\r@example.test>", BadAddress, "5.1.3"),
            (b" TO:<ann\n@example.test>", BadAddress, "5.1.3"),
            (b" TO:<ann\0@example.test>", BadAddress, "5.1.3"),
            (" TO:<bücher@example.test>", Utf8Needed, "5.6.7"),
            (" TO:<ann@bücher.example>", Utf8Needed, "5.6.7"),
            (" FROM:<ann@example.test>", SyntaxFault, "5.5.2"),
            ("", SyntaxFault, "5.5.2"),
            (" TO:<ann@example.test> RET=FULL", ParameterNotKnown, "5.5.4"),
        ):
            found = self.assertRaises(fault, rcpt, text)
            self.assertEqual(found.status, status, text)

    def test_a_bad_sender_has_the_code_of_senders(self):
        for text in (" FROM:ann@example.test", " FROM:<a..b@x.test>", " FROM:<ann>"):
            self.assertEqual(self.assertRaises(BadAddress, mail, text).status, "5.1.7")

    def test_brackets_may_be_left_out_where_people_type(self):
        for text in (
            " TO:ann@example.test",
            " to: ann@example.test ",
            " TO:<ann@example.test>",
        ):
            self.assertEqual(rcpt(text, bare_path=True), Rcpt(ANN))
        self.assertEqual(
            mail(" from: ann@example.test SIZE=5", bare_path=True), Mail(ANN, 5)
        )
        self.assertRaises(BadAddress, rcpt, " TO:", bare_path=True)

    def test_utf8_addresses_with_smtputf8(self):
        jose = Address("josé", "bücher.example")
        text = " TO:<josé@bücher.example>"
        self.assertEqual(rcpt(text, smtputf8=True), Rcpt(jose))
        text = " FROM:<josé@bücher.example> SMTPUTF8"
        self.assertEqual(mail(text), wish(jose, smtputf8=True))
        self.assertRaises(BadAddress, rcpt, b" TO:<jos\xe9@x.test>", smtputf8=True)


class MailTests(SynchronousTestCase):
    def test_parameters_that_are_taken(self):
        for text, wanted in (
            (" FROM:<>", Mail(None)),
            (" FROM:<> BODY=8BITMIME", wish(body="8BITMIME")),
            (" FROM:<> BODY=BinaryMIME", wish(body="BINARYMIME")),
            (" FROM:<> body=7bit size=0", Mail(None, 0)),
            (
                " FROM:<ann@example.test> SIZE=12345 SMTPUTF8",
                wish(ANN, 12345, smtputf8=True),
            ),
            (" FROM:<> AUTH=<>", wish(auth="")),
            (" FROM:<> AUTH=ann+40example.test", wish(auth="ann@example.test")),
            (" FROM:<> AUTH=ann@example.test", wish(auth="ann@example.test")),
            (" FROM:<> AUTH=e+2Bx@example.test", wish(auth="e+x@example.test")),
            (" FROM:<> RET=hdrs ENVID=a+20b", wish(ret="HDRS", envid="a b")),
            (" FROM:<> REQUIRETLS", wish(require_tls=True)),
            (" FROM:<> MT-PRIORITY=-9", wish(priority=-9)),
            (" FROM:<> BY=120;RT", Mail(None, by=By(120, "R", True))),
            (" FROM:<> BY=-5;n", Mail(None, by=By(-5, "N"))),
            (" FROM:<> HOLDFOR=60", Mail(None, hold_for_s=60)),
            (" FROM:<> HOLDUNTIL=1970-01-02T00:00:00Z", Mail(None, hold_until_s=86400)),
            (
                " FROM:<> HOLDUNTIL=1970-01-01T01:00:00.5+01:00",
                Mail(None, hold_until_s=0),
            ),
            (" FROM:<> PRDR", Mail(None, prdr=True)),
        ):
            self.assertEqual(mail(text), wanted, text)

    def test_parameters_that_are_refused(self):
        for text, fault in (
            (" FROM:<> FOO=bar", ParameterNotKnown),
            (" FROM:<> NOTIFY=NEVER", ParameterNotKnown),  # of RCPT
            (" FROM:<> RET=ALL", BadArgument),
            (" FROM:<> RET", BadArgument),
            (" FROM:<> ENVID=a+0D+0AX:y", BadArgument),  # no line of its own
            (" FROM:<> ENVID=a+2", BadArgument),
            (" FROM:<> ENVID=a+2b", BadArgument),  # RFC 3461 §4: upper case
            (f" FROM:<> ENVID={'x' * 101}", BadArgument),
            (" FROM:<> REQUIRETLS=yes", BadArgument),
            (" FROM:<> MT-PRIORITY=10", BadArgument),
            (" FROM:<> MT-PRIORITY=+1", BadArgument),
            (" FROM:<> MT-PRIORITY", BadArgument),
            (" FROM:<> BY=0;R", BadArgument),  # RFC 2852
            (" FROM:<> BY=-1;R", BadArgument),
            (" FROM:<> BY=1234567890;N", BadArgument),
            (" FROM:<> BY=10", BadArgument),
            (" FROM:<> HOLDFOR=0", BadArgument),
            (" FROM:<> HOLDFOR=-1", BadArgument),
            (" FROM:<> HOLDUNTIL=tomorrow", BadArgument),
            (" FROM:<> HOLDUNTIL=2030-02-30T00:00:00Z", BadArgument),
            (" FROM:<> HOLDUNTIL=2030-01-01T00:00:00", BadArgument),
            (" FROM:<> HOLDUNTIL=0001-01-01T00:00:00+14:00", BadArgument),
            (" FROM:<> HOLDFOR=1 HOLDUNTIL=2030-01-01T00:00:00Z", BadArgument),
            (" FROM:<> PRDR=1", BadArgument),
            (" FROM:<> SIZE=1 SIZE=2", BadArgument),
            (" FROM:<> SIZE=", BadArgument),
            (" FROM:<> SIZE", BadArgument),
            (" FROM:<> SIZE=-1", BadArgument),
            (" FROM:<> SIZE=1e9", BadArgument),
            (f" FROM:<> SIZE={'9' * 21}", BadArgument),
            (" FROM:<> BODY=UTF-16", BadArgument),
            (" FROM:<> BODY", BadArgument),
            (" FROM:<> SMTPUTF8=yes", BadArgument),
            (" FROM:<> AUTH=a+4x@b", BadArgument),
            (" FROM:<> AUTH", BadArgument),
            (" FROM:<> =x", SyntaxFault),
            (" FROM:<> SIZE=1=2", SyntaxFault),
        ):
            self.assertRaises(fault, mail, text)

    def test_parameters_need_what_was_offered(self):
        self.assertRaises(ParameterNotKnown, mail, " FROM:<> SIZE=1", keywords=())
        for offer, parameter in (
            (Offer(1000), "AUTH=<>"),
            (Offer(1000), "REQUIRETLS"),  # without TLS
            (Offer(1000), "HOLDFOR=60"),
            (Offer(1000, lmtp=True), "PRDR"),
            (Offer(1000, withheld=frozenset(("DSN",))), "RET=FULL"),
        ):
            keywords = mail_keywords(offer)
            with self.assertRaises(ParameterNotKnown):
                mail(f" FROM:<> {parameter}", keywords=keywords)

    def test_recipients_say_what_they_want_reported(self):
        for text, notify in (
            ("NOTIFY=NEVER", Notify(frozenset(("NEVER",)))),
            ("notify=success,DELAY", Notify(frozenset(("SUCCESS", "DELAY")))),
            ("ORCPT=rfc822;a+2Bb@x.test", Notify(None, "rfc822;a+b@x.test")),
            ("ORCPT=x400;/c=de", None),
            ("ORCPT=X400;/c+3Dde/", Notify(None, "x400;/c=de/")),
            ("ORCPT=utf-8;jos\\x{E9}@x.test", Notify(None, "utf-8;josé@x.test")),
            ("ORCPT=utf-8;a\\x{2B}b@x.test", Notify(None, "utf-8;a+b@x.test")),
            ("ORCPT=utf-8;josé@x.test", None),  # needs SMTPUTF8
            ("ORCPT=utf-8;a\\x{0D}\\x{0A}b", None),
            ("ORCPT=utf-8;a\\x{D800}", None),
            ("ORCPT=utf-8;a\\x{FFFFFF}", None),
            ("ORCPT=utf-8;a\\b", None),
            ("ORCPT=rfc822;a+0Ab", None),
            ("ORCPT=rfc822;", None),
            ("ORCPT=a@x.test", None),
            (f"ORCPT=rfc822;{'x' * 500}", None),
            ("NOTIFY=NEVER,DELAY", None),
            ("NOTIFY=DELAY,DELAY", None),
            ("NOTIFY=SOON", None),
            ("NOTIFY", None),
        ):
            text = f" TO:<ann@example.test> {text}"
            if notify is not None:
                self.assertEqual(rcpt(text), Rcpt(ANN, notify), text)
            else:
                with self.assertRaises(MailError, msg=text):
                    rcpt(text)
        told = rcpt(" TO:<ann@example.test> ORCPT=utf-8;josé@x.test", smtputf8=True)
        self.assertEqual(told.notify.orcpt, "utf-8;josé@x.test")

    @given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
    @settings(max_examples=100)
    def test_what_is_in_xtext_is_read_back(self, text):
        encoded = xtext(text.encode()).decode()
        self.assertEqual(decode(encoded).decode(), text)

    @given(st.binary(max_size=60))
    @settings(max_examples=200)
    def test_any_octets_raise_only_mail_errors(self, octets):
        for text in (octets, b" FROM:<" + octets, b" TO:<a@b> " + octets):
            for parse in (mail, rcpt):
                try:
                    parse(text)
                except MailError as fault:
                    self.assertTrue(fault.public.isascii())

    @given(
        local_part=st.text(
            st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20
        )
    )
    @settings(max_examples=100)
    def test_what_an_address_says_on_the_wire_is_read_back(self, local_part):
        address = Address(local_part, "example.test")
        self.assertEqual(rcpt(b" TO:<" + address.encode() + b">"), Rcpt(address))


class AuthTests(SynchronousTestCase):
    def parse(self, text):
        return grammar.auth(Scanner(text.encode(), 4))

    def test_initial_responses(self):
        for text, wanted in (
            ("AUTH plain", Auth("PLAIN")),
            ("AUTH PLAIN ", Auth("PLAIN")),
            ("AUTH PLAIN =", Auth("PLAIN", b"")),
            ("AUTH PLAIN AGEAYg==", Auth("PLAIN", b"\0a\0b")),
            ("AUTH SCRAM-SHA-256 bg==", Auth("SCRAM-SHA-256", b"n")),
        ):
            self.assertEqual(self.parse(text), wanted)

    def test_base64_is_strict(self):
        for text in (
            "AUTH PLAIN !!!AGEA!Yg==",
            "AUTH PLAIN AGEAYg",
            "AUTH PLAIN AGEAYg===",
            "AUTH PLAIN AGEAYg== AGEAYg==",
            "AUTH PLAIN A=EAYg==",
        ):
            self.assertRaises(SyntaxFault, self.parse, text)
        for text in ("AUTH", "AUTH ", "AUTH PLÄIN", f"AUTH {'X' * 21}"):
            self.assertRaises(BadArgument, self.parse, text)

    def test_a_response_is_in_no_repr(self):
        self.assertNotIn("secret", repr(Auth("PLAIN", b"secret")))

    @given(st.binary(max_size=60))
    @settings(max_examples=50)
    def test_base64_is_read_back(self, octets):
        self.assertEqual(grammar.base64(grammar.encode_base64(octets)), octets)


class HelloTests(SynchronousTestCase):
    def parse(self, octets):
        return grammar.hello(Scanner(octets, 4), "EHLO")

    def test_any_one_word_is_a_name(self):
        for octets, name in (
            (b"EHLO mail.example", "mail.example"),
            (b"EHLO [127.0.0.1] ", "[127.0.0.1]"),
            (b"EHLO my_pc", "my_pc"),
            ("EHLO bücher".encode(), "bücher"),
        ):
            self.assertEqual(self.parse(octets).domain, name)

    def test_no_name_and_more_than_one_are_refused(self):
        for octets in (
            b"EHLO",
            b"EHLO ",
            b"EHLO my pc",
            b"EHLO a\0b",
            b"EHLO " + b"x" * 256,
        ):
            self.assertRaises(BadArgument, self.parse, octets)
