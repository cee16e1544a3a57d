"""STORE, COPY, MOVE, EXPUNGE."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import BadMailboxName, BadParameter, SyntaxFault
from mailtwist.imap4.types import Copy, Expunge, Move, Store
from mailtwist.mailbox.model import FlagAction, FlagChange
from mailtwist.seqset import STAR, SequenceSet

from ..talk import asked

ONE = SequenceSet.of([(1, 1)])


def change(action, *flags):
    return FlagChange(action, frozenset(flags))


class StoreTests(SynchronousTestCase):
    def test_forms(self):
        replace, add, remove = FlagAction.REPLACE, FlagAction.ADD, FlagAction.REMOVE
        for line, command in [
            (b"STORE 1 FLAGS ()", Store(ONE, change(replace))),
            (b"STORE 1 +FLAGS (\\Seen)", Store(ONE, change(add, "\\Seen"))),
            (b"STORE 1 -flags \\Seen x", Store(ONE, change(remove, "\\Seen", "x"))),
            (
                b"STORE 1 +FLAGS.SILENT \\Deleted",
                Store(ONE, change(add, "\\Deleted"), silent=True),
            ),
            (
                b"UID STORE 1 (UNCHANGEDSINCE 0) FLAGS.SILENT (x)",
                Store(ONE, change(replace, "x"), True, 0, uid=True),
            ),
            (b"COPY 1 Trash", Copy(ONE, ("Trash",))),
            (b"UID MOVE 1 Trash", Move(ONE, ("Trash",), uid=True)),
            (b"EXPUNGE", Expunge()),
            (b"UID EXPUNGE 1:*", Expunge(SequenceSet.of([(1, STAR)]))),
        ]:
            self.assertEqual(asked(line), command, line)

    def test_faults(self):
        for line, fault in [
            (b"STORE 1", SyntaxFault),
            (b"STORE 1 FLAGS", SyntaxFault),
            (b"STORE 1 ~FLAGS ()", SyntaxFault),
            (b"STORE 1 FLAGS.LOUD ()", SyntaxFault),
            (b"STORE 1 FLAGS (\\Foo)", BadParameter),
            (b"STORE 1 (FOO 1) FLAGS ()", BadParameter),
            (b"STORE 1 (UNCHANGEDSINCE x) FLAGS ()", SyntaxFault),
            (b"STORE x FLAGS ()", SyntaxFault),
            (b"COPY 1", SyntaxFault),
            (b"COPY 1 a//b", BadMailboxName),
            (b"UID EXPUNGE", SyntaxFault),
            (b"EXPUNGE 1", SyntaxFault),
        ]:
            with self.assertRaises(fault, msg=line):
                asked(line)
