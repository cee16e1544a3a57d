"""A Maildir that Dovecot wrote is taken over as it is, and Dovecot can have it back."""

import imaplib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.directory.model import Account
from mailtwist.imap4 import utf7
from mailtwist.mailbox.model import INBOX, FlagAction, FlagChange, Range
from tests.bench.peers import Dovecot
from tests.integration.daemon import PASSWORD
from tests.store.inline import InlineStore

USER = "ann@example.test"
FOLDERS = ["INBOX", "Sent", "Lists.python", "Entw&APw-rfe", "&U,BTFw-.&ZeVnLIqe-"]
MAIL = b"Subject: %d\r\n\r\nOne line\r\nand another of %d\r\n"


class DovecotTests(SynchronousTestCase):
    timeout = 120

    def setUp(self):
        self.mail = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        self.addCleanup(shutil.rmtree, self.mail)
        self.home = self.mail / "ann"
        self.home.mkdir()
        self.mail.chmod(0o755)

    def as_dovecot(self, work):
        """What `work(client)` gives with Dovecot on the Maildir."""
        subprocess.run(["chown", "-R", "nobody:nogroup", self.home], check=True)
        dovecot = Dovecot(self.mail, [USER])
        try:
            client = imaplib.IMAP4("127.0.0.1", dovecot.port, timeout=30)
            client.login(USER, PASSWORD)
            found = work(client)
            client.logout()
            return found
        finally:
            dovecot.stop()

    def fill(self, client):
        for at, folder in enumerate(FOLDERS):
            client.create(folder)
            client.subscribe(folder)
            for number in range(6):
                flags = ["", "\\Seen", "\\Flagged work", "$Forwarded later"][number % 4]
                octets = MAIL % (number, at)
                answer = client.append(folder, f"({flags})", None, octets)
                self.assertEqual(answer[0], "OK")
            client.select(folder)
            client.uid("STORE", "2,6", "+FLAGS", "(\\Deleted)")
            client.expunge()
        client.unsubscribe("Sent")
        return self.seen(client)

    def seen(self, client):
        """{folder: (UIDVALIDITY, UIDNEXT, {UID: (flags, octets)})}"""
        found = {}
        for folder in FOLDERS:
            self.assertEqual(client.select(folder, readonly=True)[0], "OK")
            status = client.status(folder, "(UIDVALIDITY UIDNEXT)")[1][0]
            (validity,) = re.findall(rb"UIDVALIDITY (\d+)", status)
            (uid_next,) = re.findall(rb"UIDNEXT (\d+)", status)
            messages = {}
            for item in client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")[1]:
                if isinstance(item, tuple):
                    uid = int(re.search(rb"UID (\d+)", item[0])[1])
                    flags = re.search(rb"FLAGS \(([^)]*)\)", item[0])[1].decode()
                    kept = frozenset(flags.split()) - {"\\Recent"}
                    messages[uid] = kept, item[1]
            found[folder] = int(validity), int(uid_next), messages
        return found

    def folders(self):
        names = (path.name for path in (self.home / "Maildir").iterdir())
        return sorted(name for name in names if name[0] == ".")

    def path(self, folder):
        return tuple(utf7.decode(part.encode()) for part in folder.split("."))

    def test_there_and_back(self):
        theirs = self.as_dovecot(self.fill)
        folders = self.folders()
        store = InlineStore()
        tree = store.mailboxes(Account(USER, str(self.home)))
        ours = {}
        for folder in FOLDERS:
            mailbox = store.now(tree.open(self.path(folder)))
            rows = store.now(mailbox.rows())
            octets = store.now(mailbox.octets([Range(uid) for uid in rows.uids]))
            both = zip(rows.flags, octets, strict=True)
            uid_next = store.now(mailbox.status()).uid_next
            messages = dict(zip(rows.uids, both, strict=True))
            ours[folder] = mailbox.uid_validity, uid_next, messages
        self.assertEqual(ours, theirs)
        listed = store.now(tree.listed())
        self.assertEqual(
            {info.path for info in listed if info.subscribed},
            {self.path(folder) for folder in FOLDERS if folder != "Sent"},
        )
        self.assertEqual(self.folders(), folders)

        inbox = store.now(tree.open(INBOX))
        flag = FlagChange(FlagAction.ADD, frozenset({"\\Answered", "work"}))
        store.now(inbox.store_flags([1], flag))
        upload = tree.upload()
        upload.write(MAIL % (99, 99))
        store.now(tree.append(INBOX, [(upload, frozenset({"\\Draft"}), None)]))
        store.now(inbox.move([3], self.path(FOLDERS[3])))
        store.now(store.close())
        again = self.as_dovecot(self.seen)
        self.assertEqual(self.folders(), folders)
        (*_, inbox_before), (*_, drafts_before) = theirs["INBOX"], theirs[FOLDERS[3]]
        flags, octets = inbox_before[1]
        inbox_after = {
            1: (flags | {"\\Answered", "work"}, octets),
            **{uid: inbox_before[uid] for uid in (4, 5)},
            7: (frozenset({"\\Draft"}), MAIL % (99, 99)),
        }
        theirs["INBOX"] = theirs["INBOX"][0], 8, inbox_after
        drafts_after = {**drafts_before, 7: inbox_before[3]}
        theirs[FOLDERS[3]] = theirs[FOLDERS[3]][0], 8, drafts_after
        self.assertEqual(again, theirs)
