"""Tests for mailtwist.directory.hashes_cost."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.directory.hashes_cost import TooCostly, affordable
from mailtwist.directory.hashes_schemes import UnusableHash, fits

ABSURD = [
    ("$argon2id$v=19$m=8388608,t=1,p=1$c2FsdHNhbHQ$YWJj", "8 GiB"),
    ("$argon2i$v=19$m=65536,t=1000,p=1$c2FsdHNhbHQ$YWJj", "a thousand passes"),
    ("$argon2d$m=1048577,t=1,p=1$c2FsdHNhbHQ$YWJj", "no version, just too much"),
    ("$2b$20$" + "x" * 53, "a million rounds of bcrypt"),
    ("$6$rounds=999999999$salt$" + "x" * 86, "the most that crypt(3) takes"),
    ("$5$rounds=5000001$salt$" + "x" * 43, "one round too many"),
    ("$md5,rounds=900000000$salt$" + "x" * 22, "of Solaris"),
    ("$sha1$900000000$salt$" + "x" * 28, "of NetBSD"),
    ("$7$J6..../....salt$" + "x" * 43, "scrypt with N = 2^21, r = 8: 2 GiB"),
    ("$y$jHT$salt$" + "x" * 43, "yescrypt with N = 2^20, r = 32: 4 GiB"),
    ("$gy$jHT$salt$" + "x" * 43, "and its kin"),
    ("$pbkdf2-sha256$1000000000$YWJj$YWJj", "passlib's"),
    ("{PBKDF2}$1$salt$1000000000$abcd", "Dovecot's"),
    ("{PBKDF2-SHA512}1000000000$YWJj$YWJj", "OpenLDAP's"),
    ("{SCRAM-SHA-256}1000000000,YWJj,YWJj,YWJj", "keys"),
]
USUAL = [
    ("$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$YWJj", "argon2-cffi's default"),
    ("$argon2id$v=19$m=1048576,t=4,p=4$c2FsdHNhbHQ$YWJj", "Dovecot's 'sensitive'"),
    ("$2y$14$" + "x" * 53, "a careful bcrypt"),
    ("$6$rounds=656000$salt$x", "passlib's sha512_crypt"),
    ("$6$salt$x", "5,000 by default"),
    ("$7$CU..../....salt$x", "scrypt's default"),
    ("$y$j9T$salt$x", "Debian's yescrypt"),
    ("$y$jFT$salt$x", "yescrypt at its greatest cost in login.defs"),
    ("$1$12345678$x", "MD5"),
    ("$pbkdf2-sha256$600000$YWJj$YWJj", "what OWASP asks for"),
]


class CostTests(SynchronousTestCase):
    def test_a_hash_of_absurd_cost_is_not_computed_and_no_wrong_password(self):
        for stored, why in ABSURD:
            fault = self.assertRaises(UnusableHash, fits, stored, b"password")
            self.assertIn("at most", str(fault), why)

    def test_what_programs_write_is_affordable(self):
        for stored, why in USUAL:
            self.assertIsNone(affordable(stored), why)

    @given(
        st.text(max_size=60), st.sampled_from(["", "$7$", "$y$", "$argon2id$", "$6$"])
    )
    def test_any_text_passes_or_is_too_costly(self, text, prefix):
        try:
            affordable(prefix + text)
        except TooCostly as fault:
            self.assertIn("at most", str(fault))
