"""The structure of a part is cut out of that of its message."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.imap4.part_structure import structure_of_part
from mailtwist.mime.parse import parse
from mailtwist.mime.structure import bodystructure

MESSAGE = (
    b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"
    b'--a\r\nContent-Type: text/plain; name="(x\\" \\\\"\r\n\r\none\r\n'
    b"--a\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: \xc3\xa4) (\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nin\r\n"
    b"--b\r\nContent-Type: text/html\r\n\r\nner\r\n--b--\r\n"
    b"--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nonly\r\n--a--\r\n"
)


class PartStructureTests(SynchronousTestCase):
    def test_parts(self):
        whole = bodystructure(parse(MESSAGE), MESSAGE)
        for part, start in [
            ((), b'(("text" "plain" ('),
            ((1,), b'("text" "plain" ("'),
            ((2,), b'("message" "rfc822'),
            ((2, 1), b'("text" "plain" ('),
            ((2, 2), b'("text" "html" ('),
            ((3, 1), b'("text" "plain" ("'),
            ((4,), None),
            ((2, 3), None),
            ((1, 1), None),
            ((3, 1, 1), None),
        ]:
            found = structure_of_part(whole, part)
            if start is None:
                self.assertIsNone(found, part)
                continue
            self.assertTrue(found.startswith(start), (part, found))
            self.assertIn(found, whole)
            self.assertTrue(found.endswith(b")"))

    @given(st.binary(max_size=300), st.lists(st.integers(1, 3), max_size=3))
    def test_any_message_and_part(self, octets, part):
        root = parse(octets)
        found = structure_of_part(bodystructure(root, octets), tuple(part))
        self.assertEqual(found is None, root.section(tuple(part)) is None)

    @given(st.binary(max_size=100), st.lists(st.integers(1, 3), max_size=3))
    def test_any_octets(self, octets, part):
        found = structure_of_part(octets, tuple(part))
        self.assertTrue(found is None or found in octets)
