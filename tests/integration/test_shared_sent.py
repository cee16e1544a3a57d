"""A shared address with the mail programs of two of its members: mutt and mbsync."""

from pathlib import Path

from tests.integration import ways_in
from tests.integration.daemon import DOMAIN, PASSWORD, DaemonTestCase
from tests.integration.programs import message, run
from tests.integration.test_mbsync import Synced


class SharedSentTests(DaemonTestCase):
    def shared(self, *options):
        """(ann, bob, the address that they share)."""
        ann, bob = self.user(), self.user()
        ops = f"{ann.partition('@')[0]}.ops@{DOMAIN}"
        share = ("share", "add", ops, "--members", f"{ann},{bob}", "--send-as")
        self.daemon.command(*share, *options)
        return ann, bob, ops

    def mutt_sends(self, user, sender, to, record):
        """mutt as `user` sends one message from an address and keeps a copy."""
        home = Path(self.mktemp()).absolute()
        home.mkdir()
        port, smtp = self.daemon.port("imaps"), self.daemon.port("submissions")
        settings = {
            "folder": f"imaps://localhost:{port}/",
            "imap_user": user,
            "imap_pass": PASSWORD,
            "smtp_url": f"smtps://{user}@localhost:{smtp}/",
            "smtp_pass": PASSWORD,
            "smtp_authenticators": "plain",
            "certificate_file": f"{self.daemon.folder}/data/tls/self-signed.crt",
            "from": sender,
            "realname": "Operations",
            "use_from": "yes",
            "record": record,
            "imap_delim_chars": "/",  # else the dots of an address are delimiters
            "tmpdir": str(home),
        }
        rc = home / "muttrc"
        rc.write_text("".join(f'set {n}="{v}"\n' for n, v in settings.items()))
        words = ("mutt", "-n", "-F", rc, "-s", "An answer", "--", to)
        run(*words, said=b"Typed with care.\n", env={"HOME": str(home)})

    def mbsync(self, user):
        home = Path(self.mktemp()).absolute()
        synced = Synced(self.daemon, user, home, "imaps", "IMAPS")
        self.addCleanup(synced.far.shutdown)
        return synced

    def test_what_one_sends_with_mutt_another_has_by_mbsync(self):
        ann, bob, ops = self.shared()
        customer = self.user()
        ways_in.deliver(self.daemon, ops, message("A question"))
        sent = f"Other Users/{ops}/Sent"
        self.mutt_sends(ann, ops, customer, f"+{sent}")
        (got,) = ways_in.messages(self.daemon, customer)
        self.assertIn(f"\r\nFrom: Operations <{ops}>\r\n".encode(), got)
        self.assertNotIn(b"\r\nSender:", got)
        self.assertNotIn(ann.encode(), got, "who it was is nobody else's business")

        synced = self.mbsync(bob)
        synced.sync()
        self.assertEqual(synced.letters(sent), {"An answer": ""}, "bob has not read it")
        inbox = f"Other Users/{ops}/INBOX"
        self.assertEqual(list(synced.files(inbox)), ["A question"])
        synced.mark(inbox, "A question", "RS")
        synced.sync()
        owner = ways_in.imapclient(self.daemon, ann)[1]
        self.addCleanup(owner.shutdown)
        owner.select_folder(inbox)
        self.assertEqual(owner.search("ANSWERED"), [1], "all see who answered")
        self.assertEqual(owner.search("SEEN"), [], "each reads it himself")

    def test_the_server_keeps_what_a_program_does_not(self):
        ann, bob, ops = self.shared("--keep-sent")
        self.mutt_sends(ann, ops, self.user(), "")
        synced = self.mbsync(bob)
        synced.sync()
        sent = f"Other Users/{ops}/Sent"
        self.assertEqual(synced.letters(sent), {"An answer": ""})
        synced.remove(sent, "An answer")
        synced.sync()
        self.assertEqual(synced.letters(sent), {})
