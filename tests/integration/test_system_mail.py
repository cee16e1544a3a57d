"""Mail of real users of the machine goes in and out, is checked, kept and restored."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.programs import message
from tests.integration.system_daemon import SystemDaemon
from tests.integration.users import Users
from tests.integration.ways_in import deliver, imapclient, messages


class SystemMailTests(SynchronousTestCase):
    timeout = 300
    daemon = None

    def setUp(self):
        self.assertEqual(os.geteuid(), 0, "only root can make users")
        if SystemMailTests.daemon is None:
            users = Users()
            atexit.register(users.remove)
            daemon = SystemDaemon(users, more="[deleted]\nkeep_s = 10000\n")
            atexit.register(daemon.remove)
            daemon.start()
            SystemMailTests.daemon = daemon
        self.daemon = SystemMailTests.daemon
        self.user, self.name = self.daemon.add()
        self.before = len(self.daemon.logged())

    def tearDown(self):
        self.assertNotIn("Traceback", self.daemon.logged()[self.before :])

    def fill(self, name, count=3):
        deliver(self.daemon, name, *(message(f"mail {n}") for n in range(count)))
        client = imapclient(self.daemon, name)[1]
        client.select_folder("INBOX")
        client.add_flags([2], ["\\Flagged", "work"])
        client.logout()
        return messages(self.daemon, name)

    def expunge(self, name):
        client = imapclient(self.daemon, name)[1]
        client.select_folder("INBOX")
        client.delete_messages(client.search("ALL"))
        client.expunge()
        client.logout()

    def test_his_mail_is_checked_as_he(self):
        self.fill(self.name)
        self.assertIn("agree", self.daemon.command("fsck", "--fix", self.name))
        for path in Path(self.user.home).rglob("*"):
            self.assertEqual(path.lstat().st_uid, self.user.uid, path)

    def test_a_home_that_only_he_may_read_is_imported_by_root(self):
        mine = self.fill(self.name)
        Path(self.user.home).chmod(0o700)
        _, other = self.daemon.add()
        told = self.daemon.command("import", other, str(self.user.home))
        self.assertIn("3 messages", told)
        self.assertEqual(messages(self.daemon, other), mine)

    def test_what_is_exported_is_whose_folder_it_is(self):
        mine = self.fill(self.name)
        out = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        self.addCleanup(shutil.rmtree, out)
        os.chown(out, self.user.uid, self.user.gid)
        out.chmod(0o700)
        told = self.daemon.command("export", self.name, str(out / "mail"))
        self.assertIn("3 messages", told)
        files = [path for path in out.rglob("*") if path.is_file()]
        self.assertEqual({path.lstat().st_uid for path in files}, {self.user.uid})
        texts = {path.read_bytes().replace(b"\n", b"\r\n") for path in files
                 if path.parent.name == "cur"}  # fmt: skip
        self.assertEqual(texts, set(mine))

    def test_what_he_deletes_comes_back(self):
        mine = self.fill(self.name)
        self.expunge(self.name)
        self.assertEqual(messages(self.daemon, self.name), [])
        self.assertIn("3 messages", self.daemon.command("undelete", self.name))
        self.assertEqual(messages(self.daemon, self.name), mine)
        client = imapclient(self.daemon, self.name)[1]
        client.select_folder("INBOX")
        (flags,) = client.get_flags(client.search(["FLAGGED"])).values()
        self.assertIn(b"work", flags)
        client.logout()

    def test_he_is_backed_up_and_restored(self):
        mine = self.fill(self.name)
        target = Path(tempfile.mkdtemp(prefix="mailtwist-test-"))
        self.addCleanup(shutil.rmtree, target)
        self.daemon.command("backup", str(target), "--account", self.name)
        self.expunge(self.name)
        told = self.daemon.command("restore", str(target), self.name)
        self.assertIn("3 messages", told)
        self.assertEqual(messages(self.daemon, self.name), mine)
        client = imapclient(self.daemon, self.name)[1]
        client.select_folder("INBOX")
        (flags,) = client.get_flags(client.search(["FLAGGED"])).values()
        self.assertIn(b"work", flags)
        client.logout()
        for path in Path(self.user.home).rglob("*"):
            self.assertEqual(path.lstat().st_uid, self.user.uid, path)
