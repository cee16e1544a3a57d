"""Rules as a page shows them; `rules_text` makes them a script, and back.

Line ends in texts are CRLF.  Every class raises ValueError for what a script could not
hold.
"""

from __future__ import annotations

import re
from typing import Any

from attrs import Attribute, field, frozen

from .check_values import ROLES, address_of

OPERATIONS = ("contains", "is", "matches")
PARTS = ("all", "domain", "localpart")

_CONTROL = re.compile(
    r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]|\r(?!\n)|(?<!\r)\n"
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FLAG = re.compile(
    r"\\(?:Seen|Answered|Flagged|Draft|Deleted)|[!#$&-'+-\[\]^-z|}~]{1,255}"
)


def _text(value: str) -> str:
    """What may stand in a script; line ends are CRLF.  Raises ValueError."""
    if _CONTROL.search(value):
        raise ValueError(f"{value!r} has control characters")
    return value


def _texts(instance: object, option: Attribute[tuple[str, ...]], value: object) -> None:
    """Raises ValueError unless it is one text or more."""
    if not isinstance(value, tuple) or not value:
        raise ValueError(f"{option.name} is missing")
    for each in value:
        _text(each)


def _one(instance: object, option: Attribute[str], value: str) -> None:
    _text(value)


def _line(instance: object, option: Attribute[str], value: str) -> None:
    if "\r" in _text(value) or value != value.strip():
        raise ValueError(f"{option.name} is no line")


def _role(role: str) -> Any:
    holds, told = ROLES[role]

    def check(instance: object, option: Attribute[str], value: str) -> None:
        if not holds(_text(value)):
            raise ValueError(f"{value!r} is not {told}")

    return check


def _in(*words: str) -> Any:
    def check(instance: object, option: Attribute[str], value: str) -> None:
        if value not in words:
            raise ValueError(f"{option.name} is one of {', '.join(words)}")

    return check


def _fields(
    instance: object, option: Attribute[tuple[str, ...]], value: object
) -> None:
    _texts(instance, option, value)
    for each in value if isinstance(value, tuple) else ():
        if not ROLES["field"][0](each):
            raise ValueError(f"{each!r} is not {ROLES['field'][1]}")


# -- conditions -----------------------------------------------------------------------


@frozen
class Fields:
    """Header fields that contain, are or match a value; with a `part` (of PARTS) their
    addresses."""

    fields: tuple[str, ...] = field(validator=_fields)
    operation: str = field(validator=_in(*OPERATIONS))
    values: tuple[str, ...] = field(validator=_texts)
    part: str = field(default="", validator=_in("", *PARTS))


@frozen
class Exists:
    """All of these header fields are there."""

    fields: tuple[str, ...] = field(validator=_fields)


@frozen
class Body:
    """The text of the message."""

    operation: str = field(validator=_in(*OPERATIONS))
    values: tuple[str, ...] = field(validator=_texts)


@frozen
class Size:
    """It has more than so many octets, or less."""

    relation: str = field(validator=_in("over", "under"))
    octets: int = field()

    @octets.validator
    def _number(self, option: Attribute[int], value: int) -> None:
        if not 0 <= value < 1 << 31:
            raise ValueError("octets is 0 to 2147483647")


@frozen
class Today:
    """It comes on that day ("2026-12-24") or later ("ge"), or earlier ("le")."""

    relation: str = field(validator=_in("ge", "le"))
    day: str = field()

    @day.validator
    def _is_day(self, option: Attribute[str], value: str) -> None:
        if not _DAY.fullmatch(value):
            raise ValueError(f"{value!r} is no day")


What = Fields | Exists | Body | Size | Today


@frozen
class Condition:
    """`negated`: it must not be so."""

    what: What
    negated: bool = False


# -- actions --------------------------------------------------------------------------


@frozen
class File:
    """Into a mailbox, which is made if it is missing; with `copy` the mail goes on."""

    mailbox: str = field(validator=_role("mailbox"))
    copy: bool = False


@frozen
class Send:
    """On to an address; with `copy` the mail stays as well."""

    address: str = field()
    copy: bool = False

    @address.validator
    def _is_address(self, option: Attribute[str], value: str) -> None:
        if address_of(_text(value)) is None:
            raise ValueError(f"{value!r} is no address")


@frozen
class Mark:
    """Flags for what is kept or filed behind this."""

    flags: tuple[str, ...] = field()

    @flags.validator
    def _are_flags(self, option: Attribute[tuple[str, ...]], value: object) -> None:
        _texts(self, option, value)
        for each in value if isinstance(value, tuple) else ():
            if not _FLAG.fullmatch(each):
                raise ValueError(f"{each!r} is no flag")


@frozen
class Keep:
    """It stays in INBOX, whatever else is done."""


@frozen
class Discard:
    """It is thrown away."""


@frozen
class Refuse:
    """It is refused, with a reason for the sender."""

    reason: str = field(validator=_one)


@frozen
class Answer:
    """The sender gets an answer, one in so many days (1 to 365)."""

    text: str = field(validator=_one)
    days: int = field(default=7)
    subject: str | None = field(default=None)
    addresses: tuple[str, ...] = field(default=())  # further ones of the owner's

    @days.validator
    def _number(self, option: Attribute[int], value: int) -> None:
        if not 1 <= value <= 365:
            raise ValueError("days is 1 to 365")

    @subject.validator
    def _is_line(self, option: Attribute[str], value: str | None) -> None:
        if value is not None:
            _line(self, option, value)

    @addresses.validator
    def _are_addresses(self, option: Attribute[object], value: tuple[str, ...]) -> None:
        for each in value:
            if address_of(_text(each)) is None:
                raise ValueError(f"{each!r} is no address")


Act = File | Send | Mark | Keep | Discard | Refuse | Answer


@frozen
class Rule:
    """`every`: all conditions must hold, else one of them; none holds always.  `stops`:
    no later rule sees the mail that this one is for.  It may do nothing else."""

    name: str = field(validator=_line)
    conditions: tuple[Condition, ...] = ()
    actions: tuple[Act, ...] = ()
    every: bool = True
    stops: bool = True
    enabled: bool = True


@frozen
class Rules:
    """All of them, in order, and the name of the script behind them, "" for none."""

    rules: tuple[Rule, ...] = ()
    then: str = field(default="")

    @then.validator
    def _is_name(self, option: Attribute[str], value: str) -> None:
        if value and not ROLES["script"][0](_text(value)):
            raise ValueError(f"{value!r} is not {ROLES['script'][1]}")
