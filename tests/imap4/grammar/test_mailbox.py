"""Commands about mailboxes by name, LIST among them."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.reading import Imap4
from mailtwist.errors import BadMailboxName, BadParameter, SyntaxFault, UnknownUse
from mailtwist.imap4.types import (
    Create,
    Delete,
    Examine,
    List,
    ListReturn,
    ListSelect,
    Lsub,
    Rename,
    Select,
    Status,
    StatusItem,
    Subscribe,
    Unsubscribe,
)

from ..talk import asked

SUBSCRIBED, CHILDREN = ListReturn.SUBSCRIBED, ListReturn.CHILDREN


def select(*options):
    return frozenset(options)


class MailboxTests(SynchronousTestCase):
    def test_commands(self):
        for line, command in [
            (b"SELECT inbox", Select(("INBOX",))),
            (b'select "a b" (condstore)', Select(("a b",), condstore=True)),
            (b"EXAMINE {3+}\r\na/b", Examine(("a", "b"))),
            (b"CREATE &AOQ-", Create(("\xe4",))),
            (b"CREATE a/b/", Create(("a", "b"))),
            (b"CREATE S (USE (\\sent))", Create(("S",), frozenset({"\\Sent"}))),
            (b"DELETE a", Delete(("a",))),
            (b"RENAME a b/c", Rename(("a",), ("b", "c"))),
            (b"RENAME a b/", Rename(("a",), ("b",))),
            (b"SUBSCRIBE a", Subscribe(("a",))),
            (b"UNSUBSCRIBE a", Unsubscribe(("a",))),
            (b'LSUB "" *', Lsub("", "*")),
            (
                b"STATUS a (UIDNEXT messages UIDNEXT HIGHESTMODSEQ)",
                Status(
                    ("a",),
                    (
                        StatusItem.UIDNEXT,
                        StatusItem.MESSAGES,
                        StatusItem.HIGHESTMODSEQ,
                    ),
                ),
            ),
        ]:
            self.assertEqual(asked(line), command, line)

    def test_faults(self):
        for line, fault, why in [
            (b"SELECT", SyntaxFault, "no name"),
            (b"SELECT a (FOO)", BadParameter, "unknown parameter"),
            (b"SELECT a b", SyntaxFault, "two names"),
            (b"SELECT // x", SyntaxFault, "syntax before the name"),
            (b"SELECT a//b", BadMailboxName, "empty component"),
            (b"SELECT ..", None, "dots are letters with this delimiter"),
            (b"SELECT /etc/passwd", BadMailboxName, "absolute"),
            (b"SELECT {3+}\r\na\x00b", SyntaxFault, "NUL in a literal"),
            (b"SELECT &AAA-", BadMailboxName, "NUL by modified UTF-7"),
            (b'SELECT "\xc3\xa4"', BadMailboxName, "raw UTF-8"),
            (b"CREATE a (USE (\\Foo))", UnknownUse, "unknown special use"),
            (b"CREATE a (FOO)", BadParameter, "unknown parameter"),
            (b"CREATE /", BadMailboxName, "the delimiter alone"),
            (b"STATUS a", SyntaxFault, "no items"),
            (b"STATUS a ()", SyntaxFault, "empty items"),
            (b"STATUS a (FOO)", BadParameter, "unknown item"),
            (b"STATUS a//b (UIDNEXT) x", SyntaxFault, "syntax before the name"),
            (b"RENAME a", SyntaxFault, "one name"),
        ]:
            if fault is None:
                self.assertEqual(asked(line), Select(("..",)), why)
                continue
            with self.assertRaises(fault, msg=why):
                asked(line)

    def test_the_other_delimiter(self):
        dots = Imap4(delimiter=".")
        self.assertEqual(asked(b"DELETE a.b/c", config=dots), Delete(("a", "b/c")))
        with self.assertRaises(BadMailboxName):
            asked(b"SELECT ..", config=dots)


class ListTests(SynchronousTestCase):
    def test_forms(self):
        for line, command, why in [
            (b'LIST "" ""', List("", ("",)), "asks for the delimiter"),
            (b'LIST "" %', List("", ("%",)), "wildcard as an atom"),
            (b'LIST "" "*"', List("", ("*",)), "wildcard in quotes"),
            (b"LIST a/ {1+}\r\n%", List("a/", ("%",)), "wildcard as a literal"),
            (b'LIST "" &AOQ-*]', List("", ("\xe4*]",)), "modified UTF-7"),
            (
                b'LIST () "" (a "b c") RETURN ()',
                List("", ("a", "b c"), extended=True),
                "RFC 5258 with nothing in it",
            ),
            (
                b'LIST (SUBSCRIBED RECURSIVEMATCH) "" * RETURN (CHILDREN)',
                List(
                    "",
                    ("*",),
                    select(ListSelect.SUBSCRIBED, ListSelect.RECURSIVEMATCH),
                    frozenset({SUBSCRIBED, CHILDREN}),
                    extended=True,
                ),
                "SUBSCRIBED is returned when it selects",
            ),
            (
                b'LIST (SPECIAL-USE REMOTE) "" %',
                List(
                    "",
                    ("%",),
                    select(ListSelect.SPECIAL_USE, ListSelect.REMOTE),
                    extended=True,
                ),
                "independent options",
            ),
            (
                b'list "" % return (status (unseen messages) special-use)',
                List(
                    "",
                    ("%",),
                    returns=frozenset({ListReturn.STATUS, ListReturn.SPECIAL_USE}),
                    status=(StatusItem.UNSEEN, StatusItem.MESSAGES),
                    extended=True,
                ),
                "LIST-STATUS",
            ),
        ]:
            self.assertEqual(asked(line), command, why)

    def test_faults(self):
        for line, fault, why in [
            (b'LIST ""', SyntaxFault, "no pattern"),
            (b'LIST (RECURSIVEMATCH) "" *', BadParameter, "RFC 5258 §6"),
            (b'LIST (RECURSIVEMATCH REMOTE) "" *', BadParameter, "RFC 5258 §6"),
            (b'LIST (FOO) "" *', BadParameter, "unknown selection option"),
            (b'LIST "" * RETURN (FOO)', BadParameter, "unknown return option"),
            (b'LIST "" * RETURN (STATUS)', SyntaxFault, "STATUS without items"),
            (b'LIST "" * SORT (X)', BadParameter, "something else than RETURN"),
            (b'LIST "" ()', SyntaxFault, "no patterns in the list"),
            (b'LIST "" (' + b" ".join([b"*"] * 101) + b")", BadParameter, "too many"),
            (b'LIST "" a&b', BadMailboxName, "bad modified UTF-7"),
        ]:
            with self.assertRaises(fault, msg=why):
                asked(line)
