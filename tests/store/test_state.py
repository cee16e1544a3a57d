"""Databases of earlier versions."""

import os
import sqlite3
from importlib import resources

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.store import sqlite
from mailtwist.store.state import State
from mailtwist.store.state_identifiers import identifiers

FILES = sorted(
    (resources.files("mailtwist.store") / "schema").iterdir(), key=lambda f: f.name
)


class UpgradeTests(SynchronousTestCase):
    def made(self, version):
        """The path of a database as that version left it, with a message in it."""
        path = os.path.abspath(self.mktemp())
        db = sqlite3.connect(path, isolation_level=None)
        for file in FILES[:version]:
            for statement in sqlite.statements(file.read_text()):
                db.execute(statement)
        db.execute(f"PRAGMA user_version={version}")
        db.execute(
            "INSERT INTO mailboxes (path, object_id, uid_validity, uid_next)"
            """ VALUES ('["INBOX"]', 'abc', 7, 3)"""
        )
        info = "letters" if version == 1 else "info"
        db.execute(
            f"INSERT INTO messages (mailbox, uid, base, {info}, modseq, octets,"  # noqa: S608
            " file_octets, internal_date)"
            f" VALUES (1, 2, 'base', '{'S' if version == 1 else ':2,S'}', 5, 10, 9, 99)"
        )
        db.execute("""INSERT INTO subscriptions VALUES ('["INBOX"]')""")
        db.close()
        return path

    def test_every_earlier_version_keeps_what_it_knew(self):
        for version in range(1, len(FILES) + 1):
            state = State(self.made(version))
            row = state.mailbox(("INBOX",))
            self.assertEqual(
                (row.object_id, row.uid_validity, row.uid_next), ("abc", 7, 3)
            )
            (message,) = state.messages_after(row.id, 0)
            self.assertEqual(message[:5], (2, "base", ":2,S", "", 5), version)
            self.assertEqual(state.subscriptions(), {("INBOX",)})
            known = identifiers(state, row.id, [2])[2]
            self.assertEqual((known.email_id, known.thread_id), ("", 0))
            saved = 0 if version >= 4 else 99
            self.assertEqual(known.saved_at, saved, "the nearest to it that was kept")
            self.assertEqual(sqlite.version_of(state.db), len(FILES))
            state.close()
