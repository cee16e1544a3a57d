"""Tests for `twistd mailtwist`: what it says before anything is opened."""

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent
RUN = "from twisted.scripts.twistd import run; run()"


def twistd(*arguments):
    return subprocess.run(
        [sys.executable, "-c", RUN, "-n", "--pidfile=", "mailtwist", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )


class OptionsTests(SynchronousTestCase):
    def test_without_a_file_it_says_what_to_do(self):
        done = twistd()
        self.assertEqual(done.returncode, 1)
        self.assertIn("twistd mailtwist --config FILE", done.stdout + done.stderr)
        self.assertIn("etc/mailtwist.toml", done.stdout + done.stderr)

    def test_an_invalid_file_is_told_and_nothing_is_opened(self):
        path = Path(self.mktemp()).absolute()
        path.write_text('[server]\ndata = "d"\n[smtp]\nrecipients = 1\n')
        done = twistd("--config", str(path))
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{path}: smtp.recipients = 1", done.stdout + done.stderr)
        self.assertIn("100 or more", done.stdout + done.stderr)
        self.assertFalse((path.parent / "d").exists())
