"""`mailtwist dkim` as a person types it."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailtwist.trust.keys import public_key

from .test_main import FINE, said


class DkimCommandTests(SynchronousTestCase):
    def setUp(self):
        folder = Path(self.mktemp())
        (folder / "data").mkdir(parents=True)
        self.config = folder / "mailtwist.toml"
        self.config.write_text(FINE)

    def dkim(self, *arguments):
        return said("-c", self.config, "dkim", *arguments)

    def test_keys_are_made_told_used_and_forgotten(self):
        status, made, _ = self.dkim("keygen", "Example.ORG", "--selector", "s1")
        self.assertEqual(status, 0)
        names = re.findall(r"^(\S+) IN TXT", made, re.M)
        self.assertEqual(
            names, ["s1r._domainkey.example.org.", "s1e._domainkey.example.org."]
        )
        for strings in re.findall(r"IN TXT \( (.*) \)", made):
            record = "".join(re.findall('"(.*?)"', strings)).encode()
            self.assertTrue(public_key([record]))
            self.assertLessEqual(max(map(len, re.findall('"(.*?)"', strings))), 255)
        status, told, _ = self.dkim("rotate", "example.org", "--force")
        self.assertIn("example.org signs with s1r now", told)
        _, listed, _ = self.dkim("list")
        self.assertEqual(listed.count("active: signs"), 2)
        self.dkim("keygen", "example.org", "--algorithm", "rsa", "--selector", "s2")
        _, told, _ = self.dkim("rotate", "example.org", "--force")
        self.assertIn("s1e signs no more", told)
        self.assertEqual(self.dkim("remove", "example.org", "s1e")[0], 0)
        self.assertNotIn("s1e", self.dkim("record", "example.org")[1])

    def test_selectors_are_made_of_the_date(self):
        for _ in range(2):
            self.dkim("keygen", "example.org", "--algorithm", "ed25519")
        _, listed, _ = self.dkim("list", "example.org")
        found = re.findall(r"^  (mt\d{8}(?:x2)?e)  ed25519", listed, re.M)
        self.assertEqual(len(set(found)), 2)

    def test_what_cannot_be_is_told(self):
        self.dkim("keygen", "example.org", "--selector", "s1")
        self.dkim("rotate", "example.org", "--force")
        for arguments, wanted in (
            (("keygen", "../x"), "is no domain"),
            (("keygen", "example.org", "--selector", "a/b"), "is no selector"),
            (("keygen", "example.org", "--selector", "s1"), "already"),
            (("rotate", "example.org", "--force"), "has no next key"),
            (("rotate", "other.org", "--force"), "has no next key"),
            (("record", "other.org"), "has no keys"),
            (("remove", "example.org", "s1r"), "rotate first"),
            (("remove", "example.org", "s9"), "has no selector"),
        ):
            status, _, err = self.dkim(*arguments)
            self.assertEqual(status, 1, arguments)
            self.assertIn(wanted, err)
