"""Tests for mailtwist.manage_sieve.capability."""

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.manage_sieve.capability import CAPABILITIES, Circumstances, told

NOW = Circumstances(("PLAIN",), ("enotify", "fileinto"), 5)


class CapabilityTests(SynchronousTestCase):
    def test_each_is_told_where_it_holds(self):
        for name, now, want in [
            ("IMPLEMENTATION", NOW, "mailtwist"),
            ("VERSION", NOW, "1.0"),
            ("SASL", NOW, "PLAIN"),
            ("SASL", evolve(NOW, mechanisms=()), ""),  # RFC 5804 §1.7: after STARTTLS
            ("SIEVE", NOW, "enotify fileinto"),
            ("SIEVE", evolve(NOW, extensions=()), ""),
            ("MAXREDIRECTS", evolve(NOW, redirects=0), "0"),
            ("LANGUAGE", NOW, "en"),
            ("NOTIFY", NOW, "mailto"),
            ("NOTIFY", evolve(NOW, extensions=("fileinto",)), "missing"),
            ("UNAUTHENTICATE", NOW, None),
            ("STARTTLS", NOW, "missing"),
            ("STARTTLS", evolve(NOW, tls_possible=True), None),
            ("STARTTLS", evolve(NOW, tls_possible=True, owner="ann"), "missing"),
            ("OWNER", NOW, "missing"),
            ("OWNER", evolve(NOW, owner="ann"), "ann"),
        ]:
            self.assertEqual(dict(told(now)).get(name, "missing"), want, (name, now))

    def test_no_name_stands_twice(self):
        names = [one.name for one in CAPABILITIES]
        self.assertEqual(len(names), len(set(names)))
