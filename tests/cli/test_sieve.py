"""Tests for mailtwist.cli.sieve without a server: scripts checked and tried."""

import os

from twisted.trial.unittest import SynchronousTestCase

from .test_main import said

LETTER = "From: ann@example.org\nTo: bob@example.test\nSubject: hello\n\nwords\n"


def done(*words):
    """(exit status, what was printed); there is no configuration."""
    return said("--config", "/nowhere/mailtwist.toml", "sieve", *words)[:2]


class SieveTests(SynchronousTestCase):
    def file(self, text):
        path = os.path.abspath(self.mktemp())
        with open(path, "w") as out:
            out.write(text)
        return path

    def tried(self, script, *more, what="test"):
        words = (what, "--script", self.file(script), *more)
        return done(*words, self.file(LETTER))

    def test_mistakes_have_their_place(self):
        good, bad = self.file("keep;"), self.file('keep;\n  fileinto "x";\n')
        doubtful = self.file("stop; keep;")
        code, told = done("check", good, bad, doubtful)
        self.assertEqual(code, 1)
        first, second = told.splitlines()
        self.assertEqual(first, f'{bad}:2:3: "fileinto" needs require "fileinto"')
        self.assertTrue(second.startswith(f"{doubtful}:1:7: warning: "), second)
        self.assertEqual(done("check", good), (0, ""))

    def test_what_would_become_of_a_message(self):
        script = 'require "fileinto"; if header "subject" "hello" { fileinto "A"; }'
        code, told = self.tried(script)
        self.assertEqual(code, 0)
        self.assertEqual(told, '=> file into "A" (line 1, column 51)\n')
        code, told = self.tried(script, what="trace")
        self.assertIn("header is true", told)
        self.assertIn('fileinto "A"', told)

    def test_a_script_that_fails(self):
        code, told = self.tried('require "ihave"; error "oh";')
        self.assertEqual(code, 1)
        self.assertIn("oh", told)

    def test_after_what_an_imap_client_did(self):
        script = (
            'require ["imapsieve", "environment", "imap4flags"];'
            'if allof (environment "imap.cause" "FLAG",'
            ' environment "imap.mailbox" "Work",'
            ' environment "imap.changedflags" "\\\\Flagged",'
            ' hasflag "\\\\Flagged") { addflag "x"; keep; } else { discard; }'
        )
        more = ("--event", "FLAG", "--mailbox", "Work", "--flags", "\\flagged")
        code, told = self.tried(script, *more, "--changed", "\\Flagged")
        self.assertEqual(code, 0)
        self.assertIn("x", told)
        self.assertIn("keep", told)
        _, told = self.tried(script, *more)
        self.assertIn("discard", told)
        code, told = self.tried('require "vacation"; keep;', *more)
        self.assertEqual(code, 1)
