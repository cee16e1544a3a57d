"""QUOTA (RFC 9208): usage and limits of the account."""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.directory.model import DomainLimit

from ..room import Room


class QuotaTests(SynchronousTestCase):
    def setUp(self):
        self.room = Room()
        self.client = self.room.login()
        self.client.hear()

    def limit(self, octets=None, messages=None):
        """The account may hold so much from now on."""
        self.room.account = evolve(
            self.room.account, storage_limit_octets=octets, message_limit=messages
        )
        self.room.store.mailboxes(self.room.account)

    def test_what_is_held_and_may_be(self):
        self.client.append()
        for octets, messages, wanted, why in [
            (10_240, 5, b"(STORAGE 1 10 MESSAGE 1 5)", "both"),
            (10_240, None, b"(STORAGE 1 10)", "what is not limited is left out"),
            (None, 5, b"(MESSAGE 1 5)", "messages alone"),
        ]:
            self.limit(octets, messages)
            told = b'* QUOTA "User quota" ' + wanted
            self.assertEqual(
                self.client.ask("GETQUOTAROOT INBOX"),
                [
                    b'* QUOTAROOT INBOX "User quota"',
                    told,
                    b"OK GETQUOTAROOT completed",
                ],
                why,
            )
            lines = self.client.ask('GETQUOTA "User quota"')
            self.assertEqual(lines, [told, b"OK GETQUOTA completed"], why)

    def test_the_sum_of_a_domain_is_the_last_root(self):
        domain = DomainLimit("b\u00fccher.test", "/nowhere/sum", 10_240, 7)
        self.room.account = evolve(self.room.account, message_limit=5, domain=domain)
        self.room.store.mailboxes(self.room.account)
        self.client.append()
        told = b'* QUOTA "Domain xn--bcher-kva.test" (STORAGE 1 10 MESSAGE 1 7)'
        lines = self.client.ask("GETQUOTAROOT INBOX")
        roots = b'"User quota" "Domain xn--bcher-kva.test"'
        self.assertEqual(lines[0], b"* QUOTAROOT INBOX " + roots)
        self.assertEqual(lines[2], told)
        lines = self.client.ask('GETQUOTA "Domain xn--bcher-kva.test"')
        self.assertEqual(lines, [told, b"OK GETQUOTA completed"])

    def test_without_a_limit_there_is_no_root(self):
        self.assertEqual(
            self.client.ask("GETQUOTAROOT INBOX"),
            [b"* QUOTAROOT INBOX", b"OK GETQUOTAROOT completed"],
        )
        (line,) = self.client.ask('GETQUOTA "User quota"')
        self.assertEqual(line, b"NO [NONEXISTENT] No such quota root")

    def test_what_cannot_be(self):
        self.limit(10_240)
        for command, wanted, why in [
            ('GETQUOTA ""', b"NO [NONEXISTENT] No such quota root", "another root"),
            ("GETQUOTAROOT none", b"NO [NONEXISTENT] No such mailbox", "no mailbox"),
            (
                'SETQUOTA "User quota" (STORAGE 512)',
                b"NO [NOPERM] Limits are set by the administrator",
                "not over IMAP",
            ),
            ("SETQUOTA x ()", b"NO [NOPERM] Limits are set by the administrator", "no"),
        ]:
            self.assertEqual(self.client.ask(command), [wanted], why)
        for command in ("GETQUOTA", "SETQUOTA x STORAGE", "SETQUOTA x (STORAGE -1)"):
            (line,) = self.client.ask(command)
            self.assertTrue(line.startswith(b"BAD"), command)

    def test_a_full_account_is_told_so(self):
        self.limit(10_240, 1)
        self.client.append()
        self.client.ask("SELECT INBOX")
        (line,) = self.client.ask("COPY 1 INBOX")
        self.assertTrue(line.startswith(b"NO [OVERQUOTA]"), line)

    def test_what_an_expunge_would_free(self):
        self.client.append(flags="\\Deleted")
        self.client.append()
        told, _ = self.client.ask("STATUS INBOX (SIZE DELETED DELETED-STORAGE)")
        words = told.rstrip(b")").split()
        size, deleted, storage = int(words[4][:]), int(words[6]), int(words[8])
        self.assertEqual((deleted, storage * 2), (1, size))
