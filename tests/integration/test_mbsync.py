"""mbsync keeps a Maildir and an account the same, in both directions."""

import os
from pathlib import Path

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, DaemonTestCase
from tests.integration.programs import message, run


class Synced:
    """A Maildir that mbsync keeps the same as an account: `near` here, `far` there."""

    def __init__(self, daemon, user, home, port, tls):
        self.home = home
        self.near = home / "Mail"
        self.near.mkdir(parents=True)
        self.far = ways_in.imapclient(daemon, user)[1]
        (home / "mbsyncrc").write_text(
            f"IMAPStore far\nHost localhost\nPort {daemon.port(port)}\n"
            f'User {user}\nPass "{PASSWORD}"\nSSLType {tls}\n'
            # Cyrus SASL, which mbsync uses, refuses over 65,536 SCRAM iterations.
            "AuthMechs PLAIN\n"
            f"CertificateFile {daemon.folder}/data/tls/self-signed.crt\n\n"
            f"MaildirStore near\nPath {home}/Mail/\nInbox {home}/Mail/INBOX\n"
            "SubFolders Verbatim\n\n"
            "Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\n"
            f"Remove Both\nExpunge Both\nSyncState {home}/\nSync All\n"
        )

    def sync(self):
        rc = self.home / "mbsyncrc"
        run("mbsync", "-c", rc, "-a", env={"HOME": str(self.home)})

    def files(self, folder):
        """{subject: path} of the messages here."""
        paths = [
            p for part in ("new", "cur") for p in (self.near / folder / part).iterdir()
        ]
        return {subject_of(path.read_bytes()): path for path in paths}

    def mark(self, folder, subject, letters):
        """Give a message here these flags."""
        path = self.files(folder)[subject]
        name = path.name.partition(":")[0]
        path.rename(self.near / folder / "cur" / f"{name}:2,{letters}")

    def letters(self, folder):
        """{subject: its flags here}."""
        return {
            subject: path.name.partition(":2,")[2]
            for subject, path in self.files(folder).items()
        }

    def flags(self, folder):
        """{subject: its flags there}, \\Recent left out."""
        self.far.select_folder(folder, readonly=True)
        fetched = self.far.fetch(self.far.search("ALL"), ["FLAGS", "BODY.PEEK[]"])
        self.far.unselect_folder()
        return {
            subject_of(row[b"BODY[]"]): {
                flag.decode() for flag in row[b"FLAGS"] if flag != b"\\Recent"
            }
            for row in fetched.values()
        }

    def remove(self, folder, *subjects):
        """Take messages away there."""
        self.far.select_folder(folder)
        for subject in subjects:
            self.far.delete_messages(self.far.search(["SUBJECT", subject]))
        self.far.expunge()
        self.far.unselect_folder()


def subject_of(octets):
    return octets.partition(b"Subject: ")[2].split(b"\n")[0].strip().decode()


class MbsyncTests(DaemonTestCase):
    def synced(self):
        """One for each way in."""
        for port, tls in (("imap", "STARTTLS"), ("imaps", "IMAPS")):
            made = Synced(
                self.daemon, self.user(), Path(self.mktemp()).absolute(), port, tls
            )
            self.addCleanup(made.far.shutdown)
            yield made

    def test_new_mail_and_folders_go_both_ways(self):
        for both in self.synced():
            both.far.create_folder("Lists/Été")
            both.far.append("INBOX", message("one"), flags=["\\Seen"])
            both.far.append("Lists/Été", message("two"))
            both.sync()
            self.assertEqual(both.letters("INBOX"), {"one": "S"})
            (encoded,) = [p.parent.name for p in (both.near / "Lists").glob("*/cur")]
            self.assertEqual(list(both.files(f"Lists/{encoded}")), ["two"])
            for use in ("Archive", "Drafts", "Junk", "Sent", "Trash"):
                self.assertEqual(both.files(use), {}, "a new account has these")
            for part in ("cur", "new", "tmp"):
                (both.near / "Mine" / part).mkdir(parents=True)
            (both.near / "Mine/new/9.x.y").write_bytes(message("three"))
            (both.near / "INBOX/cur/8.x.y:2,FR").write_bytes(message("four"))
            both.sync()
            self.assertEqual(both.flags("Mine"), {"three": set()})
            self.assertEqual(
                both.flags("INBOX"),
                {"one": {"\\Seen"}, "four": {"\\Flagged", "\\Answered"}},
            )

    def test_flags_of_both_sides_come_together(self):
        for both in self.synced():
            for subject in ("one", "two"):
                both.far.append("INBOX", message(subject), flags=["\\Seen"])
            both.sync()
            both.mark("INBOX", "one", "FS")
            both.mark("INBOX", "two", "")
            both.far.select_folder("INBOX")
            both.far.add_flags([1], ["\\Answered"])
            both.far.unselect_folder()
            both.sync()
            told = {"\\Seen", "\\Flagged", "\\Answered"}
            self.assertEqual(both.flags("INBOX"), {"one": told, "two": set()})
            self.assertEqual(both.letters("INBOX"), {"one": "FRS", "two": ""})

    def test_deletions_go_both_ways(self):
        for both in self.synced():
            for subject in ("here", "there", "stays"):
                both.far.append("INBOX", message(subject))
            both.sync()
            os.unlink(both.files("INBOX")["here"])
            both.remove("INBOX", "there")
            both.sync()
            self.assertEqual(list(both.flags("INBOX")), ["stays"])
            self.assertEqual(list(both.files("INBOX")), ["stays"])
            both.sync()  # and nothing comes back
            self.assertEqual(list(both.files("INBOX")), ["stays"])
