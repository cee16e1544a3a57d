"""A Maildir that another server wrote: ours as it is, and theirs again afterwards."""

from __future__ import annotations

import imaplib
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mailtwist.directory.model import Account
from mailtwist.imap4 import utf7
from mailtwist.mailbox.model import INBOX, FlagAction, FlagChange, Range
from tests.store.inline import InlineStore

USER = "ann@example.test"
FOLDERS = ["INBOX", "Sent", "Lists.python", "Entw&APw-rfe", "&U,BTFw-.&ZeVnLIqe-"]
MAIL = b"Subject: %d\r\n\r\nOne line\r\nand another of %d\r\n"

Seen = dict[str, tuple[int, int, dict[int, tuple[frozenset[str], bytes]]]]


class TakenOver:
    """Comes before SynchronousTestCase; a server says how it is spoken to."""

    timeout = 120
    prefix = ""  # of its names
    tells_keywords = True  # those that we set
    line_end = b"\r\n"  # as it tells those of what we wrote

    def setUp(self) -> None:
        self.mail = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        self.addCleanup(shutil.rmtree, self.mail)
        self.home = self.mail / "ann"
        self.home.mkdir()
        self.mail.chmod(0o755)

    def as_peer(self, work: Callable[[imaplib.IMAP4], Any]) -> Any:
        """What `work(client)` gives with the server on the Maildir."""
        raise NotImplementedError

    def named(self, folder: str) -> str:
        return folder if folder == "INBOX" else self.prefix + folder

    def fill(self, client: imaplib.IMAP4) -> Seen:
        for at, folder in enumerate(FOLDERS):
            name = self.named(folder)
            if folder != "INBOX":
                self.assertEqual(client.create(name)[0], "OK")
            client.subscribe(name)
            for number in range(6):
                flags = ["", "\\Seen", "\\Flagged work", "$Forwarded later"][number % 4]
                octets = MAIL % (number, at)
                answer = client.append(name, f"({flags})", None, octets)
                self.assertEqual(answer[0], "OK")
            client.select(name)
            client.uid("STORE", "2,6", "+FLAGS", "(\\Deleted)")
            client.expunge()
        client.unsubscribe(self.named("Sent"))
        return self.seen(client)

    def seen(self, client: imaplib.IMAP4) -> Seen:
        """{folder: (UIDVALIDITY, UIDNEXT, {UID: (flags, octets)})}"""
        found = {}
        for folder in FOLDERS:
            name = self.named(folder)
            self.assertEqual(client.select(name, readonly=True)[0], "OK")
            status = client.status(name, "(UIDVALIDITY UIDNEXT)")[1][0]
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

    def folders(self) -> list[str]:
        names = (path.name for path in (self.home / "Maildir").iterdir())
        return sorted(name for name in names if name[0] == ".")

    def path(self, folder: str) -> tuple[str, ...]:
        return tuple(utf7.decode(part.encode()) for part in folder.split("."))

    def test_there_and_back(self) -> None:
        theirs = self.as_peer(self.fill)
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
        added = MAIL % (99, 99)
        upload.write(added)
        store.now(tree.append(INBOX, [(upload, frozenset({"\\Draft"}), None)]))
        store.now(inbox.move([4], self.path(FOLDERS[3])))
        store.now(store.close())
        again = self.as_peer(self.seen)
        self.assertEqual(self.folders(), folders)
        (*_, inbox_before), (*_, drafts_before) = theirs["INBOX"], theirs[FOLDERS[3]]
        flags, octets = inbox_before[1]
        told = {"\\Answered", "work"} if self.tells_keywords else {"\\Answered"}
        inbox_after = {
            1: (flags | told, octets),
            **{uid: inbox_before[uid] for uid in (3, 5)},
            7: (frozenset({"\\Draft"}), added.replace(b"\r\n", self.line_end)),
        }
        theirs["INBOX"] = theirs["INBOX"][0], 8, inbox_after
        flags, octets = inbox_before[4]
        moved = flags if self.tells_keywords else frozenset()
        drafts_after = {**drafts_before, 7: (moved, octets)}
        theirs[FOLDERS[3]] = theirs[FOLDERS[3]][0], 8, drafts_after
        self.assertEqual(again, theirs)
