"""From the attributes of an LDAP entry to the texts of an account."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import frozen

FIELDS = (
    "name",
    "password",
    "home",
    "mailbox",
    "uid",
    "gid",
    "quota",
    "messages",
    "mailbox_limits",
    "enabled",
    "uses",
    "send_as",
    "login_until_s",
    "groups",
    "senders",
)
_LISTS = ("uses", "send_as", "groups", "senders")
_DISABLED = 0x2  # ACCOUNTDISABLE of userAccountControl
_NEVER = (0, 2**63 - 1)  # of accountExpires
_FILE_TIME_EPOCH_S = 11_644_473_600  # from 1601 to 1970
_DAY_S = 86_400


def _switched(value: str) -> str:
    return "no" if int(value) & _DISABLED else "yes"


def _locked(value: str) -> str:
    return "no" if value.strip().upper() == "TRUE" else "yes"


def _file_time(value: str) -> str:
    """100 ns since 1601, as Active Directory counts."""
    count = int(value)
    return "" if count in _NEVER else str(count // 10**7 - _FILE_TIME_EPOCH_S)


def _days(value: str) -> str:
    return str(int(value) * _DAY_S) if int(value) >= 0 else ""


def _proxy(value: str) -> str:
    kind, mark, address = value.partition(":")
    return address if mark and kind.lower() == "smtp" else ""


def _common_name(value: str) -> str:
    """Of the DN of a group, as memberOf has it; other values as they are."""
    kind, mark, rest = value.partition("=")
    if not mark or kind.strip().lower() != "cn":
        return value
    name = rest.partition(",")[0]
    return "" if "\\" in name else name.strip().replace(" ", "-")


# Attributes whose values are not written as ours, by lower-case name.
_MEANINGS: dict[str, Callable[[str], str]] = {
    "useraccountcontrol": _switched,
    "nsaccountlock": _locked,
    "pwdaccountlockedtime": lambda value: "no",
    "accountexpires": _file_time,
    "shadowexpire": _days,
    "proxyaddresses": _proxy,
    "memberof": _common_name,
}


@frozen
class Mapped:
    """Which attributes tell which fields."""

    pairs: tuple[tuple[str, str], ...]  # (field, attribute)

    @property
    def attributes(self) -> tuple[str, ...]:
        return tuple({attribute: None for _, attribute in self.pairs})

    def texts(self, values: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """By the names of docs/accounts.md; `values` by lower-case attribute.

        Raises ValueError for a value that cannot be meant, or several where one is."""
        found: dict[str, list[str]] = {}
        for name, attribute in self.pairs:
            meaning = _MEANINGS.get(attribute.lower(), str)
            try:
                read = [meaning(value) for value in values.get(attribute.lower(), ())]
            except ValueError as fault:
                raise ValueError(f"{attribute} is no number") from fault
            found.setdefault(name, []).extend(text for text in read if text)
        return {name: _joined(name, texts) for name, texts in found.items() if texts}


def _joined(name: str, texts: list[str]) -> str:
    if name in _LISTS:
        return ",".join(texts)
    if name == "enabled":  # whoever says no is right
        return "no" if "no" in texts else texts[0]
    if name == "login_until_s":
        return min(texts, key=float)
    if len(texts) > 1:
        raise ValueError(f"it has several values for {name}")
    return texts[0]


def mapped(lines: Iterable[str], *, without: Sequence[str] = ()) -> Mapped:
    """From `field=attribute`; raises ValueError."""
    pairs = []
    for line in lines:
        name, _, attribute = (part.strip() for part in line.partition("="))
        if name not in FIELDS or not attribute:
            raise ValueError(
                f"{line!r} is not field=attribute with one of {', '.join(FIELDS)}"
            )
        if name not in without:
            pairs.append((name, attribute))
    if not any(name == "name" for name, _ in pairs):
        raise ValueError('fields needs one like "name=mail"')
    return Mapped(tuple(pairs))
