"""Tests for mailtwist.cli.user_import and user_app_password: other programs' accounts,
and further passwords."""

import json

from mailtwist.config.load import load
from mailtwist.directory.hashes_crypt import crypt
from mailtwist.directory.userdb import UserDb

from .test_user import UserTestCase

HASH = crypt(b"s3cret", b"$6$saltsalt$").decode()


class ImportTests(UserTestCase):
    def file_of(self, text, name="users"):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def account(self, name):
        db = UserDb(load(self.file))
        self.addCleanup(db.close)
        return db.account(name)

    def test_a_passwd_file_of_dovecot(self):
        path = self.file_of(
            f"ann@example.test:{{SHA512-CRYPT}}{HASH}:5000:5000::/var/vmail/ann::"
            "userdb_mail=maildir:~/M userdb_quota_rule=*:storage=1M allow_nets=::1\n"
            "bob@example.test:{PLAIN}hunter2-unique\n"
            f"Ann@Example.test:{HASH}\n"
            f"eve@elsewhere.test:{HASH}\n"
            "joe@example.test:hunter2-unique\n"
            "jim@example.test:{NO-SUCH}hunter2-unique\n"
            "broken:x:y\n"
        )
        dry = self.done("import", "--dry-run", path)
        self.assertFalse((self.data / "userdb.sqlite").exists())
        out = self.done("import", path)
        self.assertEqual(dry.replace("would be taken", "taken"), out)
        home = self.data / "mail/example.test/bob"
        self.assertEqual(
            out.splitlines(),
            [
                "line 1: ann@example.test: SHA512-CRYPT, mail in /var/vmail/ann/M/; "
                "not obeyed here: allow_nets",
                f"line 2: bob@example.test: PLAIN, mail in {home}/Maildir/",
                "line 3: Ann@Example.test: skipped: an earlier line has that name",
                "line 4: eve@elsewhere.test: skipped: elsewhere.test is no local "
                "domain",
                "line 5: joe@example.test: skipped: its password is in no known form; "
                "passwords in clear are {PLAIN}...",
                "line 6: jim@example.test: skipped: its hash cannot be used: {NO-SUCH} "
                "is not known",
                "line 7: no account: skipped: the uid is no number",
                "2 taken, 5 skipped",
            ],
        )
        self.assertTrue(self.verify("ann@example.test", b"s3cret").stale)
        self.assertFalse(self.verify("bob@example.test", b"hunter2-unique").stale)
        account = self.account("ann@example.test").account
        self.assertEqual(
            (account.uid, account.storage_limit_octets), (5000, 1024 * 1024)
        )
        for file in self.data.glob("userdb*"):
            self.assertNotIn(b"hunter2-unique", file.read_bytes())

    def test_hashes_of_absurd_cost_are_refused_behind_affordable_ones(self):
        costly = HASH.replace("$6$", "$6$rounds=999999999$")
        path = self.file_of(
            f"ann@example.test:{HASH}\nbob@example.test:{costly}\n"
            "eve@example.test:{SCRAM-SHA-256}1000000000,YWJj,YWJj,YWJj\n"
            "joe@example.test:{PLAIN}99999999999$x\n"
        )
        out = self.done("import", path)
        self.assertIn("line 2: bob@example.test: skipped: its hash cannot", out)
        self.assertIn("line 3: eve@example.test: skipped: its hash cannot", out)
        self.assertIn("2 taken, 2 skipped", out)

    def test_what_is_there_already_stays(self):
        self.done("add", "ann@example.test", typed="mine\n")
        path = self.file_of(f"ann@example.test:{HASH}\nbob@example.test:{HASH}\n")
        out = self.done("import", path)
        self.assertIn("skipped: there is an account of that name already", out)
        self.assertIsNotNone(self.verify("ann@example.test", b"mine"))
        self.assertIn("0 taken, 2 skipped", self.done("import", path))

    def test_userdb_of_courier_from_a_folder(self):
        folder = self.folder / "userdb"
        folder.mkdir()
        (folder / "one").write_text(
            f"ann@example.test\thome=/h/ann|uid=5000|gid=100|systempw={HASH}"
        )
        (folder / "two").write_text(f"bob@example.test\timappw={HASH}|home=/h/bob\n")
        out = self.done("import", "--format", "courier", str(folder))
        self.assertIn("2 taken, 0 skipped", out)
        self.assertEqual(
            self.account("bob@example.test").account.uses, {"imap4", "receive"}
        )

    def test_users_of_the_system(self):
        passwd = self.file_of(
            "root:x:0:0::/root:/bin/sh\n"
            "ann:x:1001:100::/home/ann:/bin/sh\n"
            "bob:x:1002:100::/home/bob:/bin/sh\n"
        )
        shadow = self.file_of(
            f"root:{HASH}:1::::::\nann:{HASH}:19000:0:99999:7::30000:\nbob:!:1::::::\n",
            "shadow",
        )
        words = ("import", "--format", "system", "--shadow", shadow, passwd)
        out = self.done(*words, "--domain", "example.test")
        self.assertEqual(
            out.splitlines(),
            [
                "line 1: root: skipped: uid 0 is below 1000",
                "line 2: ann@example.test: SHA512-CRYPT, mail in /home/ann/Maildir/",
                "line 3: bob: skipped: its password is locked",
                "1 taken, 2 skipped",
            ],
        )
        account = self.account("ann@example.test").account
        self.assertEqual(
            (account.uid, account.gid, account.login_until_s),
            (1001, 100, 30000 * 86400.0),
        )
        self.assertIn("has no domain; give --domain", self.done(*words))

    def test_hashes_from_standard_input_with_new_homes(self):
        out = self.done(
            *("import", "--format", "shadow", "--domain", "B\u00fccher.test"),
            *("--new-homes", "-"),
            typed=f"ann:{HASH}\n",
        )
        self.assertIn("1 taken", out)
        self.assertIsNotNone(self.verify("ann@b\u00fccher.test", b"s3cret"))

    def test_homes_that_lead_elsewhere(self):
        path = self.file_of(
            f"ann@example.test:{HASH}:::::\n"
            f"bob@example.test:{HASH}:::x:/h/../etc::\n"
            f"joe@example.test:{HASH}:::x:relative::\n"
        )
        self.assertIn("1 taken, 2 skipped", self.done("import", path))
        self.assertIn("0 taken, 1 skipped", self.done("import", self.file_of("x\n")))

    def test_files_that_cannot_be_read(self):
        missing = str(self.folder / "missing")
        self.assertIn("missing", self.refused("import", missing))
        self.assertIn("FILE", self.refused("import"))
        self.assertIn("--domain", self.refused("import", "--domain", "a b", missing))


class AppPasswordTests(UserTestCase):
    def setUp(self):
        super().setUp()
        self.done("add", "ann@example.test")

    def test_made_listed_used_and_revoked(self):
        words = ("app-password", "add", "Ann@Example.test", "phone", "--uses", "imap4")
        shown = self.done(*words).strip().encode()
        db = UserDb(load(self.file))
        self.addCleanup(db.close)
        verified = db.verify("ann@example.test", shown, "imap4")
        self.assertRegex(
            self.done("app-password", "list", "ann@example.test"),
            r"^phone  for imap4  made \d{4}-\d\d-\d\d  never used\n$",
        )
        db.note_use(verified.app)
        listed = self.done("app-password", "list", "ann@example.test", "--json")
        [one] = json.loads(listed)
        self.assertEqual((one["name"], one["uses"]), ("phone", ["imap4"]))
        self.assertIsNotNone(one["used_at_ns"])
        self.done("app-password", "remove", "ann@example.test", "phone")
        self.assertIsNone(db.verify("ann@example.test", shown, "imap4"))

    def test_a_new_password_ends_them_if_asked_to(self):
        shown = self.done("app-password", "add", "ann@example.test", "phone")
        shown = shown.strip().encode()
        self.done("passwd", "ann@example.test", typed="new\n")
        self.assertIsNotNone(self.verify("ann@example.test", shown))
        self.done("passwd", "ann@example.test", "--revoke-app-passwords")
        self.assertIsNone(self.verify("ann@example.test", shown))
        self.assertIsNotNone(self.verify("ann@example.test", b"s3cret"))

    def test_what_is_refused(self):
        for words, why in [
            (("add", "bob@example.test", "phone"), "no account"),
            (("add", "ann@example.test", "phone", "--uses", "ftp"), "give some of"),
            (("remove", "ann@example.test", "phone"), "no application password"),
        ]:
            self.assertIn(why, self.refused("app-password", *words))
