"""kill -9 in the middle of a schema upgrade: the state is the old one or the new."""

import os
import shutil
import sqlite3
from contextlib import closing
from importlib import resources

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.directory.model import Account
from mailtwist.mailbox.model import INBOX, Range
from mailtwist.store import sqlite

from . import traced
from .inline import InlineLocalStore

FILES = sorted(
    (resources.files("mailtwist.store") / "schema").iterdir(), key=lambda f: f.name
)
THERE = ("There",)
ENOUGH_CALLS = 1000


def downgraded(path, version):
    """Make the state what that version would have of it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as new:
        mailboxes = new.execute(
            "SELECT id, path, object_id, uid_validity, uid_next, highest_modseq,"
            " recent_from, special_uses FROM mailboxes"
        ).fetchall()
        messages = new.execute(
            "SELECT mailbox, uid, base, info, keywords, modseq, octets, file_octets,"
            " internal_date FROM messages"
        ).fetchall()
        others = {
            name: new.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608
            for name in ("vanished", "keywords", "subscriptions")
        }
        (last,) = new.execute("SELECT last FROM validity").fetchone()
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.unlink(path + suffix)
    if version == 1:
        messages = [(*m[:3], m[3].removeprefix(":2,"), *m[4:]) for m in messages]
    info = "letters" if version == 1 else "info"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute("PRAGMA journal_mode=WAL")
        old.execute("BEGIN")
        for file in FILES[:version]:
            for statement in sqlite.statements(file.read_text()):
                old.execute(statement)
        old.execute(f"PRAGMA user_version={version}")
        old.executemany(
            "INSERT INTO mailboxes (id, path, object_id, uid_validity, uid_next,"
            " highest_modseq, recent_from, special_uses) VALUES (?,?,?,?,?,?,?,?)",
            mailboxes,
        )
        old.executemany(
            f"INSERT INTO messages (mailbox, uid, base, {info}, keywords, modseq,"  # noqa: S608
            " octets, file_octets, internal_date) VALUES (?,?,?,?,?,?,?,?,?)",
            messages,
        )
        for name, rows in others.items():
            for row in rows:
                marks = ",".join("?" * len(row))
                old.execute(f"INSERT INTO {name} VALUES ({marks})", row)  # noqa: S608
        old.execute("UPDATE validity SET last = ?", (last,))
        old.execute("COMMIT")


class UpgradeCrashTests(SynchronousTestCase):
    mailbox = ""

    def setUp(self):
        self.prepared = os.path.abspath(self.mktemp())
        self.home = f"{self.prepared}.killed"
        self.within(self.prepared, self.prepare)
        self.before = self.within(self.prepared, self.seen)
        self.assertEqual([len(box[1]) for box in self.before], [2, 1])

    def within(self, home, work):
        store = InlineLocalStore()
        account = Account("ann@x.test", home, mailbox=self.mailbox)
        try:
            return store.now(work(store.mailboxes(account)))
        finally:
            store.now(store.close())

    async def prepare(self, tree):
        await tree.create(THERE)
        await tree.subscribe(THERE)
        for path, count in ((INBOX, 3), (THERE, 1)):
            for number in range(count):
                upload = tree.upload(path)
                upload.write(b"Subject: %d\r\n\r\n" % number)
                flags = frozenset({"\\Seen", "work"})
                await tree.append(path, [(upload, flags, 1000 + number)])
        inbox = await tree.open(INBOX)
        await inbox.expunge([2])
        await inbox.close()

    async def seen(self, tree):
        found = []
        subscribed = {info.path for info in await tree.listed() if info.subscribed}
        for path in (INBOX, THERE):
            box = await tree.open(path)
            rows = await box.rows()
            octets = await box.octets([Range(uid) for uid in rows.uids])
            columns = rows.uids, octets, rows.flags, rows.internal_dates
            messages = list(zip(*columns, strict=True))
            figures = box.object_id, box.uid_validity, path in subscribed
            status = await box.status()
            found.append((figures, messages, status.uid_next))
            await box.close()
        return found

    async def checked(self, tree):
        found = await self.seen(tree)
        self.assertEqual((await tree.check()).findings, [])
        return found

    def fresh(self, version):
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.prepared, self.home)
        downgraded(f"{self.home}/state.sqlite", version)

    def version(self):
        with closing(sqlite3.connect(f"{self.home}/state.sqlite")) as db:
            return sqlite.version_of(db)

    def upgraded(self, version, step):
        """Killed at every `step`th system call of the first look."""
        versions = set()
        for number in range(1, ENOUGH_CALLS, step):
            self.fresh(version)
            told, call = traced.killed_at(
                number,
                lambda tell: tell(b"%d" % len(self.within(self.home, self.seen))),
            )
            versions.add(self.version())
            found = self.within(self.home, self.checked)
            self.assertEqual(found, self.before, f"{version}: {call}, call {number}")
            self.assertEqual(self.version(), len(FILES))
            if call is None:
                self.assertEqual(told, b"2")
                break
        self.assertIsNone(call)
        self.assertEqual(versions, {version, len(FILES)})

    def test_of_the_version_before(self):
        self.upgraded(len(FILES) - 1, 2)

    def test_of_the_first_version(self):
        self.upgraded(1, 7)

    def test_of_a_version_between(self):
        self.upgraded(len(FILES) // 2, 7)


class MboxUpgradeCrashTests(UpgradeCrashTests):
    mailbox = "mbox:mail:INBOX=box"
