"""A Maildir store in a test's own folder, and what its tests do with the files."""

import os
import sqlite3

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from mailtwist.config.limiting import QuotaLimits
from mailtwist.config.model import Config
from mailtwist.config.reading import Imap4
from mailtwist.store.maildir.store import MaildirStore


class OnDisk:
    """Comes before StoreWords or StoreContract."""

    timeout = 30
    quota = QuotaLimits()

    def make_store(self):
        self.root = os.path.abspath(self.mktemp())
        return self.another_store()

    def another_store(self, poll_s=1.0):
        """A store on the same files: another process, or the same one restarted."""
        imap4 = Imap4(poll_s=poll_s, special_uses=())
        config = Config(imap4=imap4, quota=self.quota)
        store = MaildirStore(reactor=reactor, config=config, hostname="mx.test")
        self.addCleanup(lambda: Deferred.fromCoroutine(store.close()))
        return store

    def home(self, name):
        return f"{self.root}/{name}"

    def maildir(self, *parts):
        return os.path.join(self.home(self.name), "Maildir", *filter(None, parts))

    async def restart(self, meanwhile=lambda: None):
        """Close the store, do something to the files, open them anew."""
        await self.store.close()
        meanwhile()
        self.store = self.another_store()
        self.tree = self.mailboxes(self.account)

    # -- what other programs do ---------------------------------------------------

    def make_maildir(self, folder=""):
        for part in ("cur", "new", "tmp"):
            os.makedirs(self.maildir(folder, part), exist_ok=True)

    def write(self, octets, *parts):
        """A file in the Maildir; its path."""
        path = self.maildir(*parts)
        with open(path, "wb") as file:
            file.write(octets)
        return path

    def damage(self, name, how):
        """A database is "deleted", "cut", "emptied" or overwritten with "garbage"."""
        path = os.path.join(self.home(self.name), name)
        if os.path.exists(f"{path}-wal"):  # all of it into the one file
            db = sqlite3.connect(path)
            db.execute("PRAGMA journal_mode=DELETE")
            db.close()
        size = os.path.getsize(path)
        if how == "deleted":
            os.unlink(path)
        elif how == "cut":
            os.truncate(path, size // 2 + 100)
        else:
            with open(path, "wb") as file:
                file.write(b"" if how == "emptied" else os.urandom(size))
