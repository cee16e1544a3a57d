"""The folder of keys, as commands change it and the server reads it."""

import os
import stat
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.delivery.dkim_keys import (
    ACTIVE,
    NEXT,
    RETIRED,
    KeyFolder,
    KeyRing,
    domain_name,
)
from mailtwist.errors import ConfigError

DAY = "2026-11-25"


class KeysTestCase(SynchronousTestCase):
    def setUp(self):
        self.data = self.mktemp()
        os.mkdir(self.data)
        self.folder, self.clock = KeyFolder(self.data), Clock()
        self.ring = KeyRing(self.data, self.clock.seconds)

    def add(self, selector, domain="a.test", algorithm="ed25519"):
        return self.folder.add(domain, selector, algorithm, 2048, DAY)

    def signing(self, domain="a.test"):
        self.clock.advance(10)
        return [key.selector for key in self.ring.of(domain)]

    def states(self, domain="a.test"):
        return {key.selector: key.state for key in self.folder.index()[domain]}


class RotationTests(KeysTestCase):
    def test_a_new_key_waits_until_it_is_its_turn(self):
        self.add("s1")
        self.assertEqual(self.signing(), [])
        self.folder.rotate("a.test")
        self.assertEqual(self.signing(), ["s1"])

    def test_two_selectors_take_turns(self):
        self.add("s1")
        self.folder.rotate("a.test")
        self.add("s2")
        self.assertEqual(self.signing(), ["s1"])
        self.folder.rotate("a.test")
        self.assertEqual(self.signing(), ["s2"])
        self.assertEqual(self.states(), {"s1": RETIRED, "s2": ACTIVE})
        self.folder.remove("a.test", "s1")
        self.assertEqual(self.states(), {"s2": ACTIVE})
        self.assertFalse(Path(self.data, "dkim/a.test/s1.pem").exists())

    def test_keys_of_both_kinds_sign_together(self):
        self.add("r", algorithm="rsa")
        self.add("e")
        self.folder.rotate("a.test")
        self.assertEqual(self.signing(), ["r", "e"])
        self.assertEqual(self.ring.sealing("a.test").algorithm, "rsa")

    def test_without_a_next_key_nothing_changes(self):
        self.add("s1")
        self.folder.rotate("a.test")
        with self.assertRaises(ConfigError):
            self.folder.rotate("a.test")
        self.assertEqual(self.states(), {"s1": ACTIVE})

    def test_a_selector_is_there_only_once(self):
        self.add("s1")
        with self.assertRaises(ConfigError):
            self.add("s1")
        self.assertEqual(self.states(), {"s1": NEXT})

    def test_what_is_not_there_cannot_be_removed(self):
        with self.assertRaises(ConfigError):
            self.folder.remove("a.test", "s1")

    def test_a_domain_without_key_is_sealed_by_the_first_that_has_one(self):
        self.assertIsNone(self.ring.sealing("b.test"))
        self.add("s1")
        self.folder.rotate("a.test")
        self.clock.advance(10)
        self.assertEqual(self.ring.sealing("b.test").domain, "a.test")


class FileTests(KeysTestCase):
    def test_nobody_else_can_read_a_key(self):
        self.add("s1")
        top = Path(self.data, "dkim")
        for path in (top, *top.rglob("*")):
            mode = stat.S_IMODE(path.stat().st_mode)
            self.assertEqual(mode, 0o700 if path.is_dir() else 0o600, path)

    def test_no_draft_stays(self):
        self.add("s1")
        self.folder.rotate("a.test")
        found = sorted(path.name for path in Path(self.data, "dkim").rglob("*"))
        self.assertEqual(found, ["a.test", "keys.json", "s1.pem"])

    def test_a_list_that_cannot_be_read_signs_nothing_and_is_told(self):
        self.add("s1")
        self.folder.rotate("a.test")
        Path(self.data, "dkim/keys.json").write_text("nonsense")
        with self.assertRaises(ConfigError):
            self.folder.index()
        self.assertEqual(self.signing(), [])

    def test_a_key_that_is_gone_leaves_the_others(self):
        for selector in ("s1", "s2"):
            self.add(selector)
        self.folder.rotate("a.test")
        Path(self.data, "dkim/a.test/s1.pem").unlink()
        self.assertEqual(self.signing(), ["s2"])

    def test_a_name_of_a_folder_is_a_domain(self):
        self.assertEqual(domain_name("B\u00fccher.Test"), "xn--bcher-kva.test")
        for text in ("../x", "a/b.test", "", ".", "[192.0.2.1]", "a..b"):
            with self.assertRaises(ConfigError):
                domain_name(text)
