"""Tests for `mailtwist import` and `export`: what is told, and how one logs in."""

import io
import os

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.carry.run import Figures
from mailtwist.cli import progress, remote_login
from mailtwist.cli.carry import told
from mailtwist.cli.main import parser
from mailtwist.errors import MailError


class ToldTests(SynchronousTestCase):
    def test_what_was_done(self):
        for figures, dry_run, wanted in [
            (Figures(), False, "0 messages (0.0 MB) brought, in 0 folders"),
            (
                Figures(7, 123, 120, 4_200_000, 3, 2, 1, ["x"]),
                False,
                "120 messages (4.2 MB) brought, 3 there already, 2 given other flags, "
                "1 removed, 1 failed, in 7 folders",
            ),
            (
                Figures(1, 2, 1, 0, 1, 1),
                True,
                "1 messages (0.0 MB) would be brought, 1 there already, 1 would be "
                "given other flags, in 1 folders",
            ),
        ]:
            self.assertEqual(told(figures, dry_run), wanted)


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def fileno(self):
        raise OSError()


class ProgressTests(SynchronousTestCase):
    def test_the_bar(self):
        figures = Figures(1, 200, 90, 5_000_000, 10)
        self.assertEqual(
            progress.drawn(figures, 9.0),
            "[############............] 100/200 messages, 5.0 MB, 10/s",
        )
        self.assertIn("0/0", progress.drawn(Figures(), 0.0))

    def test_it_is_drawn_on_a_terminal_only_and_goes_in_the_end(self):
        for stream, quiet, drawn in [
            (Terminal(), False, True),
            (Terminal(), True, False),
            (io.StringIO(), False, False),
        ]:
            bar = progress.Progress(stream, quiet)
            bar.show(Figures(1, 10, 5))
            bar.end()
            self.assertEqual("5/10" in stream.getvalue(), drawn)
            self.assertTrue(not drawn or stream.getvalue().endswith("\r\033[K"))


class LoginTests(SynchronousTestCase):
    def options(self, *arguments):
        words = ["import", "ann@example.test", "imap://a@b", *arguments]
        return parser().parse_args(words)

    def remote(self, *arguments, url="imap://ann@mx.test"):
        return remote_login.remote(url, self.options(*arguments))

    def test_a_password_comes_from_a_file_a_descriptor_or_the_environment(self):
        file = self.mktemp()
        with open(file, "w") as secret:
            secret.write("from a file\r\nnot this\n")
        reading, writing = os.pipe()
        os.write(writing, b"from a descriptor\n")
        os.close(writing)
        self.patch(os, "environ", {remote_login.VARIABLE: "from the environment"})
        for arguments, wanted in [
            (("--password-file", file), b"from a file"),
            (("--password-fd", str(reading)), b"from a descriptor"),
            ((), b"from the environment"),
        ]:
            self.assertEqual(self.remote(*arguments).password.reveal(), wanted)
        self.assertNotIn(remote_login.VARIABLE, os.environ)  # no child sees it

    def test_the_url_says_where_and_how(self):
        file = self.mktemp()
        with open(file, "w") as secret:
            secret.write("x\n")
        for url, more, wanted in [
            ("imap://ann@mx.test", (), ("mx.test", 143, "ann", "starttls")),
            ("imaps://a%40b@mx.test", (), ("mx.test", 993, "a@b", "implicit")),
            ("imap://a@[::1]:1143", ("--no-tls",), ("::1", 1143, "a", "none")),
            ("imaps://a@mx.test", ("--no-tls",), ("mx.test", 993, "a", "implicit")),
        ]:
            one = self.remote("--password-file", file, *more, url=url)
            self.assertEqual((one.host, one.port, one.user, one.tls), wanted)
            self.assertNotIn("x\n", repr(one))

    def test_urls_that_are_none_are_refused(self):
        for url, why in [
            ("ftp://ann@mx.test", "Say imap"),
            ("imap://mx.test", "no user"),
            ("imap://ann:secret@mx.test", "seen by others"),
            ("imap://ann@mx.test:port", "no URL"),
            ("imap://", "Say imap"),
        ]:
            fault = self.assertRaises(MailError, self.remote, url=url)
            self.assertIn(why, fault.public)
