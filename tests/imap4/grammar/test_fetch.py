"""FETCH: every attribute, section and modifier."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import BadParameter, SyntaxFault
from mailtwist.imap4 import types as t
from mailtwist.imap4 import types_kept as k
from mailtwist.imap4.response import body_label
from mailtwist.seqset import SequenceSet

from ..talk import asked

T = t.SectionText
FAST = (t.FetchFlags(), t.FetchInternalDate(), t.FetchSize())


def body(part=(), text=T.ALL, fields=(), **rest):
    return t.FetchBody(t.Section(part, text, fields), **rest)


def attributes(text):
    return asked(b"FETCH 1 " + text).attributes


NAMES = st.lists(st.binary(min_size=1, max_size=6).filter(lambda name: 0 not in name))
FIELDS = NAMES.filter(len).map(tuple)
PARTS = st.lists(st.integers(1, 2**32 - 1), max_size=4).map(tuple)
SECTIONS = st.one_of(
    st.builds(t.Section, PARTS),
    st.builds(t.Section, PARTS, st.sampled_from([T.HEADER, T.TEXT])),
    st.builds(t.Section, PARTS.filter(len), st.just(T.MIME)),
)


class FetchTests(SynchronousTestCase):
    def test_attributes(self):
        for text, wanted, why in [
            (b"FLAGS", (t.FetchFlags(),), "alone"),
            (b"(FLAGS)", (t.FetchFlags(),), "in a list"),
            (b"ALL", (*FAST, t.FetchEnvelope()), "macro"),
            (b"fast", FAST, "macro in any case"),
            (b"FULL", (*FAST, t.FetchEnvelope(), t.FetchStructure(False)), "macro"),
            (
                b"(UID MODSEQ BODYSTRUCTURE BODY)",
                (
                    t.FetchUid(),
                    t.FetchModSeq(),
                    t.FetchStructure(),
                    t.FetchStructure(False),
                ),
                "metadata",
            ),
            (
                b"(EMAILID threadid SAVEDATE)",
                (k.FetchEmailId(), k.FetchThreadId(), k.FetchSaveDate()),
                "what the store keeps",
            ),
            (
                b"(PREVIEW preview (lazy) UID)",
                (k.FetchPreview(), k.FetchPreview(lazy=True), t.FetchUid()),
                "with its modifier",
            ),
            (b"PREVIEW (LAZY)", (k.FetchPreview(lazy=True),), "alone"),
            (
                b"(RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE)",
                (
                    t.FetchRfc822(),
                    t.FetchRfc822Header(),
                    t.FetchRfc822Text(),
                    t.FetchSize(),
                ),
                "old names",
            ),
            (b"(FLAGS FLAGS)", (t.FetchFlags(),), "each once"),
            (b"BODY[]", (body(),), "whole"),
            (b"BODY.PEEK[]", (body(peek=True),), "whole, without \\Seen"),
            (b"BODY[]<0.100>", (body(partial=t.Partial(0, 100)),), "partial"),
            (b"BODY[TEXT]", (body((), T.TEXT),), "text"),
            (b"BINARY[]", (t.FetchBinary(),), "all of it"),
            (
                b"(BINARY[1.2]<0.9> binary.peek[3] BINARY.SIZE[4])",
                (
                    t.FetchBinary((1, 2), partial=t.Partial(0, 9)),
                    t.FetchBinary((3,), peek=True),
                    t.FetchBinarySize((4,)),
                ),
                "without transfer encoding",
            ),
            (b"BODY[header]", (body((), T.HEADER),), "header in any case"),
            (b"BODY[1]", (body((1,)),), "part"),
            (b"BODY[1.2.3]", (body((1, 2, 3)),), "deep part"),
            (b"BODY[2.MIME]", (body((2,), T.MIME),), "MIME header"),
            (b"BODY[2.HEADER]", (body((2,), T.HEADER),), "header of message/rfc822"),
            (
                b'BODY[HEADER.FIELDS (From "To" {2+}\r\nCc)]',
                (body((), T.FIELDS, (b"From", b"To", b"Cc")),),
                "fields in every form",
            ),
            (
                b"BODY.PEEK[1.HEADER.FIELDS.NOT (From)]<7.9>",
                (
                    body(
                        *((1,), T.FIELDS_NOT, (b"From",)),
                        peek=True,
                        partial=t.Partial(7, 9),
                    ),
                ),
                "all but fields, partial",
            ),
            (
                b"BODY[HEADER.FIELDS(From)]",
                (body((), T.FIELDS, (b"From",)),),
                "quirk: the space is missing",
            ),
        ]:
            self.assertEqual(attributes(text), wanted, why)

    def test_faults(self):
        for text, fault, why in [
            (b"", SyntaxFault, "nothing"),
            (b"()", SyntaxFault, "empty list"),
            (b"(ALL)", BadParameter, "a macro in a list"),
            (b"FOO", BadParameter, "unknown"),
            (b"FLAGS UID", SyntaxFault, "two without a list"),
            (b"(FLAGS,UID)", SyntaxFault, "comma"),
            (b"BODY[", SyntaxFault, "open bracket"),
            (b"BODY[0]", SyntaxFault, "part 0"),
            (b"BODY[1.0]", SyntaxFault, "part 0 within"),
            (b"BODY[1.]", SyntaxFault, "dot at the end"),
            (b"BODY[.1]", SyntaxFault, "dot in front"),
            (b"BODY[99999999999]", SyntaxFault, "number over 32 bits"),
            (b"BODY[" + b".".join([b"1"] * 101) + b"]", SyntaxFault, "too deep"),
            (b"BODY[" + b"1" * 5000 + b"]", SyntaxFault, "a very long number"),
            (b"BODY[MIME]", SyntaxFault, "MIME of no part"),
            (b"BODY[FOO]", SyntaxFault, "unknown section"),
            (b"BODY[HEADER.FIELDS]", SyntaxFault, "no fields"),
            (b"BODY[HEADER.FIELDS ()]", SyntaxFault, "empty fields"),
            (b"BODY[]<0>", SyntaxFault, "partial without count"),
            (b"BODY[]<0.0>", SyntaxFault, "partial of nothing"),
            (b"BODY[]<-1.5>", SyntaxFault, "negative offset"),
            (b"FLAGS (CHANGEDSINCE)", SyntaxFault, "no mod-sequence"),
            (b"FLAGS (CHANGEDSINCE 1 VANISHED)", BadParameter, "QRESYNC is not here"),
            (b"FLAGS (PARTIAL 1:2)", BadParameter, "PARTIAL is for UID FETCH"),
            (b"FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 2)", BadParameter, "twice"),
            (b"FLAGS (FOO 1)", BadParameter, "unknown modifier"),
        ]:
            with self.assertRaises(fault, msg=why):
                attributes(text)

    def test_too_many_attributes_are_refused(self):
        many = b" ".join(b"BODY[%d]" % n for n in range(1, 300))
        with self.assertRaises(BadParameter):
            attributes(b"(" + many + b")")

    def test_changedsince_brings_modseq(self):
        command = asked(b"FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)")
        self.assertEqual(command.changed_since, 12345)
        self.assertEqual(command.attributes, (t.FetchFlags(), t.FetchModSeq()))
        self.assertEqual(asked(b"FETCH 1 FLAGS (CHANGEDSINCE 0)").changed_since, 0)

    def test_uid_fetch_brings_uid(self):
        command = asked(b"UID FETCH 5:7 FLAGS")
        self.assertTrue(command.uid)
        self.assertEqual(command.sequence_set, SequenceSet.of([(5, 7)]))
        self.assertEqual(command.attributes, (t.FetchUid(), t.FetchFlags()))
        command = asked(b"UID FETCH 5 (FLAGS UID)")
        self.assertEqual(command.attributes, (t.FetchFlags(), t.FetchUid()))

    @settings(max_examples=100)
    @given(section=SECTIONS, fields=FIELDS, peek=st.booleans())
    def test_a_label_is_what_the_client_may_ask_again(self, section, fields, peek):
        for one in (section, t.Section(section.part, T.FIELDS, fields)):
            label = body_label(t.FetchBody(one))
            if b"{" not in label.replace(b"\\{", b""):
                self.assertEqual(attributes(label), (t.FetchBody(one),))
