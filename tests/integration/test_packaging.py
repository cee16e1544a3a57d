"""The wheel, installed in an empty environment, is the whole program."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import mkdtemp

from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent.parent


def run(*arguments, **options):
    """What a program prints; the checkout is not on its path."""
    done = subprocess.run(
        [str(a) for a in arguments],
        capture_output=True,
        text=True,
        env={name: os.environ[name] for name in os.environ if name != "PYTHONPATH"},
        **options,
    )
    if done.returncode:
        raise AssertionError(f"{arguments}: {done.stdout}{done.stderr}")
    return done.stdout


class WheelTests(SynchronousTestCase):
    timeout = 500

    def setUp(self):
        self.folder = Path(mkdtemp(prefix="mailtwist-wheel-"))
        self.addCleanup(FilePath(str(self.folder)).remove)
        source = self.folder / "source"
        run("git", "clone", "-q", ROOT, source)
        run(sys.executable, "-m", "build", "-q", "-o", self.folder / "dist", source)
        (self.wheel,) = (self.folder / "dist").glob("*.whl")

    def test_the_wheel_has_the_plugins_and_the_data_and_works_installed(self):
        names = zipfile.ZipFile(self.wheel).namelist()
        for plugin in ("mailtwist_plugin", "mailtwist_checkers"):
            self.assertIn(f"twisted/plugins/{plugin}.py", names)
        self.assertNotIn("twisted/__init__.py", names)
        self.assertNotIn("twisted/plugins/__init__.py", names)
        self.assertIn("mailtwist/py.typed", names)
        for path in (ROOT / "mailtwist").rglob("*.sql"):
            self.assertIn(str(path.relative_to(ROOT)), names)
        self.assertFalse([name for name in names if name.startswith("tests")])

        env = self.folder / "env"
        run(sys.executable, "-m", "venv", env)
        run(env / "bin/pip", "install", "-q", self.wheel)
        listed = run(env / "bin/twistd", "--help", cwd=self.folder)
        self.assertRegex(listed, r"\n    mailtwist +A whole mail server")
        listed = run(env / "bin/twistd", "mail", "--help-auth", cwd=self.folder)
        self.assertRegex(listed, r"\n  userdb +\tFILE.sqlite, or a configuration")
        version = run(env / "bin/mailtwist", "--version", cwd=self.folder)
        self.assertEqual(version, "mailtwist 0.1.0\n")
        sample = run(env / "bin/mailtwist", "config", "sample", cwd=self.folder)
        self.assertEqual(sample, (ROOT / "etc/mailtwist.toml").read_text())
