"""How an option is declared: default, limits and help in one place."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Any

from attrs import field

from .checks import Check

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0
KIB, MIB = 1024, 1024 * 1024

Network = IPv4Network | IPv6Network


def option(default: Any, help: str, *checks: Check, **metadata: Any) -> Any:
    """An option with its default; `help` is a sentence or two of Markdown."""
    metadata |= {"help": help, "checks": checks}
    return field(
        default=default,
        validator=checks or None,
        metadata=metadata,
        repr=not metadata.get("secret"),
    )


def required(help: str, *checks: Check, **metadata: Any) -> Any:
    """An option that the file must give."""
    metadata |= {"help": help, "checks": checks}
    return field(validator=checks or None, metadata=metadata)


def listing(section: type, help: str) -> Any:
    """A list of tables, `[[...]]`."""
    return field(factory=tuple, metadata={"help": help, "of": section})


def section(kind: type, help: str) -> Any:
    """A table, `[...]`."""
    return field(factory=kind, metadata={"help": help, "of": kind})
