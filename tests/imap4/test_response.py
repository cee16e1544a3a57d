"""What the server says has one right form."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist import errors
from mailtwist.flags import SEEN
from mailtwist.imap4 import response
from mailtwist.imap4.framer import Frame
from mailtwist.imap4.grammar import strings
from mailtwist.imap4.grammar.scanner import CommandScanner
from mailtwist.imap4.types import FetchBody, Partial, Section, SectionText
from mailtwist.mailbox.model import Appended, Copied


def scanner(wire):
    """Over `wire`, its one literal, if it is one, taken out as the framer does."""
    if wire.startswith(b"{"):
        head, _, octets = wire.partition(b"\r\n")
        return CommandScanner(Frame(head + b"\r\n", {len(head) + 2: octets}))
    return CommandScanner(Frame(wire))


class AnswerTests(SynchronousTestCase):
    def test_tag_kind_code_and_text(self):
        answer = response.ok("Done", b"READ-WRITE")
        self.assertEqual(answer.encode(b"a1"), b"a1 OK [READ-WRITE] Done\r\n")
        self.assertEqual(response.bad("No").encode(), b"* BAD No\r\n")
        self.assertEqual(response.bye("Later"), b"* BYE Later\r\n")

    def test_text_is_one_line_of_ascii(self):
        line = response.no("a\r\nb OK \xe4").encode(b"t")
        self.assertEqual(line, b"t NO a??b OK ?\r\n")

    def test_each_fault_has_its_answer(self):
        for fault, line, why in [
            (errors.SyntaxFault("a tag", 0), b"BAD Expected a tag at octet 0", "form"),
            (errors.BadSequence(), b"BAD Bad sequence of commands", "state"),
            (errors.UnknownCommand(), b"BAD Command not recognized", "command"),
            (errors.LineTooLong(), b"BAD Line too long", "limit"),
            (errors.AuthFailed(), b"NO [AUTHENTICATIONFAILED] ", "RFC 5530"),
            (errors.AuthUnavailable(), b"NO [UNAVAILABLE] ", "down, not wrong"),
            (errors.MailboxUnreachable(), b"NO [UNAVAILABLE] ", "its agent is gone"),
            (errors.EncryptionNeeded(), b"NO [PRIVACYREQUIRED] ", "RFC 5530"),
            (errors.OverQuota(), b"NO [OVERQUOTA] ", "RFC 5530"),
            (errors.MessageTooBig(), b"NO [TOOBIG] ", "RFC 4469"),
            (errors.AnnotationTooBig(9), b"NO [METADATA MAXSIZE 9] ", "RFC 5464"),
            (errors.NoSuchMailbox(), b"NO [NONEXISTENT] ", "RFC 5530"),
            (errors.MailboxExists(), b"NO [ALREADYEXISTS] ", "RFC 5530"),
            (errors.BadMailboxName(), b"NO [CANNOT] ", "RFC 5530"),
            (errors.UnknownUse(), b"NO [USEATTR] ", "RFC 6154"),
            (errors.MessageGone(), b"NO [EXPUNGEISSUED] ", "RFC 5530"),
            (errors.BadCharset(), b"NO [BADCHARSET (US-ASCII UTF-8", "RFC 3501"),
            (errors.MailboxReadOnly(), b"NO Mailbox is read-only", "no code fits"),
            (errors.MailError(), b"NO [SERVERBUG] Internal error", "nobody named it"),
        ]:
            found = response.answer_for(fault).encode(b"t")
            self.assertTrue(found.startswith(b"t " + line), (why, found))

    def test_a_missing_target_says_trycreate(self):
        found = response.no_for(errors.NoSuchMailbox(), try_create=True)
        self.assertEqual(found.code, b"TRYCREATE")


class StringTests(SynchronousTestCase):
    @settings(max_examples=200)
    @given(octets=st.binary(max_size=30).filter(lambda octets: 0 not in octets))
    def test_strings_come_back(self, octets):
        for encode, parse in [
            (response.string, strings.string),
            (response.nstring, strings.nstring),
            (response.astring, strings.astring),
        ]:
            s = scanner(encode(octets))
            self.assertEqual(parse(s), octets)
            s.end()

    def test_nil_is_not_the_text_nil(self):
        self.assertEqual(response.nstring(None), b"NIL")
        self.assertIsNone(strings.nstring(scanner(b"nil")))
        self.assertEqual(response.astring(b"nil"), b'"nil"')
        self.assertEqual(response.nstring(b"NIL"), b'"NIL"')

    def test_what_cannot_be_quoted_is_a_literal(self):
        for octets in (b"a\r\nb", b"\xe4", b"x" * 1001):
            self.assertTrue(response.string(octets).startswith(b"{"))


class ListTests(SynchronousTestCase):
    def test_flags_have_a_fixed_order(self):
        flags = frozenset({"zz", "$Junk", SEEN, "\\Answered"})
        wanted = b"(\\Answered \\Seen \\Recent $Junk zz)"
        self.assertEqual(response.flag_list(flags, recent=True), wanted)
        self.assertEqual(response.flag_list(frozenset()), b"()")

    def test_a_keyword_that_is_no_atom_is_not_told(self):
        flags = frozenset({"a b", "ok", "x)", "\xe4", ""})
        self.assertEqual(response.flag_list(flags), b"(ok)")

    def test_uid_sets_keep_the_order_of_source_and_target(self):
        copied = Copied(7, [1, 2, 5], [10, 11, 12])
        self.assertEqual(response.copy_uid(copied), b"COPYUID 7 1:2,5 10:12")
        self.assertEqual(response.uid_set([3, 2, 1]), b"3,2,1")
        self.assertEqual(response.copy_uid(Copied(7, [], [])), b"")
        self.assertEqual(response.append_uid(Appended(7, [4])), b"APPENDUID 7 4")

    def test_body_labels_say_what_was_asked(self):
        fields = Section((1, 2), SectionText.FIELDS_NOT, (b"Date", b'a"b', b"x y"))
        for attribute, label in [
            (FetchBody(), b"BODY[]"),
            (FetchBody(Section((1,)), partial=Partial(5, 9)), b"BODY[1]<5>"),
            (FetchBody(Section((), SectionText.TEXT), peek=True), b"BODY[TEXT]"),
            (FetchBody(fields), b'BODY[1.2.HEADER.FIELDS.NOT (Date "a\\"b" "x y")]'),
        ]:
            self.assertEqual(response.body_label(attribute), label)
