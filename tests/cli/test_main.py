"""Tests for mailtwist.cli: the command as a person types it."""

import contextlib
import io
import os
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist import __version__
from mailtwist.cli.check import ports
from mailtwist.cli.main import main
from mailtwist.config.load import load
from mailtwist.service.tls import write_self_signed

FINE = '[server]\ndata = "data"\n[[domain]]\nname = "example.org"\n[[listener]]\n'
FINE += 'protocol = "smtp"\nendpoint = "tcp:25"\n'
LISTENER = '[[listener]]\nprotocol = "smtp"\nendpoint = '


def said(*arguments):
    """(status, standard output, standard error) of `mailtwist ARGUMENTS`."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([str(a) for a in arguments])
        except SystemExit as done:
            status = done.code
    return status, out.getvalue(), err.getvalue()


class MainTests(SynchronousTestCase):
    def test_version(self):
        self.assertEqual(said("--version"), (0, f"mailtwist {__version__}\n", ""))

    def test_no_command_shows_the_usage(self):
        status, _, err = said()
        self.assertEqual(status, 2)
        self.assertIn("usage: mailtwist", err)

    def test_bash_completes_commands_and_files(self):
        script = said("completion", "bash")[1]
        ask = 'COMP_WORDS=({}); COMP_CWORD={}; _mailtwist; echo "${{COMPREPLY[@]}}"'
        for typed, want in [
            ("mailtwist ch", "check"),
            ("mailtwist -c x user ad", "add"),
            ("mailtwist completion f", "fish"),
        ]:
            words = typed.split()
            done = subprocess.run(
                ["bash", "-c", script + ask.format(typed, len(words) - 1)],
                capture_output=True,
                text=True,
            )
            self.assertEqual(done.stdout.strip(), want, done.stderr)

    def test_fish_completion_names_every_command(self):
        script = said("completion", "fish")[1]
        for word in ("serve", "check", "user", "completion", "passwd"):
            self.assertIn(word, script)


class CheckTests(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.file = self.folder / "mailtwist.toml"

    def test_whom_it_runs_as_must_be_somebody_and_not_root(self):
        for user, want in (
            ("no-such-user", "there is no such user"),
            ("root", "root is what it must end"),
        ):
            status, _, err = self.check(FINE + f'[process]\nuser = "{user}"\n')
            self.assertEqual(status, 1)
            self.assertIn(want, err)

    def test_a_pam_service_that_is_not_there_is_an_error(self):
        text = FINE + '[[source]]\nkind = "system"\nservice = "mt-none-%p"\n'
        status, _, err = self.check(text)
        self.assertEqual(status, 1)
        self.assertIn("there is no /etc/pam.d/mt-none-smtp", err)
        self.assertIn("without process.user", err)

    def check(self, text):
        self.file.write_text(text)
        return said("--config", self.file, "check")

    def test_a_fine_file_is_fine(self):
        status, out, err = self.check(FINE)
        self.assertEqual((status, out), (0, f"{self.file}: fine\n"), err)

    def test_a_wrong_file_is_told_and_nothing_else_happens(self):
        status, _, err = self.check("[smtp]\nrecipients = 1")
        self.assertEqual(status, 1)
        self.assertIn("smtp.recipients = 1 is not allowed", err)

    def test_no_domain_and_no_listener_are_errors(self):
        status, _, err = self.check('[server]\ndata = "d"\n')
        self.assertEqual(status, 1)
        self.assertIn("error: no [[domain]]", err)
        self.assertIn("error: no [[listener]]", err)

    def test_tables_and_aliases_that_cannot_be_used_are_errors(self):
        (self.folder / "aliases").write_text("good: ann\nbad\n")
        for text, told in [
            ('[alias]\nfiles = ["aliases"]\n', 'aliases:2: expected "name: value'),
            ('[alias]\nfiles = ["nowhere"]\n', "nowhere: cannot be read"),
            (
                '[alias]\ncommands = true\ncommand_user = "no-such-user"\n',
                "there is no user no-such-user",
            ),
            (
                '[alias]\ncommands = true\ncommand_user = "root"\n',
                "commands do not run as root",
            ),
            (
                '[[table]]\nname = "t"\nkind = "mysql"\nsource = "nowhere"\n',
                "nowhere: cannot be read",
            ),
        ]:
            status, _, err = self.check(FINE + text)
            self.assertEqual(status, 1)
            self.assertIn(told, err)

    def test_a_key_that_others_can_read_is_an_error(self):
        write_self_signed(self.folder / "c", self.folder / "k", ["x.example"])
        os.chmod(self.folder / "k", 0o644)
        tls = f'[tls]\ncertificate = "{self.folder}/c"\nkey = "{self.folder}/k"\n'
        status, _, err = self.check(FINE + tls)
        self.assertEqual(status, 1)
        self.assertIn("readable by others; chmod 600", err)

    def test_a_certificate_that_cannot_be_used_is_an_error(self):
        status, _, err = self.check(FINE + '[tls]\ncertificate = "none.pem"\n')
        self.assertEqual(status, 1)
        self.assertIn("No such file", err)

    def test_passwords_in_clear_are_noted(self):
        text = FINE + "[auth]\nplaintext_without_tls = true\n"
        self.assertIn("passwords may cross the net in clear", self.check(text)[2])

    def test_ports_that_only_root_may_open_are_noted(self):
        self.check(FINE)
        config = load(self.file)
        self.assertEqual([*ports(config, root=True)], [])
        ((wrong, told),) = ports(config, root=False)
        self.assertFalse(wrong)
        self.assertIn("tcp:25: needs root or CAP_NET_BIND_SERVICE", told)
        self.check(FINE.replace("tcp:25", "tcp:2525") + LISTENER + "'unix:/run/m'")
        self.assertEqual([*ports(load(self.file), root=False)], [])

    def test_a_log_that_cannot_be_written_is_an_error(self):
        for to, status, told in (
            ("no/where.log", 1, "where.log cannot be written"),
            (".", 1, "cannot be written"),
            ("mail.log", 0, ""),
            ("syslog:no", 0, "note: log.to: no syslog at no"),
        ):
            found, _, err = self.check(FINE + f'[log]\nto = "{to}"\n')
            self.assertEqual(found, status, err)
            self.assertIn(told, err)
