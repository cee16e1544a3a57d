"""Tests for mailtwist.cli.route and mailtwist.cli.alias, run as people run them."""

import json
import subprocess
import sys
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.address import Address
from mailtwist.cli.route import explained, lines
from mailtwist.config.model import Config
from mailtwist.delivery.explain import Decision
from mailtwist.delivery.model import RemoteRecipient, Route, Target
from mailtwist.errors import NoSuchDomain
from mailtwist.queue.model import Host, TlsRule

ROOT = Path(__file__).parent.parent.parent
FILE = """
[server]
hostname = "mail.example.org"
data = "data"
[[domain]]
name = "example.org"
[alias]
files = ["aliases"]
virtual = ["virtual"]
[[table]]
name = "virtual"
kind = "file"
source = "virtual"
[[route]]
match = "else.test"
action = "smtp:"
[[smarthost]]
host = "smart.test:587"
"""
ALIASES = "team: bob@else.test, eve@out.test\nself: self\n"


class CommandTests(SynchronousTestCase):
    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        (self.folder / "data").mkdir(parents=True)
        (self.folder / "mailtwist.toml").write_text(FILE)
        (self.folder / "aliases").write_text(ALIASES)
        (self.folder / "virtual").write_text("all@example.org team@example.org\n")

    def run_command(self, *words):
        return subprocess.run(
            [sys.executable, "-m", "mailtwist.cli", "-c", "mailtwist.toml", *words],
            cwd=self.folder,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def test_a_configuration_that_cannot_be_built_is_told(self):
        bad = '[[table]]\nname = "t"\nkind = "inline"\nentries = ["a.test HLOD"]\n'
        lists = '[restrictions]\nsender = ["check_sender_access t"]\n'
        (self.folder / "mailtwist.toml").write_text(FILE + bad + lists)
        done = self.run_command("route", "a@example.org")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("table t: a.test: 'HLOD' is no action", done.stderr)

    def test_a_route_is_explained(self):
        done = self.run_command(
            "route", "--no-dns", "-f", "z@far.test", "all@example.org"
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        told = done.stdout.splitlines()
        self.assertEqual(told[0], "all@example.org:")
        self.assertIn(
            "  all@example.org: virtual alias all@example.org in virtual: "
            "team@example.org",
            told,
        )
        self.assertRegex(
            told[-3],
            r"^  = bob@else\.test by smtp to the MX of else\.test, sender <SRS0=\w{6}=",
        )
        self.assertRegex(told[-2], r"^  = eve@out\.test by smarthost, sender <SRS0=")
        self.assertEqual(told[-1], "      smart.test:587, TLS starttls, verified")

    def test_programs_get_json_and_an_exit_status(self):
        done = self.run_command(
            "route", "--no-dns", "--json", "--stranger", "all@example.org", "x@far.test"
        )
        self.assertEqual(done.returncode, 1)
        taken, refused = json.loads(done.stdout)
        self.assertEqual(
            [target["address"] for target in taken["targets"]],
            ["bob@else.test", "eve@out.test"],
        )
        self.assertEqual(refused["fault"]["status"], "5.7.1")

    def test_aliases_are_tried_out(self):
        done = self.run_command("alias", "test", "team@example.org", "no@example.org")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(
            done.stdout.splitlines(),
            [
                "team@example.org: bob@else.test by smtp to the MX of else.test, "
                "eve@out.test by smarthost",
                "no@example.org: refused, 5.1.1 No such user here",
            ],
        )

    def test_a_key_is_looked_up(self):
        done = self.run_command("alias", "query", "virtual", "All@example.org", "x")
        self.assertEqual((done.returncode, done.stdout), (1, "team@example.org\n"))
        path = str(self.folder / "aliases")
        done = self.run_command("alias", "query", path, "TEAM")
        self.assertEqual(done.stdout, "bob@else.test, eve@out.test\n")
        done = self.run_command("alias", "query", "other", "x")
        self.assertEqual(done.returncode, 1)
        self.assertIn("known: virtual, ", done.stderr)

    def test_files_are_checked(self):
        self.assertEqual(self.run_command("alias", "check").returncode, 0)
        (self.folder / "aliases").write_text("good: ann\nbad\n")
        (self.folder / "virtual").unlink()
        done = self.run_command("alias", "check")
        self.assertEqual(done.returncode, 1)
        self.assertIn(
            f'{self.folder}/aliases:2: expected "name: value, value"', done.stderr
        )
        self.assertIn(f"{self.folder}/virtual: cannot be read", done.stderr)

    def test_kinds_of_tables_are_listed(self):
        done = self.run_command("config", "tables")
        kinds = [line.split()[0] for line in done.stdout.splitlines()]
        self.assertEqual(
            kinds, ["file", "aliases", "regexp", "inline", "sqlite", "mysql", "ldap"]
        )


class Hosts:
    async def hosts(self, next_hop):
        if next_hop == "none.test":
            raise NoSuchDomain()
        rule = TlsRule("verify", ("mx.test", ".test"), policy="sts")
        return [
            Host("mx.test", 25, ("192.0.2.1", "2001:db8::1"), rule),
            Host("mx2.test", 25, ()),
        ]


class HostTests(SynchronousTestCase):
    def test_hosts_and_their_tls_stand_below_each_target(self):
        targets = (
            Target(Address("x", "far.test")),
            Target(Address("y", "none.test")),
            Target(Address("z", "far.test"), Route("discard")),
        )
        recipient = RemoteRecipient(Address("l", "example.org"), targets)
        decision = Decision("l@example.org", (), recipient)
        found = self.successResultOf(
            Deferred.fromCoroutine(explained(decision, Config(), Hosts()))
        )
        self.assertEqual(
            list(lines(found)),
            [
                "l@example.org:",
                "  = x@far.test by smtp to the MX of far.test",
                "      mx.test:25 at 192.0.2.1, 2001:db8::1, TLS verify for mx.test, "
                ".test (sts)",
                "      mx2.test:25 at no address, TLS may",
                "  = y@none.test by smtp to the MX of none.test",
                "      5.1.2 No such domain",
                "  = z@far.test by discard",
            ],
        )
