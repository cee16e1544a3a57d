"""Courier's and Dovecot's Maildir++ quota and ours keep one figure in maildirsize."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.delivery.model import Envelope, LocalRecipient
from mailtwist.directory.model import Account
from mailtwist.errors import OverQuota
from mailtwist.flags import NONE
from mailtwist.mailbox.model import INBOX
from mailtwist.store.maildir import maildirsize
from tests.bench.peers import as_dovecot
from tests.integration import courier
from tests.store.inline import InlineStore

USER = "ann@example.test"
STORAGE, MESSAGES = 200 * 1024, 40
LETTER = b"Subject: hello\r\n\r\n" + b"x" * 2000 + b"\r\n"
DOVECOT = f"""
mail_plugins = quota
protocol imap {{
  mail_plugins = quota imap_quota
}}
plugin {{
  quota = maildir:User quota
  quota_rule = *:storage={STORAGE}b:messages={MESSAGES}
  quota_vsizes = no
}}
"""


class SharedMaildir:
    """Comes before SynchronousTestCase."""

    timeout = 120

    def setUp(self):
        self.mail = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        self.addCleanup(shutil.rmtree, self.mail)
        self.mail.chmod(0o755)
        self.home = self.mail / "ann"
        self.home.mkdir()
        self.maildir = self.home / "Maildir"
        self.account = Account(USER, str(self.home), STORAGE, message_limit=MESSAGES)

    def ours(self, work):
        """What `work(store, tree)` gives with our store on the Maildir."""
        store = InlineStore()
        try:
            return store.now(work(store, store.mailboxes(self.account)))
        finally:
            store.now(store.close())

    def held(self):
        files = [
            file
            for folder in [self.maildir, *self.maildir.glob(".*")]
            for part in ("new", "cur")
            for file in (folder / part).glob("*")
        ]
        return sum(file.stat().st_size for file in files), len(files)

    def agreed(self):
        """Our figure and the file's are those of what is there."""

        async def usage(store, tree):
            for info in await tree.listed():
                await tree.status(info.path)
            found = await tree.usage()
            return found.octets, found.messages

        self.assertEqual(self.ours(usage), self.held())
        said = maildirsize.read(str(self.maildir))
        self.assertEqual(said, (f"{STORAGE}S,{MESSAGES}C", *self.held()))

    @staticmethod
    async def deliver(store, account, octets=LETTER):
        to = LocalRecipient(Address.parse(USER), account)
        sink = store.delivery().begin(Envelope("m", "s", None, (to,)))
        sink.write(octets)
        (verdict,) = await sink.commit()
        return verdict

    async def change(self, store, tree):
        """Something of everything."""
        for _ in range(6):
            self.assertIsNone(await self.deliver(store, self.account))
        await tree.create(("Sent",))
        upload = tree.upload()
        upload.write(LETTER * 2)
        await tree.append(("Sent",), [(upload, NONE, None)])
        mailbox = await tree.open(INBOX)
        uids = (await mailbox.rows()).uids
        await mailbox.copy(uids[:2], ("Sent",))
        await mailbox.move(uids[2:3], ("Sent",))
        await mailbox.expunge(uids[:1])
        await mailbox.close()


class DovecotTests(SharedMaildir, SynchronousTestCase):
    def theirs(self, work):
        return as_dovecot(self.home, USER, DOVECOT, work)

    def quota(self, client):
        """(blocks, messages) as Dovecot tells them."""
        _, (_, (line,)) = client.getquotaroot("INBOX")
        numbers = re.search(rb"STORAGE (\d+) \d+ MESSAGE (\d+) (\d+)", line)
        self.assertEqual(int(numbers[3]), MESSAGES)
        return int(numbers[1]), int(numbers[2])

    def same(self, told):
        octets, messages = self.held()
        self.assertIn(
            told, [(octets // 1024, messages), (-(-octets // 1024), messages)]
        )

    def test_both_change_the_maildir_in_turn(self):
        self.ours(self.change)
        self.agreed()
        before = (self.maildir / "maildirsize").read_bytes()
        self.same(self.theirs(self.quota))
        self.assertEqual(
            (self.maildir / "maildirsize").read_bytes(), before, "as it is"
        )

        def change(client):
            for _ in range(3):
                client.append("INBOX", "", None, LETTER)
            client.select("Sent")
            client.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
            client.expunge()
            return self.quota(client)

        self.same(self.theirs(change))
        self.agreed()
        self.ours(self.change_again)
        self.agreed()
        self.same(self.theirs(self.quota))

    async def change_again(self, store, tree):
        self.assertIsNone(await self.deliver(store, self.account))
        await tree.delete(("Sent",))

    def test_both_see_when_it_is_full(self):
        async def fill(store, tree):
            verdicts = [await self.deliver(store, self.account) for _ in range(50)]
            return verdicts.count(None)

        self.assertEqual(self.ours(fill), MESSAGES)

        def refused(client):
            return client.append("INBOX", "", None, LETTER)

        status, (told,) = self.theirs(refused)
        self.assertEqual(status, "NO")
        self.assertIn(b"OVERQUOTA", told)
        self.agreed()


class CourierTests(SharedMaildir, SynchronousTestCase):
    def deliver_by_courier(self, octets=LETTER):
        """Its exit status, which is not 0 if the mailbox is full."""
        program = courier.COURIER / "usr/bin/deliverquota.courier"
        done = subprocess.run(
            [program, self.maildir, f"{STORAGE}S,{MESSAGES}C"],
            input=octets,
            env={"LD_LIBRARY_PATH": courier.SETTINGS["LD_LIBRARY_PATH"]},
            capture_output=True,
            timeout=30,
        )
        if done.returncode:
            self.assertEqual(done.stdout, b"Mail quota exceeded.\n")
        return done.returncode

    def test_deliverquota_and_we_deliver_in_turn(self):
        courier.make(self.maildir)
        self.ours(self.change)
        self.agreed()
        for _ in range(3):
            self.assertEqual(self.deliver_by_courier(), 0)
        said = maildirsize.read(str(self.maildir))
        self.assertEqual(said[1:], self.held(), "it put its lines behind ours")

        async def one(store, tree):
            return await self.deliver(store, self.account)

        self.assertIsNone(self.ours(one))
        self.agreed()

    def test_what_we_fill_is_full_for_deliverquota_too(self):
        courier.make(self.maildir)

        async def fill(store, tree):
            for _ in range(MESSAGES + 1):
                verdict = await self.deliver(store, self.account)
            return verdict

        self.assertIsInstance(self.ours(fill), OverQuota)
        self.assertNotEqual(self.deliver_by_courier(), 0)
        self.agreed()

    def test_what_deliverquota_fills_is_full_for_us_too(self):
        courier.make(self.maildir)
        while self.deliver_by_courier() == 0:
            pass
        self.assertEqual(self.held()[1], MESSAGES)

        async def one(store, tree):
            return await self.deliver(store, self.account)

        self.assertIsInstance(self.ours(one), OverQuota)
        os.unlink(next((self.maildir / "new").glob("*")))
        self.ours(lambda store, tree: tree.recount())
        self.assertIsNone(self.ours(one))
        self.agreed()
