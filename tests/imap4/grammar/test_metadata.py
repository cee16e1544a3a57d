"""GETMETADATA, SETMETADATA and METADATA of LIST."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import BadParameter, SyntaxFault
from mailtwist.imap4.types_kept import GetMetadata, SetMetadata
from mailtwist.mailbox.metadata import Wish

from ..talk import asked, asked_or_refused

INBOX, COMMENT = ("INBOX",), "/private/comment"


class MetadataTests(SynchronousTestCase):
    def test_what_is_asked_for(self):
        for text, wanted, why in [
            (b'"" /shared/comment', GetMetadata((), ("/shared/comment",)), "server"),
            (b"inbox /private/Comment", GetMetadata(INBOX, (COMMENT,)), "lower case"),
            (
                b'INBOX ("/private/comment" /shared/a)',
                GetMetadata(INBOX, (COMMENT, "/shared/a")),
                "several",
            ),
            (
                b"INBOX (MAXSIZE 1024) /private/comment",
                GetMetadata(INBOX, (COMMENT,), 0, 1024),
                "options as in the examples",
            ),
            (
                b"(DEPTH infinity MAXSIZE 5) INBOX (/private)",
                GetMetadata(INBOX, ("/private",), None, 5),
                "options as in the syntax",
            ),
            (
                b"INBOX (DEPTH 1) /shared/vendor/x",
                GetMetadata(INBOX, ("/shared/vendor/x",), 1),
                "one level",
            ),
        ]:
            self.assertEqual(asked(b"GETMETADATA " + text), wanted, why)

    def test_what_is_set(self):
        for text, wanted, why in [
            (b"(/private/comment x)", None, "a value is a string"),
            (b'(/private/comment "x")', ((COMMENT, b"x"),), "quoted"),
            (b"(/private/comment nil)", ((COMMENT, None),), "removed"),
            (b"(/private/comment {2+}\r\na\n)", ((COMMENT, b"a\n"),), "lines"),
            (b"(/private/comment ~{2+}\r\n\0\n)", ((COMMENT, b"\0\n"),), "any octets"),
            (
                b'(/private/comment "" /shared/vendor/x/y "2")',
                ((COMMENT, b""), ("/shared/vendor/x/y", b"2")),
                "two",
            ),
        ]:
            line = b"SETMETADATA INBOX " + text
            if wanted is None:
                self.assertRaises(SyntaxFault, asked, line)
            else:
                self.assertEqual(asked(line), SetMetadata(INBOX, wanted), why)

    def test_names_that_are_none(self):
        for name, why in [
            (b"comment", "no slash"),
            (b"/other/comment", "neither private nor shared"),
            (b"/private/a*", "a wildcard"),
            (b'"/private/a%"', "a wildcard"),
            (b"/private//a", "an empty part"),
            (b"/private/a/", "an empty part"),
            (b'"/private/\x07"', "a control character"),
            (b'"/private/\xc3\xa9"', "not ASCII"),
            (b"/private/" + b"x" * 2000, "too long"),
        ]:
            line = b"GETMETADATA INBOX " + name
            self.assertRaises(SyntaxFault, asked, line)
            self.assertTrue(why)
        for name in (b"/private", b"/shared/vendor/x", b"/private/vendor"):
            line = b"SETMETADATA INBOX (%b NIL)" % name
            self.assertRaises(SyntaxFault, asked, line)

    def test_unknown_options(self):
        for option in (b"DEPTH 2", b"SIZE 4"):
            line = b"GETMETADATA INBOX (%b) /private/comment" % option
            self.assertRaises(BadParameter, asked, line)

    def test_list_may_return_them(self):
        listed = asked(
            b'LIST "" * RETURN (SUBSCRIBED METADATA ("/shared/A" /private/b))'
        )
        self.assertEqual(listed.metadata, ("/shared/a", "/private/b"))

    @given(st.binary(max_size=60), st.sampled_from([b"GETMETADATA ", b"SETMETADATA "]))
    def test_any_octets_are_read_or_refused(self, octets, name):
        octets = octets.replace(b"\r", b"").replace(b"\n", b"")
        asked_or_refused(name + octets)

    @given(st.binary(max_size=40))
    def test_a_value_is_read_as_it_was_sent(self, value):
        line = b"SETMETADATA INBOX (/shared/x ~{%d+}\r\n%b)" % (len(value), value)
        self.assertEqual(asked(line).values, (("/shared/x", value),))


class WishTests(SynchronousTestCase):
    def test_depth(self):
        names = ["/shared/a", "/shared/ab", "/shared/a/b", "/shared/a/b/c"]
        for depth, wanted in ((0, names[:1]), (1, [names[0], names[2]])):
            wish = Wish(("/shared/a",), depth)
            self.assertEqual(list(filter(wish.takes, names)), wanted)
        every = Wish(("/shared/a",), None)
        self.assertEqual(
            list(filter(every.takes, names)), [names[0], names[2], names[3]]
        )
