"""SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.errors import BadParameter, SyntaxFault
from mailtwist.imap4.types import ListReturn
from mailtwist.imap4.types_kept import GetAcl, ListRights, MyRights, SetAcl
from mailtwist.mailbox.rights import NO_RIGHTS, Action, RightsChange

from ..talk import asked, asked_or_refused

INBOX = ("INBOX",)


def put(name, letters, action=Action.REPLACE):
    return SetAcl(INBOX, name, RightsChange(action, frozenset(letters)))


class AclTests(SynchronousTestCase):
    def test_what_is_asked_for(self):
        for line, wanted, why in [
            (b"GETACL inbox", GetAcl(INBOX), "the list"),
            (b"MYRIGHTS INBOX", MyRights(INBOX), "one's own"),
            (b"SETACL INBOX bob lrs", put("bob", "lrs"), "in place of others"),
            (b"SETACL INBOX bob +cd", put("bob", "kxte", Action.ADD), "obsolete ones"),
            (b'SETACL INBOX bob "-a"', put("bob", "a", Action.REMOVE), "a string"),
            (b'SETACL INBOX bob ""', put("bob", ""), "none"),
            (b"SETACL INBOX -bob w", put("-bob", "w"), "negative rights"),
            (b"SETACL INBOX $team w", put("$team", "w"), "a group"),
            (b'SETACL INBOX "b\xc2\xadob" w', put("bob", "w"), "in quotes too"),
            (b"SETACL INBOX {5+}\r\nb\xc2\xadob w", put("bob", "w"), "prepared"),
            (
                b"DELETEACL INBOX bob",
                SetAcl(INBOX, "bob", RightsChange(Action.REPLACE, NO_RIGHTS)),
                "nothing is left",
            ),
            (
                b"LISTRIGHTS INBOX {5+}\r\nb\xc2\xadob",
                ListRights(INBOX, "bob", b"b\xc2\xadob"),
                "told as it was written",
            ),
        ]:
            self.assertEqual(asked(line), wanted, why)
        found = asked(b'LIST "" * RETURN (MYRIGHTS)').returns
        self.assertEqual(found, {ListReturn.MYRIGHTS})

    def test_what_is_none(self):
        for line, fault, why in [
            (b"SETACL INBOX bob lrQ", BadParameter, "upper case is no right"),
            (b"SETACL INBOX bob lrq", BadParameter, "unknown"),
            (b"SETACL INBOX bob +-l", BadParameter, "two signs"),
            (b"SETACL INBOX bob", SyntaxFault, "no rights"),
            (b'SETACL INBOX "" l', SyntaxFault, "nobody"),
            (b"SETACL INBOX - l", SyntaxFault, "the negative of nobody"),
            (b"SETACL INBOX {2+}\r\n\xff\xff l", SyntaxFault, "not UTF-8"),
            (b"DELETEACL INBOX " + b"x" * 256, SyntaxFault, "too long"),
            (b"LISTRIGHTS INBOX", SyntaxFault, "nobody"),
        ]:
            self.assertRaises(fault, asked, line)
            self.assertTrue(why)

    @given(st.sampled_from([b"SETACL", b"DELETEACL", b"LISTRIGHTS"]), st.binary())
    def test_arbitrary_octets_raise_only_mail_errors(self, name, octets):
        octets = octets.replace(b"\r", b"").replace(b"\n", b"")
        asked_or_refused(name + b" INBOX " + octets)
