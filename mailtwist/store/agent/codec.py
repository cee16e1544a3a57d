"""Values of the mailbox interfaces as octets: tagged JSON, and raw octets behind it.

    frame = length of all that follows, length of the JSON, JSON, octets that it names

Only the values that the interfaces are made of can be read back, whatever was sent.
"""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Callable
from enum import Enum
from typing import Any

import attrs

from ... import errors
from ...address import Address
from ...delivery import model as delivery_model
from ...directory.model import Account, DomainLimit
from ...errors import MailError
from ...mailbox import model as mailbox_model
from ...mailbox import rights
from ...mailbox.model import MessageRows

HEAD = struct.Struct(">II")
MOST_OCTETS = 64 * 1024 * 1024  # of a frame
_FEW = 16  # numbers that are sent as text

_VALUES = {
    value.__name__: value
    for module in (mailbox_model, delivery_model, rights)
    for value in vars(module).values()
    if isinstance(value, type) and (attrs.has(value) or issubclass(value, Enum))
} | {"Account": Account, "Address": Address, "DomainLimit": DomainLimit}
_NAMES = {kind: name for name, kind in _VALUES.items()}
_FIELDS = {
    kind: tuple(f.name for f in attrs.fields(kind))
    for kind in _NAMES
    if attrs.has(kind)
}
_ENUMS = {n: kind for n, kind in _VALUES.items() if issubclass(kind, Enum)}
_FAULTS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, MailError)
}


class NotOurs(ValueError):
    """A frame that no codec made, and why."""


def packed(value: object) -> bytes:
    """`value` as a frame; raises TypeError for what cannot be sent, and ValueError for
    too much of it."""
    octets: list[bytes] = []
    text = json.dumps(_plain(value, octets), separators=(",", ":")).encode()
    total = HEAD.size + len(text) + sum(map(len, octets)) - 4
    if total > MOST_OCTETS:
        raise ValueError(f"{total} octets are too many for one frame")
    return b"".join((HEAD.pack(total, len(text)), text, *octets))


def unpacked(frame: bytes | memoryview) -> Any:
    """The value of a frame without its first length; raises NotOurs."""
    try:
        (length,) = struct.unpack_from(">I", frame)
        view = memoryview(frame)
        text, rest = view[4 : 4 + length], view[4 + length :]
        return _Reader(rest).value(json.loads(bytes(text)))
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
        struct.error,
    ) as fault:
        raise NotOurs(f"{type(fault).__name__}: {fault}") from fault


# -- writing ----------------------------------------------------------------------


def _plain(value: Any, octets: list[bytes]) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value, octets)
    if isinstance(value, MailError):
        return {"fault": [_fault_name(value), value.status, value.public]}
    if isinstance(value, Enum):
        return {"enum": [_NAMES[type(value)], value.name]}
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _fault_name(fault: MailError) -> str:
    """Of its class, or of the nearest one that the other end knows."""
    return next(k.__name__ for k in type(fault).__mro__ if k.__name__ in _FAULTS)


def _raw(value: bytes, octets: list[bytes]) -> Any:
    octets.append(value)
    return {"octets": len(value)}


def _list(value: list[Any], octets: list[bytes]) -> Any:
    if len(value) > _FEW and set(map(type, value)) == {int}:
        return _numbers(value, octets)
    return [_plain(item, octets) for item in value]


def _numbers(value: list[int], octets: list[bytes]) -> Any:
    """A column of a large mailbox without a Python step for each number."""
    return {"numbers": _raw(array("q", value).tobytes(), octets)["octets"]}


def _tuple(value: tuple[Any, ...], octets: list[bytes]) -> Any:
    return {"tuple": [_plain(item, octets) for item in value]}


def _dict(value: dict[Any, Any], octets: list[bytes]) -> Any:
    """Keys may be anything that can be sent and has a hash."""
    return {"dict": [_list([key, item], octets) for key, item in value.items()]}


def _set(value: frozenset[Any], octets: list[bytes]) -> Any:
    return {"set": [_plain(item, octets) for item in sorted(value)]}


def _rows(rows: MessageRows, octets: list[bytes]) -> Any:
    """Messages share few sets of flags: each is sent once."""
    places = {flags: at for at, flags in enumerate(dict.fromkeys(rows.flags))}
    return {
        "rows": [
            [_set(flags, octets)["set"] for flags in places],
            *(
                _numbers(column, octets)["numbers"]
                for column in (
                    [places[flags] for flags in rows.flags],
                    rows.uids,
                    rows.modseqs,
                    rows.octets,
                    rows.internal_dates,
                )
            ),
        ]
    }


def _fields(value: Any, octets: list[bytes]) -> Any:
    kind = type(value)
    fields = [_plain(getattr(value, name), octets) for name in _FIELDS[kind]]
    return {"value": [_NAMES[kind], *fields]}


def _domain_limit(value: DomainLimit, octets: list[bytes]) -> Any:
    """The sum is kept by the server alone."""
    return _fields(attrs.evolve(value, file=""), octets)


_WRITERS: dict[type, Callable[[Any, list[bytes]], Any]] = dict.fromkeys(
    _FIELDS, _fields
) | {
    DomainLimit: _domain_limit,
    bytes: _raw,
    list: _list,
    tuple: _tuple,
    frozenset: _set,
    dict: _dict,
    MessageRows: _rows,
}


# -- reading ----------------------------------------------------------------------


class _Reader:
    """Reads JSON in the order in which it was written: so the octets come, too."""

    def __init__(self, octets: memoryview) -> None:
        self._octets, self._at = octets, 0

    def _take(self, count: int) -> bytes:
        end = self._at + count
        if count < 0 or end > len(self._octets):
            raise NotOurs("it is cut short")
        taken, self._at = self._octets[self._at : end], end
        return bytes(taken)

    def _numbers(self, count: int) -> list[int]:
        numbers = array("q")
        numbers.frombytes(self._take(count))
        return numbers.tolist()

    def value(self, plain: Any) -> Any:
        if isinstance(plain, list):
            return [self.value(item) for item in plain]
        if not isinstance(plain, dict):
            return plain
        ((tag, content),) = plain.items()
        match tag:
            case "octets":
                return self._take(content)
            case "numbers":
                return self._numbers(content)
            case "tuple":
                return tuple([self.value(item) for item in content])
            case "set":
                return frozenset([self.value(item) for item in content])
            case "dict":
                return {self.value(key): self.value(item) for key, item in content}
            case "rows":
                return self._rows(*content)
            case "enum":
                name, member = content
                return _ENUMS[name][member]
            case "fault":
                return _fault(*content)
            case "value":
                name, *fields = content
                return _VALUES[name](*map(self.value, fields))
        raise NotOurs(f"tag {tag!r} is not known")

    def _rows(self, sets: list[list[str]], places: int, *columns: int) -> MessageRows:
        kinds = [frozenset(flags) for flags in sets]
        flags = [kinds[at] for at in self._numbers(places)]
        uids, modseqs, octets, dates = map(self._numbers, columns)
        return MessageRows(uids, modseqs, flags, octets, dates)


def _fault(name: str, status: str, public: str) -> MailError:
    """Of the class that it was, without that class's own way of being made."""
    kind = _FAULTS[name]
    fault = kind.__new__(kind)
    MailError.__init__(fault, str(public), status=str(status))
    return fault
