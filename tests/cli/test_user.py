"""Tests for mailtwist.cli.user: accounts as an administrator types them."""

import contextlib
import getpass
import io
import json
import os
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.cli.main import main
from mailtwist.config.load import load
from mailtwist.directory.userdb import UserDb

CONFIG = """
[server]
data = "data"
[[domain]]
name = "example.test"
[[domain]]
name = "b\u00fccher.test"
[auth]
argon2_memory_kib = 8192
argon2_passes = 1
scram_iterations = 100000
"""


class Terminal(io.StringIO):
    def isatty(self):
        return True


class UserTestCase(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.file = self.folder / "mailtwist.toml"
        self.file.write_text(CONFIG)
        self.data = self.folder / "data"

    def said(self, *words, typed="s3cret\n"):
        """(status, standard output, standard error) of `mailtwist user WORDS`."""
        if isinstance(typed, str):
            typed = io.TextIOWrapper(io.BytesIO(typed.encode()))
        self.patch(sys, "stdin", typed)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = main(["-c", str(self.file), "user", *words])
            except SystemExit as done:
                status = done.code
        return status, out.getvalue(), err.getvalue()

    def done(self, *words, typed="s3cret\n"):
        status, out, err = self.said(*words, typed=typed)
        self.assertEqual((status, err), (0, ""))
        return out

    def refused(self, *words, typed="s3cret\n"):
        status, out, err = self.said(*words, typed=typed)
        self.assertEqual((status, out), (1, ""))
        return err

    def verify(self, name, password):
        db = UserDb(load(self.file))
        self.addCleanup(db.close)
        return db.verify(name, password)


class AddTests(UserTestCase):
    def test_an_account_can_log_in(self):
        out = self.done("add", "Ann@Example.test")
        home = self.data / "mail/example.test/ann"
        self.assertEqual(out, f"ann@example.test added; its mail goes to {home}\n")
        self.assertIsNotNone(self.verify("ann@example.test", b"s3cret"))
        self.assertEqual(self.done("list"), "ann@example.test\n")

    def test_everything_at_once(self):
        self.done(
            "add",
            "ann@example.test",
            "--storage-limit=1 GiB",
            "--keep-secret",
            "--send-as=Sales@x.test",
            "--send-as=@Y.test",
            "--groups=team, sales",
        )
        self.assertEqual(
            json.loads(self.done("list", "--json")),
            [
                {
                    "name": "ann@example.test",
                    "home": str(self.data / "mail/example.test/ann"),
                    "storage_limit_octets": 1024**3,
                    "enabled": True,
                    "send_as": ["@y.test", "Sales@x.test"],
                    "keeps_secret": True,
                    "uses": None,
                    "message_limit": None,
                    "login_until_s": None,
                    "mailbox": str(self.data / "mail/example.test/ann/Maildir") + "/",
                    "uid": None,
                    "gid": None,
                    "groups": ["sales", "team"],
                }
            ],
        )
        line = "ann@example.test  limit 1024 MiB  sends as @y.test, Sales@x.test"
        self.assertEqual(self.done("list"), f"{line}  in sales, team\n")
        self.done("set", "ann@example.test", "--groups=none")
        self.assertEqual(self.done("list"), f"{line}\n")

    def test_files_are_for_their_owner_only(self):
        mask = os.umask(0)
        self.addCleanup(os.umask, mask)
        self.done("add", "ann@example.test", "--keep-secret")
        modes = {p.name: oct(p.stat().st_mode & 0o777) for p in self.data.iterdir()}
        self.assertEqual(modes["userdb.sqlite"], "0o600")
        self.assertEqual(modes["userdb.key"], "0o600")
        self.assertEqual(oct(self.data.stat().st_mode & 0o777), "0o700")

    def test_refusals_say_what_may_be(self):
        self.done("add", "ann@example.test")
        for words, told in [
            (["ann@example.test"], "there is an account of that name already"),
            (["ANN@example.test"], "there is an account of that name already"),
            (["ann@other.test"], "known: example.test, b\u00fccher.test"),
            (["ann"], "give the whole address"),
            (["@example.test"], "Bad local part"),
            (["a b@example.test"], "Bad character in local part"),
            (["bob@example.test", "--storage-limit=much"], 'a size like "1 GiB"'),
            (["bob@example.test", "--storage-limit=0"], 'a size like "1 GiB"'),
            (["bob@example.test", "--storage-limit=9e9 TiB"], 'a size like "1 GiB"'),
            (["bob@example.test", "--send-as=a b"], "Bad character in local part"),
            (["bob@example.test", "--groups=$team"], "no space and no $"),
        ]:
            self.assertIn(told, self.refused("add", *words), words)
        self.assertEqual(self.done("list"), "ann@example.test\n")

    def test_odd_addresses(self):
        for name in ('"odd name"@example.test', "j\u00fcrgen@b\u00fccher.test"):
            self.done("add", name)
            self.assertIn(name, self.done("list"))
            self.done("remove", name)

    def test_no_argument_takes_a_password(self):
        for word in ("--password", "--password=x"):
            status, _, err = self.said("add", "ann@example.test", word)
            self.assertEqual(status, 2, err)


class PasswordTests(UserTestCase):
    def test_from_a_terminal_twice(self):
        answers = ["s3cret", "s3cret"]
        self.patch(getpass, "getpass", lambda prompt: answers.pop(0))
        self.done("add", "ann@example.test", typed=Terminal())
        self.assertEqual(answers, [])
        self.assertIsNotNone(self.verify("ann@example.test", b"s3cret"))

    def test_two_that_differ(self):
        answers = ["s3cret", "s4cret"]
        self.patch(getpass, "getpass", lambda prompt: answers.pop(0))
        err = self.refused("add", "ann@example.test", typed=Terminal())
        self.assertIn("The two passwords differ", err)
        self.assertEqual(self.done("list"), "")

    def test_lines_of_standard_input(self):
        for typed, password in [
            ("pass word\nmore\n", b"pass word"),
            ("caf\u00e9 \u2713\r\n", "caf\u00e9 \u2713".encode()),
            ("no line end", b"no line end"),
        ]:
            self.done("add", "ann@example.test", typed=typed)
            self.assertIsNotNone(self.verify("ann", password), typed)
            self.done("remove", "ann@example.test")

    def test_empty_and_overlong_ones(self):
        for typed, told in [("", "empty"), ("\n", "empty"), ("x" * 1025, "at most")]:
            self.assertIn(told, self.refused("add", "ann@example.test", typed=typed))
        self.assertEqual(self.done("list"), "")

    def test_a_new_password(self):
        self.done("add", "ann@example.test")
        self.done("passwd", "ann@example.test", typed="new\n")
        self.assertIsNone(self.verify("ann", b"s3cret"))
        self.assertIsNotNone(self.verify("ann", b"new"))

    def test_keeping_and_forgetting_the_secret(self):
        self.done("add", "ann@example.test")
        for words, kept in [
            ([], False),
            (["--keep-secret"], True),
            ([], True),
            (["--forget-secret"], False),
        ]:
            self.done("passwd", "ann@example.test", *words)
            (shown,) = json.loads(self.done("list", "--json"))
            self.assertEqual(shown["keeps_secret"], kept, words)


class ChangeTests(UserTestCase):
    def test_what_it_is_for_how_long_and_how_much(self):
        words = ("--uses", "pop3,receive", "--login-until", "2027-01-31")
        self.done("add", "ann@example.test", *words, "--message-limit", "7")
        line = (
            "ann@example.test  limit 7 messages  for pop3,receive"
            "  until 2027-01-31T00:00+00:00\n"
        )
        self.assertEqual(self.done("list"), line)
        [shown] = json.loads(self.done("list", "--json"))
        self.assertEqual(shown["uses"], ["pop3", "receive"])
        self.assertEqual((shown["message_limit"], shown["uid"]), (7, None))
        self.assertEqual(self.done("set", "ann@example.test", "--enable"), line)
        words = ("--uses", "all", "--login-until", "never", "--message-limit", "none")
        self.assertEqual(
            self.done("set", "ann@example.test", *words), "ann@example.test\n"
        )
        self.assertEqual(
            self.done("set", "ann@example.test", "--uses", "none"),
            "ann@example.test  for none\n",
        )

    def test_limits_that_cannot_be_meant(self):
        self.done("add", "ann@example.test")
        for option, text in [
            ("--uses", "ftp"),
            ("--uses", ""),
            ("--uses", "all,pop3"),
            ("--login-until", "soon"),
            ("--login-until", "0000-00-00"),
            ("--message-limit", "0"),
            ("--message-limit", "-1"),
            ("--message-limit", "9" * 30),
            ("--mailbox", "../other/Maildir/"),
            ("--mailbox", "mbox:"),
        ]:
            self.refused("set", "ann@example.test", f"{option}={text}")
        self.assertEqual(self.done("list"), "ann@example.test\n")

    def test_set(self):
        self.done("add", "ann@example.test")
        for words, line in [
            (["--storage-limit=5 MiB"], "ann@example.test  limit 5 MiB\n"),
            (["--disable"], "ann@example.test  limit 5 MiB  disabled\n"),
            (["--enable", "--storage-limit=none"], "ann@example.test\n"),
            (["--send-as=a@x.test"], "ann@example.test  sends as a@x.test\n"),
            (["--send-as="], "ann@example.test\n"),
            (["--mailbox=mbox:~/mail"], "ann@example.test  mail in mbox:~/mail\n"),
            (["--mailbox="], "ann@example.test\n"),
        ]:
            self.assertEqual(self.done("set", "ann@example.test", *words), line)
            self.assertEqual(self.done("list"), line)

    def test_remove_leaves_the_mail(self):
        self.done("add", "ann@example.test")
        home = self.data / "mail/example.test/ann"
        (home / "Maildir").mkdir(parents=True)
        self.assertIn(f"stays in {home}", self.done("remove", "ann@example.test"))
        self.assertTrue(home.exists())
        self.assertEqual(self.done("list"), "")

    def test_remove_with_the_mail(self):
        for with_mail in (True, False):
            self.done("add", "ann@example.test")
            home = self.data / "mail/example.test/ann"
            if with_mail:
                (home / "Maildir").mkdir(parents=True)
            self.done("remove", "ann@example.test", "--mail")
            self.assertFalse(home.exists())
        self.assertTrue(self.data.exists())

    def test_who_is_not_there(self):
        for words in (["passwd"], ["remove"], ["set", "--disable"]):
            err = self.refused(words[0], "ann@example.test", *words[1:])
            self.assertIn("there are no accounts yet", err)
        self.assertFalse(self.data.exists(), "a look makes nothing")
        self.done("add", "bob@example.test")
        for words in (["passwd"], ["remove"], ["set", "--disable"]):
            err = self.refused(words[0], "ann@example.test", *words[1:])
            self.assertIn("no account of that name", err)

    def test_an_empty_list(self):
        self.assertEqual(self.done("list"), "")
        self.assertEqual(json.loads(self.done("list", "--json")), [])

    def test_faults_of_the_file_are_told_in_a_sentence(self):
        self.data.mkdir()
        (self.data / "userdb.sqlite").write_bytes(b"no database " * 1000)
        self.assertIn("userdb.sqlite: file is not a database", self.refused("list"))
        self.file.write_text(CONFIG.replace('"data"', '"mailtwist.toml/data"'))
        self.assertIn("Not a directory", self.refused("add", "ann@example.test"))
