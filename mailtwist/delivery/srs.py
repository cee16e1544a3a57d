"""SRS: a foreign sender rewritten into an address of ours, and back.

When mail is forwarded the next host sees it come from us, and SPF would
refuse the sender's domain.  `SRS0=HASH=DAY=domain=local` at our domain is the sender
instead; a bounce to it comes back here and goes on to the sender.  A second forwarder
makes `SRS1=HASH=first-forwarder==HASH=DAY=domain=local`.  What does not fit into a
local part is `SRS0=HASH=DAY=-=TOKEN`, its address kept under the token here.
"""

from __future__ import annotations

import hmac
import re
from base64 import b32encode
from collections.abc import Callable

from attrs import frozen

from ..address import MOST_LOCAL_PART, Address, ascii_domain, normal_domain
from ..errors import BadAddress, NoSuchUser
from ..secret import Secret

DAY_S = 86400
CYCLE_DAYS = 1024  # two characters of base32
KEPT = "-"  # no domain: the address is kept
TOKEN_LENGTH = 26  # characters of base32, 130 bits
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

_SRS0 = re.compile(
    r"SRS0[=+-]([^=]+)=([A-Z2-7]{2})=([^=]+)=(.+)", re.IGNORECASE | re.DOTALL
)
_SRS1 = re.compile(r"SRS1[=+-]([^=]+)=([^=]+)=([=+-].+)", re.IGNORECASE | re.DOTALL)
_TAGGED = re.compile(r"SRS[01][=+-]", re.IGNORECASE)


def is_srs(local_part: str) -> bool:
    """True for what only this scheme makes."""
    return _TAGGED.match(local_part) is not None


@frozen
class Srs:
    """Rewrites under `domain`; `hash_length` characters of base32.

    `secret` is asked when it is needed, as it may lie in a file."""

    secret: Callable[[], Secret]
    domain: str
    hash_length: int = 6
    valid_days: int = 21

    def forward(self, sender: Address, now_s: float) -> Address | None:
        """The sender to forward with; None if it does not fit into a local part."""
        local_part, domain = sender.local_part, ascii_domain(sender.domain)
        if again := _SRS1.fullmatch(local_part):
            local_part = self._srs1(again[2], again[3])
        elif _SRS0.fullmatch(local_part):
            local_part = self._srs1(domain, local_part[4:])
        else:
            day = day_of(now_s)
            sealed = self._hash(day, domain, local_part)
            local_part = f"SRS0={sealed}={day}={domain}={local_part}"
        if len(local_part.encode()) > MOST_LOCAL_PART:
            return None
        return Address(local_part, self.domain)

    def _srs1(self, first: str, rest: str) -> str:
        return f"SRS1={self._hash(first, rest)}={first}={rest}"

    def token(self, sender: Address) -> str:
        """What stands for a sender that does not fit; the same for the same one."""
        told = b"token\0" + str(sender).encode()
        digest = hmac.digest(self.secret().reveal(), told, "sha256")
        return b32encode(digest).decode()[:TOKEN_LENGTH]

    def short(self, token: str, now_s: float) -> Address:
        """The sender to forward with, by its token."""
        day = day_of(now_s)
        sealed = self._hash(day, KEPT, token)
        return Address(f"SRS0={sealed}={day}={KEPT}={token}", self.domain)

    def token_of(self, local_part: str, now_s: float) -> str | None:
        """The token of an address that `short` made, None for another form.

        Raises NoSuchUser for what was changed, or is too old."""
        found = _SRS0.fullmatch(local_part)
        if found is None or found[3] != KEPT:
            return None
        self._check_day(*found.groups(), now_s=now_s)
        return found[4].upper()

    def reverse(self, local_part: str, now_s: float) -> Address:
        """Where a bounce to `local_part` at our domain goes.

        Raises NoSuchUser for what was not made here, was changed, or is too old."""
        if found := _SRS1.fullmatch(local_part):
            sealed, first, rest = found.groups()
            self._check(sealed, first, rest)
            return _address(f"SRS0{rest}", first)
        if found := _SRS0.fullmatch(local_part):
            self._check_day(*found.groups(), now_s=now_s)
            return _address(found[4], found[3])
        raise NoSuchUser("Not a forwarding address of this host")

    def _hash(self, *parts: str) -> str:
        """Short, but a guess costs a connection; without case, as local parts may
        lose theirs on the way."""
        told = "\0".join(parts).lower().encode()
        digest = hmac.digest(self.secret().reveal(), told, "sha256")
        return b32encode(digest).decode()[: self.hash_length]

    def _check_day(
        self, sealed: str, day: str, domain: str, user: str, *, now_s: float
    ) -> None:
        day = day.upper()
        self._check(sealed, day, domain, user)
        age = (number_of(day_of(now_s)) - number_of(day)) % CYCLE_DAYS
        if age > self.valid_days:
            raise NoSuchUser("Forwarding address is too old")

    def _check(self, sealed: str, *parts: str) -> None:
        ours = self._hash(*parts).encode()
        if not hmac.compare_digest(sealed.upper().encode(), ours):
            raise NoSuchUser("Not a forwarding address of this host")


def day_of(now_s: float) -> str:
    """The day in two characters, the same again after CYCLE_DAYS."""
    high, low = divmod(int(now_s // DAY_S) % CYCLE_DAYS, 32)
    return _DIGITS[high] + _DIGITS[low]


def number_of(day: str) -> int:
    return _DIGITS.index(day[0]) * 32 + _DIGITS.index(day[1])


def _address(local_part: str, domain: str) -> Address:
    try:
        return Address(local_part, normal_domain(domain))
    except BadAddress as fault:
        raise NoSuchUser("Not a forwarding address of this host") from fault
