"""ID, ENABLE and the commands without arguments."""

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import BadParameter, SyntaxFault
from mailtwist.imap4 import types as t
from mailtwist.imap4.commands import State

from ..talk import asked


class SessionTests(SynchronousTestCase):
    def test_commands_without_arguments(self):
        for line, command in [
            (b"CAPABILITY", t.Capability()),
            (b"noop", t.Noop()),
            (b"LOGOUT", t.Logout()),
            (b"NAMESPACE", t.Namespace()),
            (b"IDLE", t.Idle()),
            (b"CHECK", t.Check()),
            (b"CLOSE", t.Close()),
            (b"UNSELECT", t.Unselect()),
        ]:
            self.assertEqual(asked(line), command)
            with self.assertRaises(SyntaxFault):
                asked(line + b" x")

    def test_id(self):
        for line, fields in [
            (b"ID NIL", ()),
            (b"ID nil", ()),
            (b"ID ()", ()),
            (b'ID ("name" "x" "os" NIL)', (("name", "x"), ("os", None))),
            (b'ID ("a" {3+}\r\n"b\xff)', (("a", '"b\ufffd'),)),
        ]:
            self.assertEqual(asked(line), t.Id(fields), line)

    def test_id_has_limits(self):
        for line, fault in [
            (b"ID", SyntaxFault),
            (b'ID ("name")', SyntaxFault),
            (b'ID ("' + b"x" * 31 + b'" NIL)', BadParameter),
            (b'ID ("a" "' + b"x" * 1025 + b'")', BadParameter),
            (b"ID (" + b" ".join([b'"a" NIL'] * 31) + b")", BadParameter),
        ]:
            with self.assertRaises(fault, msg=line):
                asked(line)

    def test_enable(self):
        command = asked(b"ENABLE condstore X-GOOD-IDEA ")
        self.assertEqual(command.capabilities, ("CONDSTORE", "X-GOOD-IDEA"))
        with self.assertRaises(SyntaxFault):
            asked(b"ENABLE")

    def test_login(self):
        before = State.NOT_AUTHENTICATED
        for line, user, password in [
            (b"LOGIN ann pw", "ann", b"pw"),
            (b'LOGIN "ann b" ""', "ann b", b""),
            (b"LOGIN {2+}\r\nan {5+}\r\np\r\nw\\", "an", b"p\r\nw\\"),
            (b'LOGIN j\xc3 "x"', None, None),
            (b'LOGIN "j\xc3\xb6" "\xff"', "j\xf6", b"\xff"),
            (b'LOGIN "j\xff" x', None, None),
            (b"LOGIN ann", None, None),
            (b"LOGIN ann b c", None, None),
        ]:
            if user is None:
                with self.assertRaises(SyntaxFault, msg=line):
                    asked(line, state=before)
                continue
            command = asked(line, state=before)
            self.assertEqual(
                (command.user, command.password.reveal()), (user, password)
            )
