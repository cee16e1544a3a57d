"""The manual page as man shows it."""

import re
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.cli import man
from mailtwist.cli.main import parser


class ManPageTests(SynchronousTestCase):
    def test_groff_takes_it(self):
        done = subprocess.run(
            ["groff", "-man", "-ww", "-Tutf8"],
            input=man.page(parser()).encode(),
            capture_output=True,
            check=True,
        )
        self.assertEqual(done.stderr, b"")
        plain = re.sub(rb".\x08", b"", done.stdout)  # what is bold is struck twice
        self.assertIn(b"mailtwist undelete ACCOUNT", plain)
