"""From the texts that a source has of an account to an Account."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from attrs import field, frozen

from ..address import Address
from ..auth.names import account_key
from ..config.limiting import mailbox_limits
from ..config.model import Config
from ..config.sizes import octets_of
from ..config.source import Source
from ..errors import AuthUnavailable, BadAddress
from .home import home_of
from .model import USES, Account

_COURIER_QUOTA = re.compile(r"(\d+)([SC])", re.IGNORECASE)
_NO = frozenset(("", "0", "n", "no", "false", "off"))


@frozen
class Entry:
    """An account, the hash of its password if the source tells it, and its
    distinguished name in LDAP."""

    account: Account
    hash: str | None = field(default=None, repr=False)
    dn: str = ""


class Fields:
    """Makes accounts of one source; `texts` by the names of docs/accounts.md."""

    def __init__(self, config: Config, source: Source) -> None:
        self._config, self._source = config, source

    def entry(self, asked: Address, texts: Mapping[str, str]) -> Entry | None:
        """The account that the source has for `asked`; None if it is another's, as
        comparisons of databases are loose.  Raises AuthUnavailable for what cannot be
        meant."""
        address = asked
        if texts.get("name"):
            try:
                address = Address.parse(texts["name"])
            except BadAddress as fault:
                raise AuthUnavailable() from fault
            if not address.domain:
                address = Address(address.local_part, asked.domain)
        if texts.get("same") != "no" and account_key(address) != account_key(asked):
            return None
        try:
            account = self._account(address, texts)
        except (ValueError, BadAddress) as fault:
            raise AuthUnavailable(f"{address}: {fault}") from fault
        return Entry(account, texts.get("password"), texts.get("dn", ""))

    def _account(self, address: Address, texts: Mapping[str, str]) -> Account:
        uid, gid = number(texts.get("uid")), number(texts.get("gid"))
        if uid is not None and uid < self._source.least_uid:
            raise ValueError(f"uid {uid} is below least_uid")
        quota = texts.get("quota", "")
        limit, messages = limits(quota)
        below = [each for each in texts.get("mailbox_limits", "").split(";") if each]
        until = texts.get("login_until_s")
        uses = texts.get("uses")
        return Account(
            str(address),
            self._home(address, texts.get("home", "")),
            limit,
            texts.get("enabled", "1").strip().lower() not in _NO,
            _words(texts.get("send_as", "")),
            texts.get("mailbox") or self._filled(self._source.mailbox, address),
            uid,
            gid,
            None if not uses else _words(uses) & set(USES),
            number(texts.get("messages")) or messages,
            float(until) if until else None,
            self._source.called,
            _words(texts.get("groups", "")),
            mailbox_limits(below),
            senders=_words(texts.get("senders", "")),
            unlimited=bool(quota.strip()) and limit is None and messages is None,
        )

    def _home(self, address: Address, told: str) -> str:
        data = self._config.server.data
        home = told or self._filled(self._source.home, address)
        path = os.path.normpath(os.path.join(data, home or home_of(address)))
        if ".." in home.split("/") or "\0" in home:
            raise ValueError("its home leads elsewhere")
        return path

    @staticmethod
    def _filled(text: str, address: Address) -> str:
        """Raises ValueError for a name that is no file's."""
        parts = {
            "%u": address.local_part,
            "%d": address.domain,
            "%s": f"{address.local_part}@{address.domain}",
            "%%": "%",
        }
        if text and ("/" in address.local_part or address.local_part in (".", "..")):
            raise ValueError("its name is no name of a folder")
        return re.sub("%[uds%]", lambda code: parts[code[0]], text)


def _words(text: str) -> frozenset[str]:
    return frozenset(re.split(r"[\s,]+", text)) - {""}


def number(text: str | None) -> int | None:
    return int(text) if text else None


def limits(text: str) -> tuple[int | None, int | None]:
    """(octets, messages) of "1 GiB", "1000" or Courier's "1000000S,500C"; 0 and an
    empty text are no limit."""
    found = {kind.upper(): int(n) for n, kind in _COURIER_QUOTA.findall(text)}
    if found:
        return found.get("S") or None, found.get("C") or None
    if not text.strip():
        return None, None
    octets = octets_of(text)
    if octets is None:
        raise ValueError(f"{text!r} is no quota")
    return octets or None, None
