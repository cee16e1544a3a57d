"""offlineimap keeps a Maildir and an account the same, in both directions."""

from pathlib import Path

from tests.integration import ways_in
from tests.integration.daemon import PASSWORD, DaemonTestCase
from tests.integration.programs import message, run
from tests.integration.test_mbsync import subject_of


class OfflineImapTests(DaemonTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        self.name = self.user()
        self.far = ways_in.imapclient(self.daemon, self.name)[1]
        self.addCleanup(self.far.logout)
        (self.home / "rc").write_text(
            f"[general]\naccounts = a\nmetadata = {self.home}/state\nui = basic\n"
            "[Account a]\nlocalrepository = near\nremoterepository = far\n"
            f"[Repository near]\ntype = Maildir\nlocalfolders = {self.home}/Mail\n"
            f"[Repository far]\ntype = IMAP\nremotehost = localhost\n"
            f"remoteport = {self.daemon.port('imaps')}\nssl = yes\n"
            f"sslcacertfile = {self.daemon.folder}/data/tls/self-signed.crt\n"
            f"remoteuser = {self.name}\nremotepass = {PASSWORD}\n"
            "auth_mechanisms = PLAIN\n"
        )

    def sync(self) -> None:
        env = {"HOME": str(self.home)}
        run("offlineimap", "-o", "-c", self.home / "rc", env=env)

    def near(self, folder: str) -> dict[str, Path]:
        """{subject: path} of the messages here."""
        paths = [*(self.home / "Mail" / folder).glob("[cn][ue][rw]/*")]
        return {subject_of(path.read_bytes()): path for path in paths}

    def subjects(self, folder: str) -> set[str]:
        self.far.select_folder(folder, readonly=True)
        fetched = self.far.fetch(self.far.search("ALL"), ["BODY.PEEK[]"])
        self.far.unselect_folder()
        return {subject_of(one[b"BODY[]"]) for one in fetched.values()}

    def test_both_sides_are_the_same_after_each_sync(self) -> None:
        ways_in.deliver(self.daemon, self.name, message("one"), message("two"))
        self.far.create_folder("Work/2026")
        self.far.append("Work/2026", message("three"), ["\\Flagged"])
        self.sync()
        self.assertEqual(set(self.near("INBOX")), {"one", "two"})
        (three,) = self.near("Work.2026").values()
        self.assertTrue(three.name.endswith(":2,F"), three)

        self.near("INBOX")["one"].unlink()
        new = self.home / "Mail/Work.2026/new/1700000000.x"
        new.write_bytes(message("four").replace(b"\r\n", b"\n"))
        self.far.select_folder("Work/2026")
        self.far.add_flags(self.far.search("ALL"), ["\\Answered"])
        self.far.unselect_folder()
        self.sync()
        self.assertEqual(self.subjects("INBOX"), {"two"})
        self.assertEqual(self.subjects("Work/2026"), {"three", "four"})
        self.assertIn("R", self.near("Work.2026")["three"].name.partition(":2,")[2])
