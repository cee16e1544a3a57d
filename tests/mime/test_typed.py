from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.mime.header import fields
from mailtwist.mime.typed import complete, until_dot

FULL = b"From: a@x\r\nDate: d\r\nMessage-ID: <i>\r\nTo: b@y\r\n"


def typed(octets, full_name="Ann B"):
    return complete(
        octets,
        sender="ann@example.test",
        full_name=full_name,
        date=b"today",
        message_id=b"<1@here>",
    )


class CompleteTests(SynchronousTestCase):
    def test_a_whole_message_stays_as_it_is(self):
        octets = FULL + b"\r\nbody\r\n"
        self.assertEqual(typed(octets).octets, octets)

    def test_what_is_missing_is_added(self):
        for given_, want, why in (
            (
                b"Subject: hi\n\nbody\n",
                b"Message-ID: <1@here>\r\nDate: today\r\n"
                b"From: Ann B <ann@example.test>\r\nSubject: hi\r\n"
                b"To: undisclosed-recipients:;\r\n\r\nbody\r\n",
                "fields",
            ),
            (FULL + b"\r\nno end", FULL + b"\r\nno end\r\n", "the last line end"),
            (FULL, FULL + b"\r\n", "the blank line"),
            (FULL[:-2], FULL + b"\r\n", "the end of the last field"),
            (FULL + b"text: \n", FULL + b"text: \r\n\r\n", "a field to the end"),
            (FULL + b"no field\n", FULL + b"\r\nno field\r\n", "text begins at once"),
            (FULL + b" folded\n\n", FULL + b" folded\r\n\r\n", "a folded field"),
            (b"From ann today\n" + FULL, FULL + b"\r\n", "an mbox line"),
        ):
            self.assertEqual(typed(given_).octets, want, why)

    def test_a_text_without_header_is_all_body(self):
        self.assertTrue(
            typed(b"hello\nworld\n").octets.endswith(b"\r\n\r\nhello\r\nworld\r\n")
        )

    def test_bcc_and_what_delivery_writes_are_taken_out(self):
        octets = typed(
            FULL + b"Bcc: c@z\nReturn-Path: <x>\nContent-Length: 1\n\n"
        ).octets
        self.assertEqual(octets, FULL + b"\r\n")

    def test_a_name_is_quoted_where_it_must_be(self):
        for name, want in (
            ("", b"From: ann@example.test\r\n"),
            ("A. B", b'From: "A. B" <ann@example.test>\r\n'),
            ('A "x" B', b'From: "A \\"x\\" B" <ann@example.test>\r\n'),
            ("A\r\nX: y", b'From: "AX: y" <ann@example.test>\r\n'),
        ):
            self.assertIn(want, typed(b"", name).octets)

    def test_recipients_are_those_of_to_cc_and_bcc(self):
        header = b'To: root, Ann <ann@x>, g: a@b;\nCc: ann@x\nBcc: "o o"@x\nFrom: f@x\n'
        self.assertEqual(
            typed(header).recipients,
            ((b"root", b""), (b"ann", b"x"), (b"a", b"b"), (b"o o", b"x")),
        )

    def test_resent_fields_count_alone(self):
        header = b"To: a@x\nResent-To: b@x\nResent-Bcc: c@x\n"
        found = typed(header)
        self.assertEqual(found.recipients, ((b"b", b"x"), (b"c", b"x")))
        self.assertNotIn(b"Resent-Bcc", found.octets)

    def test_a_lone_dot_ends_what_is_typed(self):
        for given_, want in (
            (b"a\n.\nb", b"a\n"),
            (b"a\r\n.\r\nb", b"a\r\n"),
            (b".\nb", b""),
            (b"a\n..\n.b\n.", b"a\n..\n.b\n."),
        ):
            self.assertEqual(until_dot(given_), want)

    @given(
        st.lists(
            st.sampled_from(
                [b"\n", b"\r", b"\r\n", b"a", b":", b" ", b"To", b"\xe9", b"From "]
            )
        )
    )
    def test_anything_becomes_a_message(self, parts):
        octets = typed(b"".join(parts)).octets
        self.assertNotIn(b"\n", octets.replace(b"\r\n", b""))
        self.assertNotIn(b"\r", octets.replace(b"\r\n", b""))
        names = [name.lower() for name, _ in fields(octets)]
        for name in (b"from", b"date", b"message-id"):
            self.assertIn(name, names)
        self.assertTrue(octets.endswith(b"\r\n"))
        self.assertEqual(typed(octets).octets, octets)
