"""Tests for mailtwist.directory.hashes_schemes, hashes_crypt and hashes."""

import contextlib
import hashlib
import subprocess
from base64 import b64encode

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailtwist.config.model import Auth
from mailtwist.directory.hashes import Hashes
from mailtwist.directory.hashes_crypt import crypt
from mailtwist.directory.hashes_schemes import UnusableHash, Verifier, fits
from mailtwist.sasl.scram import keys_for

PASSWORD = b"s3cret"
SALT = b"salt\xff"


def salted(name, salt=SALT):
    return b64encode(hashlib.new(name, PASSWORD + salt).digest() + salt).decode()


def ab64(octets):
    return b64encode(octets).decode().rstrip("=").replace("+", ".")


def openssl(*words):
    done = subprocess.run(
        ["openssl", "passwd", *words, PASSWORD.decode()],
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.strip()


def scram(name):
    keys = keys_for(name, PASSWORD, b"x" * 16, 4096)
    parts = [keys.salt, keys.stored_key, keys.server_key]
    return f"{{{name}}}4096," + ",".join(b64encode(one).decode() for one in parts)


DERIVED = {
    name: hashlib.pbkdf2_hmac(name, PASSWORD, SALT, 1000) for name in ("sha1", "sha256")
}
HASHES = [  # what other programs write for PASSWORD
    "{PLAIN}s3cret",
    "{cleartext}s3cret",
    "{PLAIN-MD5}" + hashlib.md5(PASSWORD).hexdigest(),
    "{LDAP-MD5}" + b64encode(hashlib.md5(PASSWORD).digest()).decode(),
    "{MD5}" + b64encode(hashlib.md5(PASSWORD).digest()).decode(),
    "{SMD5}" + salted("md5"),
    "{SHA}" + b64encode(hashlib.sha1(PASSWORD).digest()).decode(),
    "{SHA1.HEX}" + hashlib.sha1(PASSWORD).hexdigest(),
    "{SSHA}" + salted("sha1"),
    "{SSHA}" + salted("sha1").rstrip("="),
    "{SHA256}" + b64encode(hashlib.sha256(PASSWORD).digest()).decode(),
    "{SSHA256}" + salted("sha256"),
    "{SSHA512}" + salted("sha512"),
    "{SSHA512.hex}" + (hashlib.sha512(PASSWORD + SALT).digest() + SALT).hex(),
    openssl("-1"),
    "{MD5-CRYPT}" + openssl("-1"),
    "{MD5}" + openssl("-1"),
    openssl("-5"),
    "{SHA256-CRYPT}" + openssl("-5"),
    openssl("-6"),
    "{SHA512-CRYPT}" + openssl("-6"),
    "{CRYPT}" + openssl("-6"),
    crypt(PASSWORD, b"$2y$04$" + b"abcdefghijklmnopqrstuu").decode(),
    "{BLF-CRYPT}" + crypt(PASSWORD, b"$2b$04$" + b"abcdefghijklmnopqrstuu").decode(),
    crypt(PASSWORD, b"$y$j75$abcdefghijklmnop").decode(),
    crypt(PASSWORD, b"ab").decode(),  # DES
    "{ARGON2ID}" + Hashes(Auth(argon2_memory_kib=8192, argon2_passes=1)).made(PASSWORD),
    Hashes(Auth(argon2_memory_kib=8192, argon2_passes=1)).made(PASSWORD),
    f"$pbkdf2$1000${ab64(SALT)}${ab64(DERIVED['sha1'])}",
    f"$pbkdf2-sha256$1000${ab64(SALT)}${ab64(DERIVED['sha256'])}",
    f"{{PBKDF2-SHA256}}1000${ab64(SALT)}${ab64(DERIVED['sha256'])}",
    "{PBKDF2}$1$nacl$1000$"
    + hashlib.pbkdf2_hmac("sha1", PASSWORD, b"nacl", 1000).hex(),
    scram("SCRAM-SHA-1"),
    scram("SCRAM-SHA-256"),
]


class SchemeTests(SynchronousTestCase):
    def test_the_right_password_fits_and_no_other(self):
        for stored in HASHES:
            self.assertTrue(fits(stored, PASSWORD), stored)
            for wrong in (b"s3cres", b"", b"S3CRET", b"s3cret\0more", b"s3cret "):
                self.assertFalse(fits(stored, wrong), (stored, wrong))

    def test_a_locked_or_empty_hash_fits_nothing(self):
        for stored in ("", "!", "*", "!" + openssl("-6"), "*LK*"):
            for password in (b"", b"!", PASSWORD):
                self.assertFalse(fits(stored, password), stored)

    def test_a_text_without_prefix_is_of_the_default_scheme(self):
        digest = hashlib.md5(PASSWORD).hexdigest()
        self.assertTrue(fits(digest, PASSWORD, "PLAIN-MD5"))
        self.assertTrue(fits(openssl("-6"), PASSWORD, "PLAIN-MD5"))
        self.assertTrue(fits("s3cret", PASSWORD, "PLAIN"))

    def test_what_cannot_be_judged_is_no_wrong_password(self):
        for stored, _why in [
            ("{NEW}x", "unknown"),
            ("{SSHA}!!!", "no base64"),
            ("{SSHA}YWJj", "too short"),
            ("{SHA}" + salted("sha1"), "too long"),
            ("{PLAIN-MD5}xyz", "no hex"),
            ("$99$x$y", "unknown to crypt"),
            ("$argon2id$v=19$m=1", "cut off"),
            ("$pbkdf2-sha256$x$y$z", "no number"),
            ("$pbkdf2-sha999$1000$YWJj$YWJj", "unknown digest"),
            ("{SCRAM-SHA-1}4096", "cut off"),
        ]:
            self.assertRaises(UnusableHash, fits, stored, PASSWORD)

    def test_a_password_is_found_as_typed_and_as_prepared(self):
        composed, apart = "caf\u00e9".encode(), "cafe\u0301".encode()
        stored = "{SHA256.HEX}" + hashlib.sha256(composed).hexdigest()
        self.assertTrue(fits(stored, apart))
        latin = "{SHA256.HEX}" + hashlib.sha256(b"caf\xe9").hexdigest()
        self.assertTrue(fits(latin, b"caf\xe9"))

    @given(st.text(max_size=40), st.sampled_from(["", "{SSHA}", "{PBKDF2}", "$6$"]))
    @settings(max_examples=200, deadline=None)
    def test_any_text_is_a_hash_or_cannot_be_used(self, text, prefix):
        with contextlib.suppress(UnusableHash):
            self.assertFalse(fits(prefix + text, b"\xffno such password"))

    def test_nobody_costs_what_somebody_does_and_fits_nothing(self):
        verifier = Verifier()
        self.assertFalse(verifier.fits(None, PASSWORD))
        self.assertTrue(verifier.fits("{PLAIN}s3cret", PASSWORD))
        self.assertFalse(verifier.fits(None, PASSWORD), "the same hash, nobody's")
