"""Tests for mailtwist.cli.auth: a login, explained."""

import json
import os
import subprocess
import sys
from pathlib import Path

from attrs import evolve
from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailtwist.auth.credentials import Door
from mailtwist.cli.auth import door_of, explained, lines
from mailtwist.config.listener import Listener
from mailtwist.config.load import load
from mailtwist.config.source import Master, Source
from mailtwist.directory.userdb import UserDb
from mailtwist.errors import MailError
from mailtwist.secret import Secret
from tests.auth.rooms import PASSWORD, added, built, configured

from .test_user import CONFIG

ANN = "ann@example.test"
ROOT = Path(__file__).parents[2]


class ExplainTests(TestCase):
    def setUp(self):
        self.config = configured(
            self.mktemp(), default_domain="example.test", channel_binding=True
        )
        added(self.config, ANN)

    async def told(self, user=ANN, password=PASSWORD, protocol="imap4", **more):
        config = evolve(self.config, **more)
        auth = built(self, config, reactor)
        secret = None if password is None else Secret(password)
        found = await explained(auth, config, user, secret, Door(protocol))
        self.assertNotIn(PASSWORD.decode(), "\n".join(lines(found)) + repr(found))
        return found

    def change(self, **settings):
        db = UserDb(self.config)
        db.change(evolve(db.account(ANN).account, **settings))
        db.close()

    async def test_a_right_password(self):
        found = await self.told("Ann")
        self.assertTrue(found.accepted)
        home = f"{self.config.server.data}/mail/example.test/ann"
        self.assertEqual(
            list(lines(found)),
            [
                "Ann: key ann@example.test; other sources are asked for "
                "ann@example.test",
                "source userdb:",
                f"  account: ann@example.test, enabled, for all, mail in {home}"
                "/Maildir/",
                "  may log in over imap4: yes",
                "  password: right",
                "  SCRAM-SHA-256 keys: 100000 iterations",
                "decision: ann@example.test is logged in",
                "offered with TLS: SCRAM-SHA-256-PLUS, SCRAM-SHA-256, PLAIN, LOGIN, "
                "LOGIN command",
                "offered without TLS: SCRAM-SHA-256",
            ],
        )

    async def test_who_is_refused_and_why(self):
        for settings, password, verdict, allowed in [
            ({}, b"wrong", "refused: no source accepts", "yes"),
            ({"uses": frozenset({"pop3"})}, PASSWORD, "not log in here", "no: This"),
            ({"login_until_s": 1.0}, PASSWORD, "has expired", "no: Account or"),
            ({"enabled": False}, PASSWORD, "refused: no source", "no: disabled"),
            ({"enabled": False}, None, "no: disabled", "no: disabled"),
        ]:
            free = {"uses": None, "login_until_s": None, "enabled": True}
            self.change(**{**free, **settings})
            found = await self.told(password=password)
            self.assertFalse(found.accepted)
            self.assertIn(verdict, found.verdict)
            self.assertIn(allowed, found.sources[0].allowed)

    async def test_the_account_alone(self):
        found = await self.told(password=None)
        self.assertEqual((found.accepted, found.sources[0].password), (True, ""))
        found = await self.told("nobody", password=None)
        self.assertEqual(found.verdict, "no source has such an account")
        self.assertEqual(found.sources[0].account, "not here")

    async def test_a_master(self):
        added(self.config, "admin@example.test", b"boss")
        master = Master(
            account="admin@example.test",
            domains=("example.test",),
            protocols=("imap4",),
        )
        user = "ann@example.test*admin"
        found = await self.told(user, b"boss", master=(master,))
        self.assertEqual(found.master, "admin@example.test")
        self.assertEqual(found.key, ANN)
        self.assertEqual(found.sources[0].password, "right")
        self.assertEqual(found.verdict, "ann@example.test is logged in")
        found = await self.told(user, PASSWORD, master=(master,))
        self.assertEqual((found.accepted, found.sources[0].password), (False, "wrong"))

    async def test_a_source_that_is_not_asked(self):
        sources = (Source(kind="userdb", protocols=("pop3",)),)
        found = await self.told(source=sources)
        self.assertEqual(found.sources[0].skipped, "only for pop3")
        self.assertFalse(found.accepted)
        sources = (Source(kind="userdb", domains=("other.test",)),)
        found = await self.told(source=sources)
        self.assertEqual(found.sources[0].skipped, "only for other.test")

    async def test_a_source_that_cannot_say(self):
        UserDb(self.config).path.write_bytes(b"no database" * 100)
        found = await self.told()
        self.assertIn("cannot say", found.sources[0].password)
        self.assertIn("cannot say", found.sources[0].account)
        self.assertIn("try again later", found.verdict)

    async def test_why_SCRAM_is_not_offered(self):
        UserDb(self.config).add_app_password(ANN, "phone")
        found = await self.told()
        self.assertRegex(found.notes[0], "SCRAM is still .*application passwords")
        self.assertIn("SCRAM-SHA-256", found.without_tls)
        waits = evolve(self.config.auth, scram_waits=True)
        self.config = evolve(self.config, auth=waits)
        found = await self.told()
        self.assertRegex(found.notes[0], "SCRAM is not .*application passwords")
        self.assertEqual(found.without_tls, ())

    def test_listeners_by_name(self):
        listener = Listener(name="in", endpoint="tcp:110", protocol="pop3")
        config = evolve(self.config, listener=(listener,))
        self.assertEqual(door_of(config, None, "in"), Door("pop3", "in"))
        self.assertEqual(door_of(config, "web", "in"), Door("web", "in"))
        self.assertEqual(door_of(config, None, None), Door("imap4"))
        self.assertRaises(MailError, door_of, config, None, "out")


class CommandTests(SynchronousTestCase):
    def said(self, *words, typed="s3cret\n"):
        command = [sys.executable, "-m", "mailtwist.cli", "-c", str(self.file)]
        return subprocess.run(
            [*command, "auth", "test", *words],
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def setUp(self):
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.file = folder / "mailtwist.toml"
        self.file.write_text(CONFIG)
        added(load(self.file), ANN, b"s3cret")

    def test_the_password_comes_from_standard_input(self):
        done = self.said("ann", "--protocol", "pop3", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        found = json.loads(done.stdout)
        self.assertTrue(found["accepted"])
        self.assertIn("USER and PASS", found["with_tls"])
        self.assertNotIn("s3cret", done.stdout)

    def test_a_wrong_one_is_told_by_the_exit_status(self):
        done = self.said(ANN, typed="hunter2\n")
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertIn("  password: wrong\n", done.stdout)
        self.assertNotIn("hunter2", done.stdout)
