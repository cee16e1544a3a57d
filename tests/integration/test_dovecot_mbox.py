"""Mbox files that Dovecot wrote are taken over with their UIDs, and Dovecot can have
them back."""

import re
import shutil
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from mailtwist.config.model import Config
from mailtwist.config.reading import Imap4
from mailtwist.directory.model import Account
from mailtwist.mailbox.model import INBOX, FlagAction, FlagChange, Range
from mailtwist.store.local import LocalStore
from tests.bench.peers import as_dovecot

USER = "ann"
LOCATION = """
mail_location = mbox:~/mail:INBOX=~/spool
mbox_min_index_size = 0
"""
LISTS = ("Lists", "py")


def letter(subject):
    return b"From: <b@x.test>\r\nSubject: %s\r\n\r\nHello,\r\nFrom here\r\n" % subject


class DovecotMboxTests(TestCase):
    timeout = 120

    def setUp(self):
        self.mail = Path(tempfile.mkdtemp(prefix="mailtwist-mbox-"))
        self.addCleanup(shutil.rmtree, self.mail)
        self.home = self.mail / USER
        (self.home / "mail").mkdir(parents=True)
        self.mail.chmod(0o755)
        state = self.mail / "state"
        where = f"mbox:{self.home}/mail:INBOX={self.home}/spool"
        self.account = Account("ann@x.test", str(state), mailbox=where)

    def as_dovecot(self, work):
        return as_dovecot(self.home, USER, LOCATION, work)

    @staticmethod
    def seen(client, name):
        """(UIDVALIDITY, {UID: (subject, flags)}) as Dovecot has it."""
        client.select(name)
        (validity,) = client.response("UIDVALIDITY")[1]
        _, rows = client.uid(
            "FETCH", "1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"
        )
        found = {}
        for head, subject in (row for row in rows if isinstance(row, tuple)):
            uid = int(re.search(rb"UID (\d+)", head)[1])
            flags = set(re.search(rb"FLAGS \(([^)]*)\)", head)[1].decode().split())
            found[uid] = subject.split()[1].decode(), flags - {"\\Recent"}
        return int(validity), found

    def written(self, client):
        """What Dovecot knows of both mailboxes after it put mail there."""
        client.create("Lists/py")
        for name in ("INBOX", "Lists/py"):
            for number in range(3):
                flags = (None, "(\\Seen $work)", "(\\Flagged \\Answered)")[number]
                said = client.append(name, flags, None, letter(b"d%d" % number))
                self.assertEqual(said[0], "OK", said)
            said = client.select(name)
            self.assertEqual(said[0], "OK", said)
            client.store("1", "+FLAGS", "\\Deleted")
            client.expunge()
            client.append(name, None, None, letter(b"d3"))
            client.select(name)
            client.check()
            client.close()
        return {name: self.seen(client, name) for name in ("INBOX", "Lists/py")}

    async def ours(self, tree, path):
        box = await tree.open(path)
        rows = await box.rows()
        found = {}
        for uid, flags in zip(rows.uids, rows.flags, strict=True):
            (octets,) = await box.octets([Range(uid)])
            subject = re.search(rb"Subject: (\S+)", octets)[1].decode()
            found[uid] = subject, set(flags)
        return box, (box.uid_validity, found)

    async def test_there_and_back(self):
        theirs = self.as_dovecot(self.written)
        config = Config(imap4=Imap4(special_uses=()))
        store = LocalStore(reactor=reactor, config=config, hostname="mx.test")
        self.addCleanup(lambda: Deferred.fromCoroutine(store.close()))
        tree = store.mailboxes(self.account)
        self.assertEqual(
            [info.path for info in await tree.listed() if info.selectable],
            [INBOX, LISTS],
        )
        kept = {}
        for path, name in ((INBOX, "INBOX"), (LISTS, "Lists/py")):
            box, found = await self.ours(tree, path)
            self.assertEqual(found, theirs[name])
            (octets,) = await box.octets([Range(2)])
            self.assertEqual(octets, letter(b"d1"))
            await box.store_flags([2], FlagChange(FlagAction.ADD, frozenset({"more"})))
            await box.expunge([3])
            upload = tree.upload()
            upload.write(letter(b"ours"))
            await tree.append(path, [(upload, frozenset({"\\Draft"}), None)])
            await box.close()
            box, kept[name] = await self.ours(tree, path)
            await box.close()
        await store.close()
        again = self.as_dovecot(
            lambda client: {name: self.seen(client, name) for name in kept}
        )
        self.assertEqual(again, kept)
