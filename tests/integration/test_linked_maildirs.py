"""Links that Courier's maildirmake makes, followed beside Courier itself."""

import os
import stat

from imapclient.exceptions import IMAPClientError

from tests.integration import courier, ways_in
from tests.integration.courier import COURIER, SETTINGS
from tests.integration.daemon import DaemonTestCase
from tests.integration.programs import message, run
from tests.integration.test_system_users import SystemUsersTestCase
from tests.integration.world import until

TALK, READ = "Shared/News/Talk", "Shared/News/Read"


def maildirmake(*words):
    program = COURIER / "usr/bin/maildirmake.courier"
    run(program, *words, env={"LD_LIBRARY_PATH": SETTINGS["LD_LIBRARY_PATH"]})


def shared(above):
    """A sharable Maildir with a folder to read and one to write to."""
    path = above / "shared"
    maildirmake("-S", path)
    maildirmake("-s", "read", "-f", "Read", path)
    maildirmake("-s", "write", "-f", "Talk", path)
    (path / ".Read" / "new" / "1.read").write_bytes(message("to read"))
    (path / ".Read" / "new" / "1.read").chmod(0o644)
    return path


class OwnUidsTests(SystemUsersTestCase):
    """Each with the rights that the file system gives him."""

    def setUp(self):
        super().setUp()
        owner = self.daemon.users.add()
        owner.home.chmod(0o755)
        self.shared = shared(owner.home)
        self.chown(self.shared, owner)
        self.deliver()  # he has a Maildir
        self.link(self.user)

    def link(self, user):
        maildir = user.home / "Maildir"
        maildirmake("--add", f"News={self.shared}", maildir)
        user.give(maildir / "shared-maildirs")

    @staticmethod
    def chown(path, owner):
        owner.give(path, *path.rglob("*"))

    def client(self, name=""):
        client = ways_in.imapclient(self.daemon, name or self.name)[1]
        self.addCleanup(client.shutdown)
        return client

    def test_folders_are_read_and_written_to_as_the_system_lets(self):
        client = self.client()
        names = {name for _, _, name in client.list_folders()}
        self.assertLessEqual({TALK, READ}, names)
        self.assertEqual(client.select_folder(READ)[b"EXISTS"], 1)
        (row,) = client.fetch([1], ["BODY.PEEK[]", "FLAGS"]).values()
        self.assertEqual(row[b"BODY[]"], message("to read"))
        client.add_flags([1], ["\\Seen", "\\Flagged"])
        self.assertEqual(client.search("SEEN FLAGGED"), [1])
        self.assertRaises(IMAPClientError, client.append, READ, message("no"))
        self.assertRaises(IMAPClientError, client.delete_folder, READ)
        self.assertRaises(IMAPClientError, client.create_folder, "Shared/News/More")

        client.append(TALK, message("mine"))
        (posted,) = (self.shared / ".Talk" / "new").iterdir()
        self.assertEqual(os.lstat(posted).st_uid, self.user.uid)
        self.assertEqual(posted.read_bytes(), message("mine"))
        (self.shared / ".Read" / "new" / "1.read").unlink()
        until(
            lambda: client.folder_status(READ, "MESSAGES")[b"MESSAGES"] == 0,
            self.daemon.logged,
        )

    def test_what_the_reader_wrote_he_may_expunge(self):
        """Courier's folders are sticky: nobody removes what another wrote."""
        path = self.shared / ".Talk" / "new" / "2.others"
        path.write_bytes(message("from others"))
        path.chmod(0o644)
        client = self.client()
        client.append(TALK, message("mine"))
        self.assertEqual(client.select_folder(TALK)[b"EXISTS"], 2)
        client.delete_messages(client.search("ALL"))
        client.expunge()

        def there():
            client.noop()
            return [one.name for one in (self.shared / ".Talk" / "new").iterdir()]

        until(lambda: there() == ["2.others"], lambda: str(there()))
        until(
            lambda: client.folder_status(TALK, "MESSAGES")[b"MESSAGES"] == 1,
            self.daemon.logged,
        )
        client.select_folder(READ)
        self.assertRaises(IMAPClientError, client.delete_messages, [1])

    def test_each_reader_has_flags_of_its_own(self):
        other, name = self.daemon.add()
        self.deliver(to=name)
        self.link(other)
        one, two = self.client(), self.client(name)
        one.select_folder(READ)
        one.add_flags([1], ["\\Seen", "\\Flagged"])
        self.assertEqual(two.folder_status(READ, "UNSEEN"), {b"UNSEEN": 1})
        one.append(TALK, message("from one"))
        until(
            lambda: two.folder_status(TALK, "MESSAGES")[b"MESSAGES"] == 1,
            self.daemon.logged,
        )

    def test_a_session_is_told_of_what_others_put_there(self):
        client = self.client()
        self.assertEqual(client.select_folder(TALK)[b"EXISTS"], 0)
        client.idle()
        path = self.shared / ".Talk" / "new" / "2.others"
        path.write_bytes(message("from others"))
        path.chmod(0o644)
        self.assertIn((1, b"EXISTS"), client.idle_check(timeout=30))
        client.idle_done()

    def test_what_the_system_does_not_let_is_not_there(self):
        (self.shared / ".Read").chmod(0o700)
        os.symlink(self.user.home / "Maildir", self.shared / ".Loop")
        names = {name for _, _, name in self.client().list_folders()}
        self.assertIn(TALK, names)
        self.assertNotIn(READ, names)
        self.assertFalse([name for name in names if "Loop" in name])

    def test_courier_reads_what_we_write_and_we_what_courier_writes(self):
        client = self.client()
        client.append(TALK, message("from us"))
        theirs = courier.client(self.user.home, self.user.name, self.user.uid)
        folder = "shared.News.Talk"
        self.assertEqual(theirs.subscribe(folder)[0], "OK")
        self.assertEqual(theirs.select(folder), ("OK", [b"1"]))
        _, got = theirs.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        self.assertIn(b"from us", got[0][1])
        self.assertEqual(theirs.append(folder, None, None, message("theirs"))[0], "OK")
        theirs.logout()
        until(
            lambda: client.folder_status(TALK, "MESSAGES")[b"MESSAGES"] == 2,
            self.daemon.logged,
        )


class OwnFilesTests(DaemonTestCase):
    """All mail is the server's user's: links are what the administrator makes."""

    def test_links_of_our_own_command(self):
        name = self.user()
        ways_in.deliver(self.daemon, name, message("a Maildir"))
        path = shared(self.daemon.folder)
        (maildir,) = (
            each.parent
            for each in (self.daemon.folder / "data").rglob("new")
            if name.partition("@")[0] in str(each)
        )
        self.daemon.command("maildir", "make", "--add", f"News={path}", str(maildir))
        client = ways_in.imapclient(self.daemon, name)[1]
        self.addCleanup(client.shutdown)
        self.assertEqual(client.select_folder(READ)[b"EXISTS"], 1)
        client.append(TALK, message("mine"))
        (posted,) = (path / ".Talk" / "new").iterdir()
        self.assertEqual(stat.S_IMODE(os.lstat(posted).st_mode), 0o644)
        self.daemon.command("maildir", "make", "--del", "News", str(maildir))
        until(
            lambda: READ not in {name for _, _, name in client.list_folders()},
            self.daemon.log.read_text,
        )
