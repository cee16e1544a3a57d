"""Hashes of passwords as other programs keep them: `{SCHEME}text`, `$id$...`.

The names are Dovecot's and OpenLDAP's.  All of it is for checking; what is made here is
argon2id (`hashes`).  Every comparison takes the same time wherever two texts differ.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode
from collections.abc import Callable

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from ..sasl.text import prepared
from .hashes_cost import TooCostly, affordable
from .hashes_crypt import crypt

_PREFIX = re.compile(r"\{([A-Za-z0-9][A-Za-z0-9-]*)(?:\.(HEX|B64|BASE64))?\}", re.I)
_LOCKED = ("!", "*")  # of shadow(5): no password fits

_argon2 = PasswordHasher()


class UnusableHash(Exception):
    """A hash of a kind that is not known here, a damaged one, or one that costs too
    much to compute; not a wrong password."""


def fits(stored: str, password: bytes, default: str = "CRYPT") -> bool:
    """True if `stored` is of `password`, as it came or prepared by SASLprep.

    `default` is the scheme of texts that name none.  Raises UnusableHash."""
    if not stored or stored.startswith(_LOCKED):
        return False
    check, text = checked(stored, default)
    try:
        if check(text, password):
            return True
        form = prepared(password)
        return form != password and check(text, form)
    except TooCostly as fault:
        raise UnusableHash(str(fault)) from fault
    except ValueError as fault:
        raise UnusableHash("the text of a hash is damaged") from fault


Check = Callable[[str, bytes], bool]


def checked(stored: str, default: str) -> tuple[Check, str]:
    """(what judges it, the text without its prefix); raises UnusableHash."""
    found = _PREFIX.match(stored)
    scheme, encoding = default, ""
    text = stored
    if found is not None:
        scheme, encoding = found[1], (found[2] or "").upper()
        text = stored[found.end() :]
    elif stored.startswith("$"):
        scheme = "CRYPT"
    scheme = scheme.upper()
    if scheme in _DIGESTS:
        name, salted, hexadecimal = _DIGESTS[scheme]
        if scheme == "MD5" and text.startswith("$1$"):  # as Dovecot writes it
            return _crypt, text
        as_hex = encoding == "HEX" or (hexadecimal and not encoding)
        return _digest(name, salted, as_hex), text
    check = _SCHEMES.get(scheme)
    if check is None:
        raise UnusableHash(f"{{{scheme}}} is not known")
    return check, text


def _digest(name: str, salted: bool, as_hex: bool) -> Check:
    size = hashlib.new(name, usedforsecurity=False).digest_size

    def check(text: str, password: bytes) -> bool:
        octets = bytes.fromhex(text) if as_hex else _base64(text)
        if len(octets) < size or (len(octets) > size) > salted:
            raise ValueError("length")
        made = hashlib.new(name, password + octets[size:], usedforsecurity=False)
        return hmac.compare_digest(made.digest(), octets[:size])

    return check


def _base64(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4), validate=True)


def _adapted(text: str) -> bytes:
    """Passlib's base64: "." for "+", no padding."""
    return _base64(text.replace(".", "+"))


def _plain(text: str, password: bytes) -> bool:
    return hmac.compare_digest(text.encode(), password)


def _crypt(text: str, password: bytes) -> bool:
    if text.startswith("$argon2"):
        return _argon(text, password)
    if text.startswith("$pbkdf2"):
        return _pbkdf2_passlib(text, password)
    if text.startswith("$scram"):
        raise UnusableHash("$scram$ is not known")
    affordable(text)
    setting = text.encode()
    made = crypt(password, setting)
    if made is None:
        if b"\0" in password:
            return False
        raise UnusableHash("crypt(3) of this system does not know that kind")
    return hmac.compare_digest(made, setting)


def _argon(text: str, password: bytes) -> bool:
    affordable(text)
    try:
        extract_parameters(text)
        return _argon2.verify(text, password)
    except InvalidHashError as fault:
        raise ValueError("argon2") from fault
    except VerificationError:
        return False


def _derived(
    name: str, password: bytes, salt: bytes, rounds: str, wanted: bytes
) -> bool:
    if not wanted:
        raise ValueError("empty")
    made = hashlib.pbkdf2_hmac(name, password, salt, int(rounds), len(wanted))
    return hmac.compare_digest(made, wanted)


def _pbkdf2_passlib(text: str, password: bytes) -> bool:
    """`$pbkdf2-sha256$rounds$salt$hash`; `$pbkdf2$` is of SHA-1."""
    _, kind, rest = text.split("$", 2)
    return _pbkdf2_ldap(kind.partition("-")[2] or "sha1")(rest, password)


def _pbkdf2_ldap(name: str) -> Check:
    """`rounds$salt$hash` of OpenLDAP's pw-pbkdf2 and of passlib."""

    def check(text: str, password: bytes) -> bool:
        affordable(text)
        rounds, salt, wanted = text.split("$")
        return _derived(name, password, _adapted(salt), rounds, _adapted(wanted))

    return check


def _pbkdf2(text: str, password: bytes) -> bool:
    """Dovecot's `$1$salt$rounds$hex`, or OpenLDAP's."""
    if not text.startswith("$1$"):
        return _pbkdf2_ldap("sha1")(text, password)
    affordable(text)
    _, _, salt, rounds, wanted = text.split("$")
    return _derived("sha1", password, salt.encode(), rounds, bytes.fromhex(wanted))


def _scram(name: str) -> Check:
    """Dovecot's `rounds,salt,stored key,server key` (RFC 5802 §3)."""

    def check(text: str, password: bytes) -> bool:
        affordable(text)
        rounds, salt, stored, _ = text.split(",")
        salted = hashlib.pbkdf2_hmac(name, password, _base64(salt), int(rounds))
        client = hmac.digest(salted, b"Client Key", name)
        made = hashlib.new(name, client).digest()
        return hmac.compare_digest(made, _base64(stored))

    return check


# scheme: (hash, has it a salt, is it hexadecimal unless said otherwise)
_DIGESTS: dict[str, tuple[str, bool, bool]] = {
    "PLAIN-MD5": ("md5", False, True),
    "LDAP-MD5": ("md5", False, False),
    "MD5": ("md5", False, False),
    "SMD5": ("md5", True, False),
    "SHA": ("sha1", False, False),
    "SHA1": ("sha1", False, False),
    "SSHA": ("sha1", True, False),
    "SHA256": ("sha256", False, False),
    "SSHA256": ("sha256", True, False),
    "SHA384": ("sha384", False, False),
    "SSHA384": ("sha384", True, False),
    "SHA512": ("sha512", False, False),
    "SSHA512": ("sha512", True, False),
}
_SCHEMES: dict[str, Check] = {
    **dict.fromkeys(("PLAIN", "CLEAR", "CLEARTEXT"), _plain),
    **dict.fromkeys(
        (
            "CRYPT",
            "BLF-CRYPT",
            "BCRYPT",
            "MD5-CRYPT",
            "SHA256-CRYPT",
            "SHA512-CRYPT",
            "DES-CRYPT",
            "YESCRYPT",
        ),
        _crypt,
    ),
    **dict.fromkeys(("ARGON2", "ARGON2I", "ARGON2D", "ARGON2ID"), _argon),
    "PBKDF2": _pbkdf2,
    "PBKDF2-SHA1": _pbkdf2_ldap("sha1"),
    "PBKDF2-SHA256": _pbkdf2_ldap("sha256"),
    "PBKDF2-SHA512": _pbkdf2_ldap("sha512"),
    "SCRAM-SHA-1": _scram("sha1"),
    "SCRAM-SHA-256": _scram("sha256"),
}


class Verifier:
    """Checks the hashes of one source; who is not there costs as much as who is."""

    def __init__(self, default: str = "CRYPT") -> None:
        self._default = default
        # Until a hash was seen; sha512-crypt with a salt, of no password.
        self._like = "$6$" + "x" * 16 + "$" + "." * 86

    def fits(self, stored: str | None, password: bytes) -> bool:
        """True if `stored` is of `password`; None is nobody's, and takes its time.

        Raises UnusableHash."""
        if not stored or stored.startswith(_LOCKED):
            try:
                fits(self._like, password, self._default)
            except UnusableHash:
                return False
            return False
        right = fits(stored, password, self._default)
        self._like = stored
        return right
