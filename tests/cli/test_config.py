"""Tests for mailtwist.cli.config and what it edits with."""

import json
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.edit import read_value
from mailtwist.config.keys import Key, every_value
from mailtwist.config.load import load
from mailtwist.config.model import Config

from .test_main import said

FILE = """# the server of the club
trusted_networks = []  # nobody

# who we are
[server]
hostname = "mail.example.org"  # in DNS
data = "data"

[[domain]]
name = "example.org"

[[listener]]
protocol = "smtp"
endpoint = "tcp:25"  # for the world
"""


class ConfigCommandTests(SynchronousTestCase):
    def setUp(self):
        self.path = Path(self.mktemp())
        self.path.write_text(FILE)

    def config(self, *arguments):
        return said("-c", self.path, "config", *arguments)

    def refused(self, *arguments):
        """What is said to a change that is refused and leaves the file alone."""
        before = self.path.read_text()
        status, _, err = self.config(*arguments)
        self.assertEqual(status, 1)
        self.assertEqual(self.path.read_text(), before)
        self.assertFalse(self.journal().exists())
        return err

    def journal(self):
        return self.path.with_name(self.path.name + ".journal")

    def test_show_tells_every_option(self):
        _, out, _ = self.config("show")
        self.assertIn("smtp.errors = 20\n", out)
        self.assertIn('listener[1].endpoint = "tcp:25"\n', out)
        keys = [line.partition(" = ")[0] for line in out.splitlines()]
        known = [str(key) for key, _ in every_value(load(self.path))]
        self.assertEqual(keys, known)

    def test_show_changed_tells_what_is_not_the_default(self):
        _, out, _ = self.config("show", "--changed", "--json")
        self.assertEqual(
            json.loads(out),
            {
                "server.hostname": "mail.example.org",
                "server.data": str(self.path.absolute().parent / "data"),
                "domain[1].name": "example.org",
                "listener[1].protocol": "smtp",
                "listener[1].endpoint": "tcp:25",
            },
        )

    def test_show_tells_the_options_that_were_asked(self):
        asked = ("domain[1].name", "smtp.errors")
        _, out, _ = self.config("show", *asked)
        self.assertEqual(out, 'domain[1].name = "example.org"\nsmtp.errors = 20\n')

    def test_show_knows_what_is_near(self):
        for key, hint in (
            ("smtp.erors", "did you mean errors?"),
            ("smpt.errors", "did you mean smtp?"),
            ("smtp", "smtp is not an option"),
            ("listener.tls", "say which: listener[1].tls"),
            ("listener[0].tls", "the first one is listener[1]"),
            ("smtp[1].errors", "there is one smtp only"),
            ("listener[9].tls", "the file has no such table"),
            ("not a key", "a key is like"),
        ):
            self.assertIn(hint, self.config("show", key)[2], key)

    def test_set_keeps_every_comment(self):
        status, out, _ = self.config("set", "server.hostname", "mx.example.org")
        self.assertEqual((status, out), (0, 'server.hostname = "mx.example.org"\n'))
        want = FILE.replace("mail.example.org", "mx.example.org")
        self.assertEqual(self.path.read_text(), want)

    def test_set_takes_values_as_they_are_typed(self):
        for key, typed, value in (
            ("smtp.errors", "30", 30),
            ("smtp.vrfy", "true", True),
            ("smtp.message_octets", "10 MiB", 10 * 1024**2),
            ("smtp.command_s", "60", 60.0),
            ("server.postmaster", "30", "30"),
            ("server.postmaster", '"ann@example.org"', "ann@example.org"),
        ):
            self.assertEqual(self.config("set", key, typed)[0], 0, key)
            section, _, name = key.partition(".")
            self.assertEqual(getattr(getattr(load(self.path), section), name), value)
        for typed in ("10.0.0.0/8, ::1", '["10.0.0.0/8", "::1"]'):
            self.config("set", "trusted_networks", typed)
            networks = list(map(str, load(self.path).trusted_networks))
            self.assertEqual(networks, ["10.0.0.0/8", "::1/128"])
        self.config("set", "trusted_networks", "")
        self.assertEqual(load(self.path).trusted_networks, ())

    def test_set_makes_new_tables_whole_or_not_at_all(self):
        wrong = self.refused("set", "listener[+].endpoint", "tcp:587")
        self.assertIn("listener[2].protocol is missing", wrong)
        endpoint = ("listener[+].endpoint", "tcp:587")
        self.config("set", *endpoint, "listener[+].protocol", "submission")
        second = load(self.path).listener[1]
        self.assertEqual((second.endpoint, second.protocol), ("tcp:587", "submission"))
        self.config("set", "route[+].action", "discard:")
        self.assertEqual(load(self.path).route[0].action, "discard:")

    def test_a_top_option_goes_before_the_first_table(self):
        line = "trusted_networks = []  # nobody\n"
        self.path.write_text(FILE.replace(line, ""))
        self.config("set", "trusted_networks", "::1")
        start = '# the server of the club\n\ntrusted_networks = ["::1"]\n# who we are\n'
        self.assertEqual(self.path.read_text()[: len(start)], start)

    def test_what_could_not_start_is_refused(self):
        for arguments, why in (
            (("set", "smtp.errors", "0"), "give a whole number, 1 or more"),
            (("set", "smtp.errors", "many"), "give a whole number"),
            (("set", "smtp.bare_lf", "normalize"), "needs smtp.bare_lf_networks"),
            (("set", "listener[3].tls", "none"), "there are 1 of [[listener]]"),
            (("set", "smtp.errors"), "give a value behind each key"),
            (("unset", "smtp.errors"), "its default counts already"),
        ):
            self.assertIn(why, self.refused(*arguments), arguments)

    def test_unset_goes_back_to_the_default(self):
        self.config("set", "smtp.errors", "30")
        self.assertEqual(self.config("unset", "smtp.errors")[0], 0)
        self.assertEqual(load(self.path).smtp.errors, 20)

    def test_unset_of_its_only_option_takes_a_table_away(self):
        self.config("set", "domain[+].name", "example.net")
        self.config("unset", "domain[1].name")
        names = [domain.name for domain in load(self.path).domain]
        self.assertEqual(names, ["example.net"])

    def test_each_change_is_written_down(self):
        self.config("set", "smtp.errors", "30", "smtp.vrfy", "true")
        self.config("unset", "smtp.errors")
        entries = [json.loads(line) for line in self.journal().read_text().splitlines()]
        self.assertEqual(
            [(entry["key"], entry["old"], entry["new"]) for entry in entries],
            [
                ("smtp.errors", None, 30),
                ("smtp.vrfy", None, True),
                ("smtp.errors", 30, None),
            ],
        )
        self.assertTrue(all(entry["user"] and entry["time"] for entry in entries))

    def test_mode_and_links_stay(self):
        self.path.chmod(0o640)
        link = Path(self.mktemp())
        link.symlink_to(self.path.absolute())
        said("-c", link, "config", "set", "smtp.errors", "30")
        self.assertTrue(link.is_symlink())
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o640)
        self.assertEqual(load(self.path).smtp.errors, 30)

    def test_a_crash_before_the_rename_leaves_the_old_file(self):
        left = self.path.with_name(f".{self.path.name}.new")
        left.write_text("half a fi")
        self.assertEqual(self.config("set", "smtp.errors", "30")[0], 0)
        self.assertFalse(left.exists())
        self.assertEqual(load(self.path).smtp.errors, 30)

    def test_a_file_that_is_wrong_already_is_not_touched(self):
        self.path.write_text("x = ")
        self.assertIn("is not TOML", self.refused("set", "smtp.errors", "30"))
        os.unlink(self.path)
        self.assertEqual(self.config("set", "smtp.errors", "30")[0], 1)


class KeyTests(SynchronousTestCase):
    def test_every_key_reads_back(self):
        for key, _ in every_value(Config()):
            self.assertEqual(Key.parse(str(key)), key)

    def test_a_text_needs_no_quotes(self):
        key = Key.parse("server.hostname")
        for typed in ("true", "30", "2026-11-24", "[x]", "a b", 'a"b'):
            self.assertEqual(read_value(key, typed), typed)
