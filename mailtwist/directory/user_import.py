"""From rows of other programs' files to accounts of the user database: which of them
can be taken, and why the others cannot."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from attrs import evolve, frozen

from ..address import Address
from ..auth.names import account_key
from ..errors import BadAddress
from ..sasl.text import MOST_PASSWORD
from ..secret import Secret
from .fields import limits
from .hashes_cost import TooCostly, affordable
from .hashes_schemes import UnusableHash, checked, fits
from .model import Account
from .passwd_formats import BadLine, Found, PasswdRow
from .user_rows import Imported

_PLAIN = re.compile(r"\{(PLAIN|CLEAR|CLEARTEXT)\}", re.IGNORECASE)
_SCHEME = re.compile(r"\{([^}.]*)[^}]*\}|\$([^$]+)\$")
_DES = re.compile(r"[./0-9A-Za-z]{13}")
_NAMES = {"1": "MD5", "2a": "BCRYPT", "2b": "BCRYPT", "2y": "BCRYPT"} | {
    "5": "SHA256-CRYPT",
    "6": "SHA512-CRYPT",
    "y": "YESCRYPT",
}


@frozen
class Skipped:
    """`name` is empty where the line has none."""

    line: int
    name: str
    why: str


@frozen
class Planned:
    """`scheme` of its hash for people; `ignored` as in PasswdRow."""

    line: int
    imported: Imported
    scheme: str
    ignored: tuple[str, ...]


@frozen
class Importing:
    """How rows become accounts.

    `account_of` makes a new account (UserDb.account_of); `has` tells whether there is
    one of that name.  `domain` is for names without one.  With `new_homes` mail goes
    where that of new accounts goes, whatever the file says.
    """

    account_of: Callable[[Address], Account]
    has: Callable[[str], bool]
    domains: frozenset[str]
    domain: str = ""
    new_homes: bool = False
    least_uid: int = 1000

    def planned(self, rows: Iterable[Found]) -> list[Planned | Skipped]:
        """In the order of the file; computes a hash for each kind of hash."""
        plan: list[Planned | Skipped] = []
        seen: set[str] = set()
        kinds: dict[str, str] = {}
        for row in rows:
            if isinstance(row, BadLine):
                plan.append(Skipped(row.line, "", row.why))
                continue
            try:
                one = self._planned(row, kinds)
                key = one.imported.key
                if key in seen:
                    raise ValueError("an earlier line has that name")
                seen.add(key)
                plan.append(one)
            except ValueError as fault:
                plan.append(Skipped(row.line, row.name, str(fault)))
        return plan

    def _planned(self, row: PasswdRow, kinds: dict[str, str]) -> Planned:
        """Raises ValueError that says why the row is no account."""
        if row.uid is not None and row.uid < self.least_uid and not self.new_homes:
            raise ValueError(f"uid {row.uid} is below {self.least_uid}")
        if row.hash is None:
            raise ValueError("it has no password")
        if row.locked:
            raise ValueError("its password is locked")
        address = self._address(row.name)
        try:
            account = self.account_of(address)
        except BadAddress as fault:
            raise ValueError(fault.public) from fault
        if self.has(account_key(address)):
            raise ValueError("there is an account of that name already")
        octets, messages = limits(row.quota)
        account = evolve(
            account,
            storage_limit_octets=octets,
            message_limit=messages,
            uses=row.uses,
            login_until_s=row.login_until_s,
        )
        if not self.new_homes:
            account = placed(account, row)
        scheme = scheme_of(row.hash)
        plain = _PLAIN.match(row.hash)
        if plain is not None:
            password = row.hash[plain.end() :].encode(errors="surrogateescape")
            if not 0 < len(password) <= MOST_PASSWORD:
                raise ValueError("its password is empty or too long")
            imported = Imported(account, password=Secret(password))
        else:
            hashed = row.hash
            if hashed.startswith(
                "$argon2"
            ):  # ours have keys beside them, this has none
                hashed = "{ARGON2}" + hashed
            _judged(hashed, scheme, kinds)
            imported = Imported(account, hashed)
        return Planned(row.line, imported, scheme, row.ignored)

    def _address(self, name: str) -> Address:
        try:
            address = Address.parse(name)
        except BadAddress as fault:
            raise ValueError("its name is no address") from fault
        if not address.domain:
            if not self.domain:
                raise ValueError("its name has no domain; give --domain")
            address = Address(address.local_part, self.domain)
        if address.domain not in self.domains:
            raise ValueError(f"{address.domain} is no local domain")
        return address


def placed(account: Account, row: PasswdRow) -> Account:
    """The account with the home, the mailbox and the user that the row has.

    Raises ValueError for paths that lead elsewhere."""
    for path in (row.home, row.mailbox):
        if ".." in path.split("/") or "\0" in path:
            raise ValueError("its home or mailbox leads elsewhere")
    home = row.home.rstrip("/") or account.home
    if not home.startswith("/"):
        raise ValueError("its home is no absolute path")
    return evolve(account, home=home, mailbox=row.mailbox, uid=row.uid, gid=row.gid)


def scheme_of(hashed: str) -> str:
    """The kind of a hash, for people."""
    found = _SCHEME.match(hashed)
    if found is None:
        return "DES-CRYPT"
    if found[1] is not None:
        return found[1].upper()
    return _NAMES.get(found[2], found[2].upper())


def _judged(hashed: str, scheme: str, kinds: dict[str, str]) -> None:
    """Raises ValueError for a hash that no login could be judged by; a slow kind is
    tried once."""
    try:
        _, text = checked(hashed, "CRYPT")
        if scheme == "DES-CRYPT" and not _DES.fullmatch(text):
            raise ValueError(
                "its password is in no known form; passwords in clear are {PLAIN}..."
            )
        slow = text.startswith("$") or "CRYPT" in scheme or "PBKDF2" in scheme
        if slow or "SCRAM" in scheme:
            affordable(text)
        if slow and scheme in kinds:
            return
        fits(hashed, b"-")
        kinds[scheme] = hashed
    except (UnusableHash, TooCostly) as fault:
        raise ValueError(f"its hash cannot be used: {fault}") from fault
